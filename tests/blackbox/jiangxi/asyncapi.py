"""What `asyncapi.yaml` says of a province's two topics, read as an outsider's tool reads it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, FormatChecker

FILE = Path(__file__).parents[3] / "libs" / "contracts" / "asyncapi.yaml"


@cache
def contract() -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return told


def followed(reference: str) -> dict[str, Any]:
    """What a `#/…` names within the file."""
    found: Any = contract()
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    assert isinstance(found, dict)
    return found


@cache
def messages(channel: str) -> dict[str, dict[str, Any]]:
    """Type → message, of all that a channel carries."""
    listed = contract()["channels"][channel]["messages"].values()
    found = [followed(each["$ref"]) for each in listed]
    return {message["name"]: message for message in found}


def topic(channel: str, province: str) -> str:
    """The channel's address for one province, without the installation's prefix."""
    told = contract()["channels"][channel]
    assert province in told["parameters"]["province"]["enum"]
    return str(told["address"]).replace("{province}", province)


@cache
def body_of(channel: str, event: str) -> Draft202012Validator:
    """Raises KeyError for a type that the channel does not carry."""
    file = FILE.parent / messages(channel)[event]["payload"]["$ref"]
    schema = json.loads(file.read_text(encoding="utf-8"))
    return Draft202012Validator(schema, format_checker=FormatChecker())


@cache
def headers_of(channel: str, event: str) -> Draft202012Validator:
    (trait,) = messages(channel)[event]["traits"]
    return Draft202012Validator(followed(trait["$ref"])["headers"], format_checker=FormatChecker())


def check(channel: str, headers: dict[str, str], body: Any) -> None:
    """Raise unless a record is what the contract says that it is."""
    event = headers.get("ce_type", "")
    headers_of(channel, event).validate(headers)
    body_of(channel, event).validate(body)
