"""Bodies and queries, read strictly: what is not exactly right is refused, and never repeated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import orjson
from pydantic import BaseModel, ValidationError

from kit.refusal import Invalid

M = TypeVar("M", bound=BaseModel)

MOST_TOLD = 5

_NAME_ENDS = re.compile(rb'"\s*:')
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?', re.DOTALL)
_NESTED = (dict, list)
_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,40}")
_QUOTED = re.compile(r"`[^`]*`")


def read_body(model: type[M], body: bytes) -> M:
    """The body as `model`. Raises Invalid for anything else, a field given twice included.

    Kit's frame has refused what is deep or not UTF-8. Nothing at all stands for {} where {} would
    do.
    """
    try:
        read = model.model_validate_json(body or b"{}")
    except ValidationError as error:
        raise Invalid(_explained(error)) from None
    if body and _names_a_field_twice(body):
        raise Invalid("a field is given twice")
    return read


def _names_a_field_twice(body: bytes) -> bool:
    # The parser keeps the last of several equal names; the count tells that there were some.
    kept = _names_in(orjson.loads(body))
    if b"\\" not in body and len(_NAME_ENDS.findall(body)) == kept:
        # Without escapes every name ends like this, and perhaps a string begins so: never too few.
        return False
    strings = _STRING.findall(body)
    return len(strings) - strings.count(b"") != kept


def _names_in(value: Any) -> int:
    found, left = 0, [value]
    while left:
        each = left.pop()
        if type(each) is dict:
            found += len(each)
            each = each.values()
        elif type(each) is not list:
            continue
        left += [inner for inner in each if type(inner) in _NESTED]
    return found


def read_query(model: type[M] | None, query: bytes) -> M | None:
    """The query as `model`; where none is declared it is not looked at. Raises Invalid."""
    if model is None:
        return None
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise Invalid("the query is malformed") from None
    given = dict(pairs)
    if len(given) != len(pairs):
        raise Invalid("a query parameter is given twice")
    try:
        return model.model_validate_strings(given)
    except ValidationError as error:
        raise Invalid(f"query: {_explained(error)}") from None


def canonical(read: BaseModel | None) -> bytes:
    """The same for bodies that say the same; a field left out equals its default."""
    return b"" if read is None else read.model_dump_json(exclude_defaults=True).encode()


def _explained(error: ValidationError) -> str:
    told = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(_one(found) for found in told[:MOST_TOLD])


def _one(found: Mapping[str, Any]) -> str:
    where = ".".join(map(_step, found["loc"]))
    said = _QUOTED.sub("…", found["msg"])
    return f"{where}: {said}" if where else said


def _step(step: int | str) -> str:
    # An unknown field's name is the caller's text: told only where it looks like a name.
    text = str(step)
    return text if isinstance(step, int) or _FIELD_NAME.fullmatch(text) else "(unknown)"
