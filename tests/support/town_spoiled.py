"""A hundred ways to get a body wrong, whichever body it is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


def wrong_values(value: object) -> Iterator[tuple[str, object]]:
    """What is not such a value, whichever field it is for."""
    if isinstance(value, bool):
        yield from (("a number", 1), ("a text", "true"), ("an object", {}))
    elif isinstance(value, int):
        yield from (("a text", "7"), ("a float", 1.5), ("a whole float", 1.0), ("true", True))
        yield from (("negative", -1), ("huge", 10**30), ("a list", [7]))
    elif isinstance(value, str):
        yield from (("a number", 7), ("a float", 1.5), ("a list", [value]), ("an object", {}))
        yield from (("with a NUL", f"{value}\0"), ("true", True))
    elif isinstance(value, list):
        yield from (("an object", {}), ("a text", "x"), ("a number", 7), ("of numbers", [7]))


LONG = "x" * 9_000
UNBOUNDED = ("instance", "insutype", "traceparent")
"""Fields between our own services whose length nobody limits but the body's."""


def spoiled(good: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Bodies that each have one thing wrong: field by field, then as bytes."""
    for path, value in _places(good, ()):
        for what, wrong in wrong_values(value):
            yield f"{'.'.join(map(str, path))}: {what}", _with(good, path, wrong)
        if isinstance(value, str) and path[-1] not in UNBOUNDED:
            yield f"{'.'.join(map(str, path))}: long", _with(good, path, LONG)
        if isinstance(value, dict):
            yield f"{'.'.join(map(str, path))}: unknown", _with(good, path, {**value, "zz": 1})
    yield "unknown field", json.dumps({**good, "zz": 1}).encode()
    yield from RAW.items()


RAW: dict[str, bytes] = {
    "not JSON": b"{",
    "a list": b"[]",
    "a text": b'"x"',
    "a number": b"1",
    "NaN": b'{"amount_fen": NaN}',
    "bad UTF-8": b'{"x": "\xff\xfe"}',
    "UTF-16": '{"x": 1}'.encode("utf-16"),
    "a NUL": b'{"x": "\\u0000"}',
    "a lone surrogate": b'{"x": "\\ud800"}',
    "deep": b'{"x": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "two bodies": b"{} {}",
}


def _places(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if path:
        yield path, value
    inside: list[tuple[str | int, Any]] = []
    if isinstance(value, Mapping):
        inside += value.items()
    elif isinstance(value, list):
        inside += enumerate(value)
    for step, found in inside:
        yield from _places(found, (*path, step))


def _with(good: Mapping[str, Any], path: tuple[str | int, ...], wrong: object) -> bytes:
    told = json.loads(json.dumps(good))
    at = told
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = wrong
    return json.dumps(told).encode()
