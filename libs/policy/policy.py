"""What holds where and when: national ← province ← pooling area ← the place itself."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from policy.areas import UnknownArea, lineage_of, pool_of, province_of
from policy.files import NATIONAL, Entries, Entry, Scope, check_complete, read_folder
from policy.settings import Grade, Purpose, Settings

_FOLDER = Path(__file__).parent
_MOST_CACHED = 20_000

Value = TypeVar("Value")


class NotInForce(LookupError):
    """A setting has no value on that day: it lies before the rules began."""

    def __init__(self, setting: str, day: date) -> None:
        super().__init__(f"{setting} has no value on {day}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sourced:
    """One setting's value with how sure we are, who says so, and where and how long it holds."""

    setting: str
    value: Any
    grade: Grade
    source: str
    scope: Scope
    valid_from: date
    valid_to: date | None


class Policy:
    """All settings of all regions, read once. Pure look-ups, cached by place and day."""

    def __init__(self, entries: Entries) -> None:
        check_complete(entries)
        self._entries = entries
        self._settings: dict[tuple[str, date], Settings] = {}
        self._open: dict[tuple[str, date], bool] = {}

    @classmethod
    def load(cls, extra_dir: Path | None = None) -> "Policy":
        """Our own files, and an overlay whose entries replace ours of the same place and setting.

        Raises `PolicyInvalid`, naming file and path.
        """
        entries = read_folder(_FOLDER)
        return cls(entries | read_folder(extra_dir) if extra_dir is not None else entries)

    def at(self, code: str, day: date) -> Settings:
        """Everything that holds in a region on a day. Raises `UnknownArea`, `NotInForce`."""
        found = self._settings.get((code, day))
        if found is None:
            values = {name: self.setting(name, code, day).value for name in Settings.model_fields}
            found = Settings.model_construct(None, **values)
            _remember(self._settings, (code, day), found)
        return found

    def area_open(self, code: str, day: date) -> bool:
        """Whether mutual aid is open there (R29). A region that we do not know is not open."""
        found = self._open.get((code, day))
        if found is None:
            try:
                found = bool(self.setting("area_open", code, day).value)
            except (UnknownArea, NotInForce):
                found = False
            _remember(self._open, (code, day), found)
        return found

    def purpose(self, name: str, code: str, day: date) -> Purpose:
        """What holds for payments of this purpose. Raises `UnknownArea`, `NotInForce`."""
        for known, purpose in self.at(code, day).purposes.items():
            if known == name:
                return purpose
        raise LookupError(name)

    def shared_first(self, insured_at: str, day: date) -> bool:
        """Whether relatives pay before the own account does (R12)."""
        return bool(self.at(insured_at, day).deduction_order == "shared_first")

    def needs_registration(self, insured_at: str, day: date) -> bool:
        """Whether who is insured there pays by wallet only where registered (R26)."""
        return self.at(insured_at, day).registration_required

    def lies_in(self, place: str, area: str, day: date) -> bool:
        """Whether a place is that area or a part of it. A place we do not know lies nowhere."""
        try:
            return place == area or any(above.code == area for above in lineage_of(place, day))
        except UnknownArea:
            return False

    def setting(self, name: str, code: str, day: date) -> Sourced:
        """One setting with its grade and source. Raises `UnknownArea`, `NotInForce`."""
        for scope in _scopes(code, day):
            for entry in self._entries.get((scope, name), ()):
                if _holds(entry, day):
                    return _sourced(name, scope, entry)
        raise NotInForce(name, day)

    def province_of(self, code: str, day: date) -> str:
        """The province that a region belongs to. Raises `UnknownArea`."""
        return province_of(code, day)

    def all_settings(self) -> tuple[Sourced, ...]:
        """Every entry of every region with its grade, in order: what the documents show."""
        return tuple(
            _sourced(name, scope, entry)
            for (scope, name), entries in sorted(self._entries.items())
            for entry in entries
        )


def _scopes(code: str, day: date) -> tuple[Scope, ...]:
    places = dict.fromkeys((code, pool_of(code, day)))
    return (
        *(Scope(code=place, own_pool_only=True) for place in places),
        Scope(code=province_of(code, day)),
        Scope(code=NATIONAL),
    )


def _holds(entry: Entry, day: date) -> bool:
    return entry.valid_from <= day and (entry.valid_to is None or day <= entry.valid_to)


def _sourced(name: str, scope: Scope, entry: Entry) -> Sourced:
    return Sourced(
        setting=name,
        value=entry.value,
        grade=entry.grade,
        source=entry.source,
        scope=scope,
        valid_from=entry.valid_from,
        valid_to=entry.valid_to,
    )


def _remember(cache: dict[tuple[str, date], Value], key: tuple[str, date], value: Value) -> None:
    if len(cache) >= _MOST_CACHED:
        cache.clear()
    cache[key] = value
