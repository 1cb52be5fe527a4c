"""Names as they are compared: the same name may be typed in more than one way."""

from __future__ import annotations

import unicodedata

_DOTS = str.maketrans(dict.fromkeys("•・‧∙⋅・.", "·"))


def comparable(name: str) -> str:
    """Width, case, spaces and the kind of middle dot (买买提·阿不都) do not tell names apart."""
    plain = unicodedata.normalize("NFKC", name).translate(_DOTS).upper()
    return "".join(plain.split())
