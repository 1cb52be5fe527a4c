"""The shape of a JSON text, looked at before it is parsed: UTF-8, not deep, storable characters."""

from __future__ import annotations

import re

from kit.refusal import Invalid

MOST_DEPTH = 32

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[{\]}]', re.DOTALL)
_ALIKE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)


def check_shape(text: bytes) -> None:
    """Raise Invalid for bad UTF-8, nesting beyond 32, NUL and unpaired surrogates."""
    if not text.isascii():
        try:
            text.decode("utf-8")
        except UnicodeDecodeError:
            raise Invalid("the body is not UTF-8") from None
    if b"\0" in text:
        raise Invalid("the body holds a NUL character")
    if b"\\u" in text:
        _check_escapes(text)
    # Brackets inside strings only make this count too high, never too low.
    if text.count(b"[") + text.count(b"{") <= MOST_DEPTH or _folds_up(text):
        return
    if _depth(text) > MOST_DEPTH:
        raise Invalid(f"the body is nested deeper than {MOST_DEPTH}")


def _folds_up(text: bytes) -> bool:
    """Whether innermost pairs can be taken away until nothing is left, a level each time.

    True for nothing that is too deep, and at a fraction of what walking through it costs.
    """
    unescaped = _ESCAPE.sub(b"", text) if b"\\" in text else text
    brackets = b"".join(unescaped.split(b'"')[::2]).translate(_ALIKE, _NO_BRACKETS)
    for _ in range(MOST_DEPTH):
        brackets = brackets.replace(b"[]", b"")
        if not brackets:
            return True
    return False


def _depth(text: bytes) -> int:
    depth = deepest = 0
    for found in _TOKEN.finditer(text):
        token = found[0]
        if token in (b"[", b"{"):
            depth += 1
            deepest = max(deepest, depth)
        elif token in (b"]", b"}"):
            depth -= 1
    return deepest


def _check_escapes(text: bytes) -> None:
    high_ends_at: int | None = None
    for found in _ESCAPE.finditer(text):
        unit = int(found[1], 16) if found[1] else None
        pairs = high_ends_at == found.start()
        low = unit is not None and 0xDC00 <= unit <= 0xDFFF
        if low is not pairs or (high_ends_at is not None and not pairs):
            raise Invalid("the body holds an unpaired surrogate")
        if unit == 0:
            raise Invalid("the body holds a NUL character")
        high = unit is not None and 0xD800 <= unit <= 0xDBFF
        high_ends_at = found.end() if high else None
    if high_ends_at is not None:
        raise Invalid("the body holds an unpaired surrogate")
