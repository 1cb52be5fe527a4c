"""Reading policy files: whatever is not exactly right is refused, with file and path named.

A file speaks for one region, `national` or a province's code. `settings` hold there and below;
`pools` hold for one pooling area (or county) alone, the province's code standing for its own pool.
Each setting is a list of entries that follow one another in time.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from policy.areas import UnknownArea, is_province, province_of
from policy.settings import Grade, Settings

NATIONAL = "national"


class PolicyInvalid(ValueError):
    """A policy file says something that it must not say."""

    def __init__(self, file: str, path: str, reason: str) -> None:
        super().__init__(f"{file}: {path}: {reason}")
        self.file = file
        self.path = path
        self.reason = reason


class Entry(BaseModel):
    """A value, from when to when (both included), how sure we are, and who says so."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    value: Any
    valid_from: date
    valid_to: date | None = None
    grade: Grade
    source: Annotated[str, Field(min_length=1)]


Chapter = dict[str, list[Entry]]


class PolicyFile(BaseModel):
    """The shape of a file, before the values of its settings are looked at."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    region: Annotated[str, Field(pattern=rf"^({NATIONAL}|[0-9]{{6}})$")]
    name: str
    settings: Chapter = {}
    pools: dict[Annotated[str, Field(pattern=r"^[0-9]{6}$")], Chapter] = {}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Scope:
    """Where an entry holds: a region with all below it, or one pool alone."""

    code: str
    own_pool_only: bool = False


Entries = dict[tuple[Scope, str], tuple[Entry, ...]]


def read_folder(folder: Path) -> Entries:
    """Every entry of `national.yaml`, `regions/*.yaml` and `*.yaml`. Raises `PolicyInvalid`."""
    if not folder.is_dir():
        raise PolicyInvalid(str(folder), "", "is not a folder")
    entries: Entries = {}
    seen: dict[str, str] = {}
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("regions/*.yaml")]):
        name = str(path.relative_to(folder))
        file = _parsed(name, path.read_text(encoding="utf-8"))
        if file.region != NATIONAL and not is_province(file.region):
            raise PolicyInvalid(name, "region", "is not a province")
        if file.region in seen:
            raise PolicyInvalid(name, "region", f"{seen[file.region]} speaks for it already")
        seen[file.region] = name
        entries |= _chapter(name, "settings", Scope(code=file.region), file.settings)
        for pool, chapter in file.pools.items():
            _check_pool(name, file.region, pool, chapter)
            scope = Scope(code=pool, own_pool_only=True)
            entries |= _chapter(name, f"pools.{pool}", scope, chapter)
    return entries


def check_complete(entries: Entries) -> None:
    """Every setting has a national value, without gap, for ever. Raises `PolicyInvalid`."""
    for setting in Settings.model_fields:
        found = entries.get((Scope(code=NATIONAL), setting), ())
        if not found:
            raise PolicyInvalid("national.yaml", f"settings.{setting}", "is missing")
        if found[-1].valid_to is not None:
            raise PolicyInvalid("national.yaml", f"settings.{setting}", "ends one day")
        for before, after in pairwise(found):
            assert before.valid_to is not None
            if before.valid_to + timedelta(days=1) != after.valid_from:
                raise PolicyInvalid("national.yaml", f"settings.{setting}", "has a gap")


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice, which YAML's own loader lets the last one win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"{key} stands twice, line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep)


def _parsed(name: str, text: str) -> PolicyFile:
    try:
        return PolicyFile.model_validate(yaml.load(text, Loader=_Loader))
    except yaml.YAMLError as why:
        raise PolicyInvalid(name, "", str(why)) from why
    except ValidationError as why:
        raise _refused(name, "", why) from why


def _chapter(name: str, path: str, scope: Scope, chapter: Mapping[str, list[Entry]]) -> Entries:
    return {
        (scope, setting): _in_time(
            name,
            f"{path}.{setting}",
            [
                _typed(name, f"{path}.{setting}.{position}", setting, entry)
                for position, entry in enumerate(entries)
            ],
        )
        for setting, entries in chapter.items()
    }


@cache
def _adapter(setting: str) -> TypeAdapter[Any]:
    return TypeAdapter(get_type_hints(Settings, include_extras=True)[setting])


def _typed(name: str, path: str, setting: str, entry: Entry) -> Entry:
    if setting not in Settings.model_fields:
        raise PolicyInvalid(name, path.rsplit(".", 1)[0], "is not a setting")
    try:
        # As JSON, because that is where strict reading still takes a list for a set.
        value = _adapter(setting).validate_json(json.dumps(entry.value), strict=True)
    except ValidationError as why:
        raise _refused(name, f"{path}.value", why) from why
    return entry.model_copy(update={"value": value})


def _in_time(name: str, path: str, entries: list[Entry]) -> tuple[Entry, ...]:
    if not entries:
        raise PolicyInvalid(name, path, "has no entry")
    for entry in entries:
        if entry.valid_to is not None and entry.valid_to < entry.valid_from:
            raise PolicyInvalid(name, path, "ends before it begins")
    ordered = sorted(entries, key=lambda entry: entry.valid_from)
    for before, after in pairwise(ordered):
        if before.valid_to is None or before.valid_to >= after.valid_from:
            raise PolicyInvalid(name, path, f"two values hold on {after.valid_from}")
    return tuple(ordered)


def _check_pool(name: str, region: str, pool: str, chapter: Mapping[str, list[Entry]]) -> None:
    for setting, entries in chapter.items():
        for entry in entries:
            try:
                belongs = province_of(pool, entry.valid_from) == region
            except UnknownArea as why:
                raise PolicyInvalid(name, f"pools.{pool}.{setting}", str(why)) from why
            if not belongs:
                raise PolicyInvalid(name, f"pools.{pool}", f"does not belong to {region}")


def _refused(name: str, path: str, why: ValidationError) -> PolicyInvalid:
    first = why.errors()[0]
    parts = [path, *(str(part) for part in first["loc"])]
    return PolicyInvalid(name, ".".join(part for part in parts if part), first["msg"])
