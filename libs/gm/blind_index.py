"""Find a sealed field again without opening it: HMAC-SM3 under a key that only the door holds."""

from cryptography.hazmat.primitives.hashes import SM3
from cryptography.hazmat.primitives.hmac import HMAC

KEY_BYTES = 32


def blind_index(key: bytes, *parts: str) -> bytes:
    """32 bytes that are equal only for equal parts in equal order.

    Each part is preceded by its length, so that ("12", "3") and ("1", "23") differ.
    """
    if len(key) != KEY_BYTES:
        raise ValueError(f"a blind index needs a key of {KEY_BYTES} bytes")
    mac = HMAC(key, SM3())
    for part in parts:
        encoded = part.encode()
        mac.update(len(encoded).to_bytes(4, "big"))
        mac.update(encoded)
    return mac.finalize()
