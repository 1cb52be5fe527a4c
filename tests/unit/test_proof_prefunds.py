"""I9 of prefunds passes on what was worked out by hand, and catches what is not so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proof.prefunds import prefunds_tie_out
from proof.rows import Months, PrefundSeen, ToppedUp
from tests.support.month_by_hand import (
    CLEAN,
    GUANGDONG,
    LATE,
    PAID,
    PAID_BY_TWO,
    SICHUAN,
    XPCC,
    paid,
)


def prefund(debtor: str, creditor: str, deposited: int, used: int, ratio: int) -> PrefundSeen:
    return PrefundSeen(
        debtor=debtor, creditor=creditor, deposited=deposited, used=used, ratio_percent=ratio
    )


def topped_up(amount: int, event_id: str = "once") -> ToppedUp:
    return ToppedUp(event_id=event_id, province=GUANGDONG, counterpart=XPCC, amount=amount)


@pytest.mark.rule("R16")
def test_a_prefund_is_used_by_what_is_owed_and_not_paid() -> None:
    owed = replace(CLEAN, paid=(), topped_up=(topped_up(120), topped_up(120)))
    used = (
        prefund(GUANGDONG, XPCC, 120, 90, 75),
        prefund(SICHUAN, XPCC, 0, 30, 100),
        prefund(XPCC, GUANGDONG, 0, 15, 100),
    )
    assert prefunds_tie_out(replace(owed, prefunds=used)) == []
    freed = (prefund(GUANGDONG, XPCC, 120, 60, 50), *used[1:])
    assert prefunds_tie_out(replace(owed, paid=PAID[1:3], prefunds=freed)) == []
    all_of_it = (prefund(GUANGDONG, XPCC, 120, 0, 0),)
    assert prefunds_tie_out(replace(owed, paid=PAID, prefunds=all_of_it)) == []


def test_what_was_given_back_is_freed_when_it_is_paid_back() -> None:
    back = Months(lines=(LATE,), prefunds=(prefund(GUANGDONG, XPCC, 0, -20, 0),))
    assert prefunds_tie_out(back) == []
    assert prefunds_tie_out(replace(back, paid=(paid(XPCC, GUANGDONG, 20),)))
    assert prefunds_tie_out(replace(back, paid=(paid(XPCC, GUANGDONG, 20),), prefunds=())) == []


@pytest.mark.parametrize(
    "seen",
    [
        (),
        (prefund(GUANGDONG, XPCC, 120, 91, 75),),
        (prefund(GUANGDONG, XPCC, 121, 90, 74),),
        (prefund(GUANGDONG, XPCC, 120, 90, 76),),
        (prefund(GUANGDONG, XPCC, 120, 90, 75), prefund(SICHUAN, XPCC, 1, 0, 0)),
    ],
)
def test_a_prefund_that_is_not_what_it_should_be_is_found(seen: tuple[PrefundSeen, ...]) -> None:
    owed = Months(lines=(replace(PAID_BY_TWO[0], amount=90),), topped_up=(topped_up(120),))
    assert prefunds_tie_out(replace(owed, prefunds=seen))
