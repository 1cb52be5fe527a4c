"""The wallet's rules of months: which may be cut, what is told of one, and how each looks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from contracts.clearing import Period
from contracts.events import CutTotal
from contracts.vocabulary import PaidFor
from kit.ids import event_id
from kit.refusal import NotFound, WrongState
from tests.support.wallet_rules import ME
from wallet.domain.commands import CutPeriod, TellCut
from wallet.domain.cut_period import Cut, cut_period
from wallet.domain.find_period import Seen, find_period
from wallet.domain.period import months_after
from wallet.domain.tell_cut import MOST_TOTALS, tell_cut

AT = datetime(2026, 11, 30, 16, 0, 1, tzinfo=UTC)
LATER = datetime(2026, 11, 30, 16, 0, 2, tzinfo=UTC)


@pytest.mark.rule("R15")
@pytest.mark.rule("R33")
@pytest.mark.parametrize(
    ("last_cut", "present", "asked", "early", "becomes"),
    [
        ("2026-10", "2026-12", "2026-11", False, "cut"),
        ("2026-10", "2026-11", "2026-11", False, "the month is not over yet"),
        ("2026-10", "2026-11", "2026-11", True, "cut"),
        ("2026-10", "2026-12", "2026-12", True, "2026-11 has to be cut before it"),
        ("2026-11", "2026-11", "2026-12", True, "cut"),
        ("2026-11", "2026-11", "2026-12", False, "the month is not over yet"),
        ("2026-12", "2027-02", "2027-01", False, "cut"),
        ("2026-12", "2026-12", "2027-02", True, "2027-01 has to be cut before it"),
        ("2026-11", "2026-12", "2026-11", False, "done"),
        ("2026-11", "2026-12", "2025-01", False, "done"),
    ],
)
def test_months_are_cut_one_after_another_when_they_are_over(
    last_cut: str, present: str, asked: str, early: bool, becomes: str
) -> None:
    decision = cut_period(last_cut, present, CutPeriod(period=asked, early=early))
    assert decision.events == ()
    if isinstance(decision.answer, WrongState):
        assert (decision.answer.detail, decision.period) == (becomes, None)
    else:
        assert decision.answer.status == 200
        assert decision.period == (asked if becomes == "cut" else None)


def test_who_is_behind_cuts_month_after_month() -> None:
    assert months_after("2026-10", "2027-01") == ["2026-11", "2026-12", "2027-01"]
    assert months_after("2026-10", "2026-10") == months_after("2026-10", "2026-09") == []


@pytest.mark.parametrize(
    ("asked", "cells", "state"),
    [
        ("2026-11", [("2026-11", AT), ("2026-11", LATER)], "cut"),
        ("2026-11", [("2026-11", AT), ("2026-10", None)], "open"),
        ("2026-11", [("2026-10", None)], "open"),
        ("2026-12", [("2026-11", None)], "open"),
        ("2027-01", [("2026-12", None)], "open"),
        ("2027-01", [("2026-11", None)], None),
        ("2027-02", [("2026-12", None)], None),
        ("2026-10", [("2026-10", None)], None),
        ("2020-01", [("2026-11", None)], None),
        ("2099-12", [("2026-11", None)], None),
    ],
)
def test_a_month_is_open_until_the_last_cell_has_cut_it(
    asked: str, cells: list[tuple[str, datetime | None]], state: str | None
) -> None:
    seen = [Seen(last_cut=last_cut, cut_at=cut_at) for last_cut, cut_at in cells]
    found = find_period(asked, seen, "2026-12")
    if state is None:
        assert isinstance(found, NotFound)
    else:
        cut_at = LATER if state == "cut" else None
        assert found == Period.model_validate({"period": asked, "state": state, "cut_at": cut_at})


def told(totals: int, told_at: datetime | None = None) -> list[dict[str, Any]]:
    """What is told of a month with so many totals, and the name of each."""
    cut = Cut(period="2026-11", cut_at=AT, told_at=told_at)
    command = TellCut(
        period="2026-11",
        cell=2,
        cells=3,
        totals=tuple(
            CutTotal(
                debtor=f"{n:06}",
                creditor="659002",
                kind=PaidFor.PHARMACY,
                count=1,
                sum_fen=-n,
                hash=f"{n:016x}",
            )
            for n in range(totals)
        ),
    )
    decision = tell_cut(cut, command)
    assert {(each.topic, each.key) for each in decision.events} <= {("wallet.period", "2026-11")}
    assert (decision.period == "2026-11") is bool(decision.events)
    assert all(len(each.data) < 1 << 20 for each in decision.events)
    return [
        orjson.loads(each.data) | {"id": event_id(ME, each.type, each.subject)}
        for each in decision.events
    ]


@pytest.mark.rule("R15")
def test_a_month_is_told_once_with_all_its_totals() -> None:
    [whole] = told(MOST_TOTALS)
    assert len(whole["lines"]) == MOST_TOTALS
    assert (whole["part"], whole["parts"]) == (None, None)
    assert (whole["cell"], whole["cells"], whole["cut_at"]) == (2, 3, "2026-11-30T16:00:01Z")
    assert told(2, told_at=LATER) == []


def test_a_month_without_lines_is_told_too() -> None:
    [empty] = told(0)
    assert empty["lines"] == []


def test_totals_that_are_too_many_for_one_event_come_in_parts() -> None:
    parts = told(2 * MOST_TOTALS + 1)
    assert [(each["part"], each["parts"]) for each in parts] == [(1, 3), (2, 3), (3, 3)]
    lines = [line for each in parts for line in each["lines"]]
    assert [line["debtor"] for line in lines] == [f"{n:06}" for n in range(2 * MOST_TOTALS + 1)]
    assert len({each["id"] for each in parts}) == 3, "each is an event of its own"
