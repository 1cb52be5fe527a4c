"""Beijing days and months, and Chinese working days with their make-up workdays (R33).

Which days are free is decided each autumn for the next year; a year that working_days.csv does not
have is an alarm (`YearMissing`), never a guess.
"""

import csv
from datetime import date, datetime, timedelta, timezone
from functools import cache
from pathlib import Path

# China has kept one offset since 1991, and a fixed one needs no time zone database.
BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")

_TABLE = Path(__file__).parent / "working_days.csv"
_SATURDAY = 5


class YearMissing(LookupError):
    """The calendar of working days does not have this year yet."""

    def __init__(self, year: int) -> None:
        super().__init__(f"working_days.csv has no days of {year}")
        self.year = year


def beijing_day(instant: datetime) -> date:
    """The day in Beijing of an aware instant."""
    assert instant.tzinfo is not None, "an instant has a time zone"
    return instant.astimezone(BEIJING).date()


def beijing_month(instant: datetime) -> str:
    """The month in Beijing of an aware instant: "2026-11"."""
    return f"{beijing_day(instant):%Y-%m}"


def last_beijing_month(instant: datetime) -> str:
    """The month in Beijing that was over last, at an aware instant."""
    first = beijing_day(instant).replace(day=1)
    return f"{first - timedelta(days=1):%Y-%m}"


def is_working_day(day: date) -> bool:
    """Whether offices work that day. Raises `YearMissing`."""
    exceptions = _exceptions()
    if day.year not in exceptions:
        raise YearMissing(day.year)
    works = exceptions[day.year].get(day)
    return day.weekday() < _SATURDAY if works is None else works


def add_working_days(day: date, count: int) -> date:
    """The `count`-th working day after `day`; `day` itself never counts. Raises `YearMissing`."""
    assert count >= 0
    while count > 0:
        day += timedelta(days=1)
        count -= is_working_day(day)
    return day


def last_known_day() -> date:
    """The last day of the last year that the calendar has: what an alarm watches."""
    return date(max(_exceptions()), 12, 31)


@cache
def _exceptions() -> dict[int, dict[date, bool]]:
    years: dict[int, dict[date, bool]] = {}
    with _TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            day = date.fromisoformat(row["day"])
            years.setdefault(day.year, {})[day] = row["kind"] == "workday"
    return years
