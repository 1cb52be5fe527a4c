"""What was told once is told for ever: whether a schema has only grown since it was released.

    a reader of ours (in)     may not be asked for more, nor find less accepted
    a reader of theirs (out)  may not miss a field, nor find one of another type

Adding an optional field, a value to an enum or room to a limit is growth; everything else breaks
somebody. Events are read by both: by us from former times, by others from now on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Flag, auto
from typing import Any

Schema = Mapping[str, Any]


class Reader(Flag):
    """Who reads bodies of a schema."""

    OURS = auto()
    THEIRS = auto()
    BOTH = OURS | THEIRS


LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
FIXED = ("pattern", "format", "const", "multipleOf", "uniqueItems")
KNOWN = {
    *LOWER, *UPPER, *FIXED,
    "$defs", "$ref", "$schema", "additionalProperties", "allOf", "anyOf", "default", "deprecated",
    "description", "discriminator", "enum", "examples", "items", "oneOf", "prefixItems",
    "properties", "required", "title", "type",
}  # fmt: skip


def breaks(old: Schema, new: Schema, reader: Reader = Reader.BOTH) -> list[str]:
    """What would break somebody who relies on `old`, were bodies of `new` sent or asked for."""
    return breaks_within((old, new), (old, new), reader, "$")


def breaks_within(
    pair: tuple[Schema, Schema], roots: tuple[Schema, Schema], reader: Reader, at: str
) -> list[str]:
    """The same for a former and a present schema that refer to definitions in their documents."""
    return list(_Comparison(*roots, reader).compare(*pair, at))


class _Comparison:
    def __init__(self, old: Schema, new: Schema, reader: Reader) -> None:
        self._old, self._new, self._reader = old, new, reader
        self._seen: set[tuple[str, str]] = set()

    def compare(self, old: Schema, new: Schema, at: str) -> Iterator[str]:
        refs = (old.get("$ref", ""), new.get("$ref", ""))
        if all(refs):
            if refs in self._seen:
                return
            self._seen.add(refs)
        old, new = _resolved(old, self._old), _resolved(new, self._new)
        strange = (old.keys() | new.keys()) - KNOWN
        if strange:
            # A word that is not understood could hide anything.
            yield f"{at}: {', '.join(sorted(strange))} cannot be compared"
        if any(name in old or name in new for name in ("anyOf", "oneOf", "allOf")):
            yield from self._choices(old, new, at)
            return
        if old.get("type") != new.get("type"):
            yield f"{at}: was {old.get('type')} and is {new.get('type')}"
            return
        yield from self._limits(old, new, at)
        yield from self._properties(old, new, at)
        if "items" in old and "items" in new:
            yield from self.compare(old["items"], new["items"], f"{at}[]")
        elif "items" in new and Reader.OURS in self._reader:
            yield f"{at}[]: is limited now"

    def _choices(self, old: Schema, new: Schema, at: str) -> Iterator[str]:
        """Each former alternative needs one that took its place."""
        before, after = _alternatives(old), _alternatives(new)
        for each in before:
            if not any(self._fits(each, other) for other in after):
                yield f"{at}: {_name(each)} is no longer an alternative"
        if Reader.THEIRS in self._reader:
            for each in after:
                if not any(self._fits(other, each) for other in before):
                    yield f"{at}: {_name(each)} is a new alternative"

    def _fits(self, old: Schema, new: Schema) -> bool:
        nested = _Comparison(self._old, self._new, self._reader)
        nested._seen = set(self._seen)
        return next(nested.compare(old, new, ""), None) is None

    def _limits(self, old: Schema, new: Schema, at: str) -> Iterator[str]:
        if Reader.OURS not in self._reader:
            return
        for name in LOWER:
            if name in new and (name not in old or new[name] > old[name]):
                yield f"{at}: {name} was {old.get(name)} and is {new[name]}"
        for name in UPPER:
            if name in new and (name not in old or new[name] < old[name]):
                yield f"{at}: {name} was {old.get(name)} and is {new[name]}"
        for name in FIXED:
            if name in new and new[name] != old.get(name):
                yield f"{at}: {name} was {old.get(name)} and is {new[name]}"
        if "enum" in new:
            gone = [each for each in old.get("enum", ["anything"]) if each not in new["enum"]]
            if gone:
                yield f"{at}: {', '.join(map(str, gone))} is no longer allowed"

    def _properties(self, old: Schema, new: Schema, at: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name in before.keys() - after.keys():
            yield f"{at}.{name}: is gone"
        for name in sorted(before.keys() & after.keys()):
            yield from self.compare(before[name], after[name], f"{at}.{name}")
        required, was_required = set(new.get("required", ())), set(old.get("required", ()))
        if Reader.OURS in self._reader:
            for name in sorted(required - was_required):
                yield f"{at}.{name}: is required now"
            closed = new.get("additionalProperties", True) is False
            if closed and old.get("additionalProperties", True) is not False:
                yield f"{at}: other fields are refused now"
        if Reader.THEIRS in self._reader:
            for name in sorted(was_required - required):
                yield f"{at}.{name}: may be missing now"


def _resolved(schema: Schema, root: Schema) -> Schema:
    seen = 0
    while "$ref" in schema:
        place: Any = root
        for part in str(schema["$ref"]).removeprefix("#/").split("/"):
            place = place[part]
        schema = place
        seen += 1
        assert seen < 100, "a reference that leads nowhere"
    return schema


def _alternatives(schema: Schema) -> list[Schema]:
    for name in ("anyOf", "oneOf", "allOf"):
        if name in schema:
            return list(schema[name])
    return [schema]


def _name(schema: Schema) -> str:
    return str(schema.get("$ref", schema.get("type", schema)))
