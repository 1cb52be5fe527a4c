"""What may reach a parser: checked against Python's own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.json_shape import MOST_DEPTH, check_shape
from kit.refusal import Invalid

TEXTS = st.text(
    alphabet=st.one_of(
        st.sampled_from('"\\[]{}u0d8\0\ud800\udc00\udbff\udfffé汉😀'),
        st.characters(categories=["L"]),
    ),
    max_size=12,
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.integers(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=30,
)


def _storable(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= each <= "\udfff" for each in value)
    if isinstance(value, dict):
        return all(_storable(key) and _storable(inner) for key, inner in value.items())
    if isinstance(value, list):
        return all(map(_storable, value))
    return True


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def _passes(text: bytes) -> bool:
    try:
        check_shape(text)
    except Invalid:
        return False
    return True


@given(VALUES, st.integers(0, 40))
def test_it_refuses_exactly_what_no_database_can_store_or_is_too_deep(
    value: Any, wrapped: int
) -> None:
    for _ in range(wrapped):
        value = [value]
    text = json.dumps(value).encode()
    # Adjacent escapes of a pair are one character once parsed.
    parsed = json.loads(text)
    assert _passes(text) is (_storable(parsed) and _depth(parsed) <= MOST_DEPTH)


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        (b'"\xe6\xb1\x89"', True),
        (b'"\xff"', False),
        (b'"\xed\xa0\x80"', False),
        (b'"a\x00"', False),
        (b'"\\\\u0000"', True),
        (b'"\\u0000"', False),
        (b'"\\ud83d\\ude00"', True),
        (b'"\\ud83d"', False),
        (b'"\\ude00"', False),
        (b'"\\ud83d x \\ude00"', False),
        (b'"\\ud83d\\n\\ude00"', False),
        (b'"' + b"[" * 100 + b'"', True),
        (b"[" * 32 + b"]" * 32, True),
        (b"[" * 33 + b"]" * 33, False),
        (b"[" * 100_000, False),
        (b'["' + b'\\"' * 40 + b"[" * 40, True),
    ],
)
def test_single_cases(text: bytes, passes: bool) -> None:
    assert _passes(text) is passes


@given(
    st.recursive(
        st.none() | st.text(alphabet='[]{}"\\ax', max_size=4),
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text('k{["\\'), inner),
        max_leaves=60,
    ),
    st.integers(0, 40),
)
def test_what_nests_as_deep_as_allowed_passes_and_one_more_does_not(inner: Any, wraps: int) -> None:
    for n in range(wraps):
        inner = [inner] if n % 2 else {"k": inner}
    deep = _depth(inner)
    text = json.dumps([*([[]] * MOST_DEPTH), inner]).encode()
    if 1 + deep <= MOST_DEPTH:
        check_shape(text)
    else:
        with pytest.raises(Invalid, match="nested deeper"):
            check_shape(text)
