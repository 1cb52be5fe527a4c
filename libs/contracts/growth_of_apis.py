"""Whether the HTTP and Kafka documents have only grown since they were released."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from contracts.growth import Reader, breaks_within

Document = Mapping[str, Any]

METHODS = ("get", "put", "post", "delete", "patch")


def async_breaks(old: Document, new: Document) -> Iterator[str]:
    """Topics, keys, partitions and messages that are gone or have changed."""
    for name, before in old["channels"].items():
        after = new["channels"].get(name)
        if after is None:
            yield f"topic {before['address']}: is gone"
            continue
        for field in ("address", "bindings"):
            if before[field] != after[field]:
                yield f"topic {before['address']}: {field} has changed"
        for message in sorted(before["messages"].keys() - after["messages"].keys()):
            yield f"topic {before['address']}: {message} is gone"
        for field, told in before.get("parameters", {}).items():
            left = set(told["enum"]) - set(
                after.get("parameters", {}).get(field, {"enum": ()})["enum"]
            )
            if left:
                yield f"topic {before['address']}: no {field} {', '.join(sorted(left))}"
    names = {each["name"]: key for key, each in old["components"]["messages"].items()}
    for name in sorted(
        names.keys() - {each["name"] for each in new["components"]["messages"].values()}
    ):
        yield f"message {name}: is gone"


def open_breaks(old: Document, new: Document) -> Iterator[str]:
    """Operations, parameters, bodies and answers that are gone or ask for more."""
    for path, item in old["paths"].items():
        for method in METHODS:
            if method not in item:
                continue
            at = f"{method.upper()} {path}"
            after = new["paths"].get(path, {}).get(method)
            if after is None:
                yield f"{at}: is gone"
            else:
                yield from _operation(item[method], after, (old, new), at)


def _operation(
    old: Document, new: Document, roots: tuple[Document, Document], at: str
) -> Iterator[str]:
    before = {(each["in"], each["name"]): each for each in old.get("parameters", ())}
    after = {(each["in"], each["name"]): each for each in new.get("parameters", ())}
    for place in sorted(before.keys() - after.keys()):
        yield f"{at}: parameter {place[1]} is gone"
    for place, each in after.items():
        if each.get("required") and not before.get(place, {}).get("required"):
            yield f"{at}: parameter {place[1]} is required now"
        if place in before:
            pair = (before[place]["schema"], each["schema"])
            yield from breaks_within(pair, roots, Reader.OURS, f"{at} {place[1]}")
    asked, asks = old.get("requestBody", {}), new.get("requestBody", {})
    if asks.get("required") and not asked.get("required"):
        yield f"{at}: a body is required now"
    yield from _contents(asked, asks, roots, Reader.OURS, f"{at} body")
    for status, answer in old.get("responses", {}).items():
        told = new.get("responses", {}).get(status)
        if told is None:
            yield f"{at}: {status} is no longer answered"
        else:
            yield from _contents(answer, told, roots, Reader.THEIRS, f"{at} {status}")


def _contents(
    old: Document, new: Document, roots: tuple[Document, Document], reader: Reader, at: str
) -> Iterator[str]:
    for media, before in old.get("content", {}).items():
        after = new.get("content", {}).get(media)
        if after is None:
            yield f"{at}: no longer as {media}"
        elif "schema" in before and "schema" in after:
            yield from breaks_within((before["schema"], after["schema"]), roots, reader, at)
