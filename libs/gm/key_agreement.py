"""Two sides agree on a secret: X25519 (RFC 7748), made into a key by HKDF-SHA256 (RFC 5869)."""

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gm.signing import SECRET_BYTES, KeyUnusable

PUBLIC_BYTES = 32


class LowOrderPoint(KeyUnusable):
    """The other side's public key makes the same secret with every private key."""


class Half:
    """One side's key pair, good for one agreement and kept nowhere."""

    def __init__(self) -> None:
        self._private = X25519PrivateKey.generate()

    @property
    def public(self) -> bytes:
        """The 32 bytes that the other side needs."""
        return self._private.public_key().public_bytes_raw()

    def agree(self, public: bytes, *, info: bytes) -> bytes:
        """The 32-byte key that the other side derives as well, without salt, bound to `info`.

        Raises `KeyUnusable` unless `public` has 32 bytes, `LowOrderPoint` where nothing of ours
        would be in the secret.
        """
        if len(public) != PUBLIC_BYTES:
            raise KeyUnusable(f"an X25519 public key has {PUBLIC_BYTES} bytes")
        theirs = X25519PublicKey.from_public_bytes(public)
        try:
            shared = self._private.exchange(theirs)
        except ValueError as why:
            # The library refuses the secret that is all zero; nothing else can fail here.
            raise LowOrderPoint("a point of low order") from why
        return HKDF(algorithm=SHA256(), length=SECRET_BYTES, salt=None, info=info).derive(shared)
