"""I9 passes on a month that ties out, worked out by hand, and catches each planted violation."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from proof.month_answers import tiers
from proof.months import months_tie_out, transfers_of
from proof.rows import Months
from tests.support.month_by_hand import (
    ALAR,
    BACK,
    CHENGDU,
    CLEAN,
    CLOSED,
    CUTS,
    GUANGDONG,
    INSIDE,
    ISSUED,
    LATE,
    LINES,
    NATIONAL,
    OPEN,
    PAID,
    PHARMACY,
    PREMIUM,
    SEEN,
    SHENZHEN,
    SICHUAN,
    STATEMENTS,
    THE_OTHER_WAY,
    XPCC,
    paid,
    period,
)


@pytest.mark.parametrize("months", [CLEAN, OPEN, Months()])
@pytest.mark.rule("R15", "R22")
def test_a_month_that_ties_out_passes(months: Months) -> None:
    assert months_tie_out(months) == []


def test_every_statement_is_asked_for() -> None:
    assert [(tier, whose) for tier, whose, _ in tiers(LINES)] == [
        (each.tier, each.whose) for each in STATEMENTS
    ]


def test_opposite_rows_of_one_instant_are_compared_together() -> None:
    """Which of two came first nobody can say afterwards; together they are what they are."""
    back = (
        replace(LATE, cause_id="R1", amount=-20),
        replace(LATE, cause_id="R2", amount=-10),
    )
    swapped = (
        replace(LATE, cause_id="R1", amount=-10),
        replace(LATE, cause_id="R2", amount=-20),
    )
    seen = replace(SEEN, period="2026-12", body='{"state": "open"}', repeated=(), statements=())
    months = Months(lines=back, recorded=back, replayed=swapped, seen=(seen,))
    assert months_tie_out(months) == []
    assert months_tie_out(replace(months, replayed=swapped[:1]))


def test_who_was_charged_less_than_nothing_is_paid() -> None:
    assert transfers_of([LATE]) == {(XPCC, GUANGDONG): 20}
    assert transfers_of([LATE, THE_OTHER_WAY]) == {(XPCC, GUANGDONG): 35}
    assert transfers_of([INSIDE]) == {}


Plant = Callable[[Months], Months]


def month(**changes: Any) -> Plant:
    return lambda months: replace(months, seen=(replace(SEEN, **changes),))


def said(tier: str, whose: str, change: Callable[[dict[str, Any]], Any]) -> Plant:
    """One statement says something else, and says it again when it is asked again."""

    def plant(months: Months) -> Months:
        statements = []
        for each in STATEMENTS:
            body = json.loads(each.body)
            if (each.tier, each.whose) == (tier, whose):
                change(body)
            text = json.dumps(body)
            statements.append(replace(each, body=text, again=text))
        return replace(months, seen=(replace(SEEN, statements=tuple(statements)),))

    return plant


def first(body: dict[str, Any], **changes: Any) -> None:
    body["lines"][0].update(changes)


PLANTED: dict[str, tuple[Plant, str]] = {
    "settlement lacks a line": (
        lambda m: replace(m, recorded=LINES[1:]),
        "settlement nothing",
    ),
    "settlement has one more": (
        lambda m: replace(m, recorded=(*LINES, replace(PREMIUM, cause_id="P9"))),
        "the ledger has nothing",
    ),
    "settlement has one twice": (
        lambda m: replace(m, recorded=(*LINES, PREMIUM)),
        "has the line ('P4', 'Q1') twice",
    ),
    "settlement has another amount": (
        lambda m: replace(m, recorded=(replace(LINES[0], amount=71), *LINES[1:])),
        "amount=71",
    ),
    "settlement counts a line in another month": (
        lambda m: replace(m, recorded=(replace(LINES[0], period="2026-12"), *LINES[1:])),
        "period='2026-12'",
    ),
    "an entry is not what its payment makes it": (
        lambda m: replace(m, replayed=(replace(LINES[0], amount=71), *LINES[1:])),
        "its payment and opposite rows make it 71",
    ),
    "an entry's opposite row is missing": (
        lambda m: replace(m, replayed=tuple(each for each in LINES if each is not LATE)),
        "the entries have -20",
    ),
    "a cell was cut with another hash": (
        lambda m: replace(
            m, cuts=(replace(CUTS[0], totals={**CUTS[0].totals, BACK: (1, 15, "0" * 16)}), CUTS[1])
        ),
        "it was cut with (1, 15, '0000000000000000')",
    ),
    "a line came after the cut": (
        lambda m: replace(m, cuts=(CUTS[0], replace(CUTS[1], totals={}))),
        "it was cut with nothing",
    ),
    "a cell has not told": (
        lambda m: replace(m, cuts=CUTS[:1]),
        "was cut in cells [0] of [2]",
    ),
    "a cell told twice, differently": (
        lambda m: replace(m, cuts=(*CUTS, replace(CUTS[1], totals={}))),
        "was cut in two ways",
    ),
    "a cut month is still open": (month(body=period(state="open")), "is open and was cut"),
    "a month that nobody has cut": (lambda m: replace(m, cuts=()), "was cut in 0 cells"),
    "a month of another sum": (month(body=period(sum_fen=186)), "with 6 lines of 186"),
    "a transfer that nobody owes": (
        month(body=period(transfers=[])),
        "owed and paid are (90, 90) for ('440000', '660000'), not nothing",
    ),
    "a payment that does not count": (
        lambda m: replace(m, paid=PAID[1:]),
        "owed and paid are (90, 30)",
    ),
    "closed before all was paid": (lambda m: replace(m, paid=PAID[1:]), "paid 30 of 90"),
    "more was paid than is owed": (
        lambda m: replace(m, paid=(paid(GUANGDONG, XPCC, 91), *PAID[3:])),
        "paid 0 of 90",
    ),
    "a province was issued another sum": (
        lambda m: replace(
            m,
            issued=(replace(ISSUED[1], lines={(XPCC, "pharmacy", "pays"): (1, 31)}), *ISSUED[::2]),
        ),
        "and to receive (1, 30)",
    ),
    "a province was not issued": (
        lambda m: replace(m, issued=ISSUED[:2]),
        "it was nothing",
    ),
    "what is inside was not issued": (
        lambda m: replace(m, issued=(replace(ISSUED[0], inside={}), *ISSUED[1:])),
        "to be issued to 440000",
    ),
    "a province was issued twice": (
        lambda m: replace(m, issued=(*ISSUED, replace(ISSUED[0], event_id="again"))),
        "was issued 2 times",
    ),
    "a province was issued another digest": (
        lambda m: replace(m, issued=(replace(ISSUED[0], digest="e" * 64), *ISSUED[1:])),
        "another digest",
    ),
    "a province was told twice that it is closed": (
        lambda m: replace(m, closed=(*CLOSED, replace(CLOSED[0], event_id="again"))),
        "was closed 2 times",
    ),
    "a province was not told that it is closed": (
        lambda m: replace(m, closed=CLOSED[:2]),
        "were told",
    ),
    "closing again changes the month": (
        month(repeated=(period(), period(closed_at="2026-12-01T00:00:00Z"))),
        "a step of 2026-11 done again answers",
    ),
    "closing again changes one byte of a statement": (
        month(statements=(replace(NATIONAL, again=NATIONAL.body + " "), *STATEMENTS[1:])),
        "the national statement  of 2026-11 has changed",
    ),
    "a statement of another version": (
        said("city", ALAR, lambda body: body.update(version=2)),
        "is of another version",
    ),
    "a statement of another month": (
        said("city", ALAR, lambda body: body.update(period="2026-10")),
        "calls itself 2026-10",
    ),
    "a statement with another sum": (
        said("province", SICHUAN, lambda body: first(body, sum_fen=31)),
        "2026-11 province 510000: (1, 30, 0, 0)",
    ),
    "a statement with a line too few": (
        said("city", SHENZHEN, lambda body: body["lines"].pop()),
        "not nothing",
    ),
    "an adjustment that is not told apart": (
        said("institution", PHARMACY, lambda body: first(body, adjustments_count=0)),
        "(2, 50, 1, -20)",
    ),
    "totals that are not the sum": (
        said("national", "", lambda body: body["totals"].update(sum_fen=136)),
        "adds up to (5, 135, 1, -20)",
    ),
    "a diagonal that is left out": (
        said("national", "", lambda body: body.update(diagonal=[])),
        "inside: (1, 50, 0, 0)",
    ),
    "a net that is none": (
        said("national", "", lambda body: body["net"].pop()),
        "net: 30 for ('510000', '660000'), not nothing",
    ),
    "a tier with money of its own": (
        said("city", CHENGDU, lambda body: first(body, sum_fen=29)),
        "the tiers do not tie out",
    ),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_what_does_not_tie_out_is_found(planted: str) -> None:
    plant, expected = PLANTED[planted]
    found = months_tie_out(plant(CLEAN))
    assert found
    assert any(expected in each for each in found), found
