"""The digest of a body in a header (RFC 9530): `Content-Digest: sha-256=:…:`.

sha-256 must be there; sha-512 beside it is checked too; digests that we do not know are left alone.
"""

import hashlib

from gm.fields import SignatureInvalid, byte_sequence, parse_dictionary

_KNOWN = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}


def content_digest(body: bytes) -> str:
    """The header's value for `body`."""
    return f"sha-256={byte_sequence(hashlib.sha256(body).digest())}"


def check_content_digest(value: str, body: bytes) -> None:
    """Raises `SignatureInvalid` unless sha-256 is there and every known digest fits `body`."""
    if value == content_digest(body):
        return
    digests = parse_dictionary("content-digest", value)
    if "sha-256" not in digests:
        raise SignatureInvalid("content-digest has no sha-256")
    for name, algorithm in _KNOWN.items():
        if name in digests and digests[name].value != algorithm(body).digest():
            raise SignatureInvalid("content-digest does not fit the body")
