"""Cryptography behind one small interface: national algorithms (国密), Ed25519, signed messages.

    signing             keys and algorithms, one table: a new algorithm is one more entry
    key_agreement       X25519 and HKDF: a secret that two sides share
    message_signatures  RFC 9421: sign and verify requests and responses
    content_digest      RFC 9530: the digest of a body
    sm4gcm              seal and open a field, SM4-GCM
    blind_index         find a sealed field again, HMAC-SM3
    identity_number     GB 11643: checksum, date of birth, masking

`components` and `fields` are the inside of `message_signatures`: what a signature covers, and how
its headers are read. Nothing here reads a clock, a file or the environment; callers pass `now` and
keys.
"""
