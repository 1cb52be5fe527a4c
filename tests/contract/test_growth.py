"""Contracts may only grow: what was released still holds, and what would break it is found."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from contracts.generate import RELEASED, broken, others_files, own_files, published, released
from contracts.growth import Reader, breaks


def test_nothing_that_was_released_is_broken() -> None:
    assert RELEASED.exists(), "`python -m contracts.generate --release` freezes the contracts"
    assert broken(released(), published({**own_files(), **others_files()})) == []


BODY: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["amount_fen", "lines"],
    "properties": {
        "amount_fen": {"type": "integer", "minimum": 1, "maximum": 100},
        "purpose": {"$ref": "#/$defs/Purpose"},
        "note": {"anyOf": [{"type": "string", "maxLength": 50}, {"type": "null"}]},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}, "maxItems": 10},
    },
    "$defs": {
        "Purpose": {"type": "string", "enum": ["outpatient", "pharmacy"]},
        "Line": {
            "type": "object",
            "properties": {"code": {"type": "string", "pattern": "^[0-9]{6}$"}},
        },
    },
}

Change = Callable[[dict[str, Any]], None]


def drop(*path: str) -> Change:
    def change(schema: dict[str, Any]) -> None:
        *outer, last = path
        place: Any = schema
        for name in outer:
            place = place[name]
        del place[last]

    return change


def put(value: Any, *path: str) -> Change:
    def change(schema: dict[str, Any]) -> None:
        *outer, last = path
        place: Any = schema
        for name in outer:
            place = place[name]
        place[last] = value

    return change


def rename(schema: dict[str, Any]) -> None:
    schema["properties"]["amount"] = schema["properties"].pop("amount_fen")


LINE = ("$defs", "Line", "properties", "code")
AMOUNT = ("properties", "amount_fen")

BREAKING: dict[str, tuple[Change, Reader]] = {
    "a field is gone": (drop(*AMOUNT), Reader.BOTH),
    "a nested field is gone": (drop(*LINE), Reader.BOTH),
    "a field is renamed": (rename, Reader.BOTH),
    "a field has another type": (put("string", *AMOUNT, "type"), Reader.BOTH),
    "a nested field has another type": (put("integer", *LINE, "type"), Reader.BOTH),
    "less is allowed": (put(99, *AMOUNT, "maximum"), Reader.OURS),
    "more is the least": (put(2, *AMOUNT, "minimum"), Reader.OURS),
    "a limit where was none": (put(5, *LINE, "maxLength"), Reader.OURS),
    "another pattern": (put("^[0-9]{4}$", *LINE, "pattern"), Reader.OURS),
    "fewer lines": (put(9, "properties", "lines", "maxItems"), Reader.OURS),
    "a value less": (put(["pharmacy"], "$defs", "Purpose", "enum"), Reader.OURS),
    "one more is required": (put(["amount_fen", "lines", "note"], "required"), Reader.OURS),
    "one may be missing": (put(["lines"], "required"), Reader.THEIRS),
    "null where a text was": (
        put({"anyOf": [{"type": "string"}, {"type": "null"}]}, *LINE),
        Reader.THEIRS,
    ),
    "no longer null": (put({"type": "string", "maxLength": 50}, "properties", "note"), Reader.OURS),
    "a number where a text was": (
        put([{"type": "integer"}, {"type": "null"}], "properties", "note", "anyOf"),
        Reader.BOTH,
    ),
    "a word nobody compares": (put({}, *AMOUNT, "not"), Reader.BOTH),
}

GROWING: dict[str, tuple[Change, Reader]] = {
    "nothing": (lambda _: None, Reader.BOTH),
    "an optional field more": (put({"type": "string"}, "properties", "new"), Reader.BOTH),
    "a value more": (
        put(["inpatient", "outpatient", "pharmacy"], "$defs", "Purpose", "enum"),
        Reader.BOTH,
    ),
    "more is allowed": (put(1_000, *AMOUNT, "maximum"), Reader.BOTH),
    "a limit less": (drop(*LINE, "pattern"), Reader.BOTH),
    "one required less, of theirs": (put(["lines"], "required"), Reader.OURS),
    "one more of ours": (put(["amount_fen", "lines", "note"], "required"), Reader.THEIRS),
    "other words": (put("Whole fen.", *AMOUNT, "description"), Reader.BOTH),
}


@pytest.mark.parametrize("name", BREAKING)
def test_what_breaks_somebody_is_found(name: str) -> None:
    change, reader = BREAKING[name]
    new = copy.deepcopy(BODY)
    change(new)
    assert breaks(BODY, new, reader)


@pytest.mark.parametrize("name", GROWING)
def test_growth_is_allowed(name: str) -> None:
    change, reader = GROWING[name]
    new = copy.deepcopy(BODY)
    change(new)
    assert breaks(BODY, new, reader) == []


@pytest.fixture(scope="module")
def current() -> dict[str, Any]:
    return published({**own_files(), **others_files()})


GATEWAY = ("schemas/openapi/gateway.json", "paths")
PLANTED: dict[str, Change] = {
    "an event is gone": drop("schemas/events/payment.captured.v1.json"),
    "an event's field is gone": drop(
        "schemas/events/quota.granted.v1.json", "properties", "amount_fen"
    ),
    "a command asks for more": put(
        ["nothing"], "schemas/commands/pay.json", "properties", "nothing", "enum"
    ),
    "a topic is gone": drop("asyncapi.yaml", "channels", "wallet.quota"),
    "partitions have changed": put(
        6, "asyncapi.yaml", "channels", "wallet.quota", "bindings", "kafka", "partitions"
    ),
    "a province is gone": put(
        ["440000"], "asyncapi.yaml", "channels", "toProvince", "parameters", "province", "enum"
    ),
    "a message is gone": drop(
        "asyncapi.yaml", "channels", "wallet.quota", "messages", "QuotaGranted"
    ),
    "a route is gone": drop(*GATEWAY, "/v1/payments"),
    "a method is gone": drop(*GATEWAY, "/v1/me/wallet", "get"),
    "an answer is gone": drop(*GATEWAY, "/v1/payments", "post", "responses", "201"),
    "a parameter more is required": put(
        [{"in": "header", "name": "X-New", "required": True, "schema": {"type": "string"}}],
        *GATEWAY,
        "/v1/me/wallet",
        "get",
        "parameters",
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_in_the_documents_is_found(name: str, current: dict[str, Any]) -> None:
    new = copy.deepcopy(current)
    if name == "a command asks for more":
        new["schemas/commands/pay.json"]["required"].append("nothing")
        new["schemas/commands/pay.json"]["properties"]["nothing"] = {"type": "string"}
    else:
        PLANTED[name](new)
    assert broken(current, new)
    assert broken(current, copy.deepcopy(current)) == []
