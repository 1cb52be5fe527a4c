"""Beijing days and Chinese working days."""

from datetime import UTC, date, datetime, timedelta

import chinese_calendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.calendar import (
    YearMissing,
    add_working_days,
    beijing_day,
    beijing_month,
    is_working_day,
    last_beijing_month,
    last_known_day,
)


@pytest.mark.rule("R33")
@pytest.mark.parametrize(
    ("instant", "day", "month", "over"),
    [
        (datetime(2026, 11, 30, 15, 59, 59, tzinfo=UTC), date(2026, 11, 30), "2026-11", "2026-10"),
        (datetime(2026, 11, 30, 16, 0, tzinfo=UTC), date(2026, 12, 1), "2026-12", "2026-11"),
        (datetime(2026, 12, 31, 16, 0, tzinfo=UTC), date(2027, 1, 1), "2027-01", "2026-12"),
    ],
)
def test_days_and_months_are_those_of_beijing(
    instant: datetime, day: date, month: str, over: str
) -> None:
    assert beijing_day(instant) == day
    assert beijing_month(instant) == month
    assert last_beijing_month(instant) == over


def test_an_instant_without_time_zone_is_a_mistake() -> None:
    with pytest.raises(AssertionError):
        beijing_day(datetime(2026, 11, 30))  # noqa: DTZ001 - that is what is refused


@pytest.mark.rule("R33")
@pytest.mark.parametrize(
    ("day", "count", "deadline"),
    [
        (date(2026, 2, 13), 3, date(2026, 2, 25)),
        (date(2026, 2, 13), 5, date(2026, 2, 27)),
        (date(2026, 9, 21), 10, date(2026, 10, 12)),
        (date(2026, 9, 30), 5, date(2026, 10, 13)),
        (date(2026, 11, 20), 0, date(2026, 11, 20)),
    ],
)
def test_a_deadline_counts_working_days(day: date, count: int, deadline: date) -> None:
    assert add_working_days(day, count) == deadline


@pytest.mark.rule("R33")
def test_a_make_up_workday_is_worked() -> None:
    assert is_working_day(date(2026, 9, 20))


@given(day=st.dates(date(2025, 1, 1), date(2026, 12, 31)))
def test_the_table_agrees_with_the_package_it_is_from(day: date) -> None:
    assert is_working_day(day) == chinese_calendar.is_workday(day)


def test_a_missing_year_is_an_alarm_and_not_a_guess() -> None:
    assert last_known_day() == date(2026, 12, 31)
    with pytest.raises(YearMissing, match="2027"):
        is_working_day(last_known_day() + timedelta(days=1))
    with pytest.raises(YearMissing, match="2027"):
        add_working_days(date(2026, 12, 30), 5)
