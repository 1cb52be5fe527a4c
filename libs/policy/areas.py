"""Region codes (GB/T 2260) and whose they are, by our own table with validity, never by prefix.

XPCC cities have the prefix of Xinjiang and belong to 660000 (a setting, grade D). A county's
pooling area is its prefecture; a municipality, and a county without a prefecture, is one itself. A
province's own code stands for its own pool (省本级).
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from pathlib import Path


class Level(StrEnum):
    """What kind of region it is; districts and county-level cities count as counties."""

    PROVINCE = "province"
    PREFECTURE = "prefecture"
    COUNTY = "county"


_TABLE = Path(__file__).parent / "areas.csv"


class UnknownArea(KeyError):
    """No region has this code on that day."""

    def __init__(self, code: str, day: date) -> None:
        super().__init__(code)
        self.code = code
        self.day = day

    def __str__(self) -> str:
        return f"no region has the code {self.code} on {self.day}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """One row of areas.csv; both ends of its validity are included."""

    code: str
    name: str
    parent: str | None
    level: Level
    valid_from: date
    valid_to: date | None
    grade: str

    def valid_on(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


def area_of(code: str, day: date) -> Area:
    """The region with that code on that day, or `UnknownArea`."""
    area = _table().get(code)
    if area is None or not area.valid_on(day):
        raise UnknownArea(code, day)
    return area


def lineage_of(code: str, day: date) -> tuple[Area, ...]:
    """From the region itself up to its province. Raises `UnknownArea`."""
    lineage = [area_of(code, day)]
    while (parent := lineage[-1].parent) is not None:
        # Without its own day: what stands above a region outlives it.
        lineage.append(_table()[parent])
    return tuple(lineage)


def province_of(code: str, day: date) -> str:
    """The province that a region belongs to: 659002 → 660000. Raises `UnknownArea`."""
    return lineage_of(code, day)[-1].code


def pool_of(code: str, day: date) -> str:
    """The pooling area (统筹区) of a region: 440304 → 440300, 659002 → 659002, 110101 → 110000.

    Raises `UnknownArea`.
    """
    lineage = lineage_of(code, day)
    if lineage[0].level is not Level.COUNTY:
        return code
    above = lineage[1]
    return above.code if above.level is Level.PREFECTURE or above.code in MUNICIPALITIES else code


MUNICIPALITIES = frozenset({"110000", "120000", "310000", "500000"})
"""Provinces that pool as one city (grade D: the districts of a municipality share its pool)."""


def is_province(code: str) -> bool:
    """Whether that is the code of a province or of the XPCC."""
    area = _table().get(code)
    return area is not None and area.level is Level.PROVINCE


def all_areas(day: date) -> Iterator[Area]:
    """Every region that has a code on that day."""
    return (area for area in _table().values() if area.valid_on(day))


def provinces(day: date) -> tuple[str, ...]:
    """The codes of all provinces and the XPCC."""
    return tuple(area.code for area in all_areas(day) if area.level is Level.PROVINCE)


@cache
def _table() -> dict[str, Area]:
    with _TABLE.open(encoding="utf-8", newline="") as file:
        return {row["code"]: _area(row) for row in csv.DictReader(file)}


def _area(row: dict[str, str]) -> Area:
    return Area(
        code=row["code"],
        name=row["name"],
        parent=row["parent"] or None,
        level=Level(row["level"]),
        valid_from=date.fromisoformat(row["valid_from"]),
        valid_to=date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
        grade=row["grade"],
    )
