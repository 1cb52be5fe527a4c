"""I6 passes on what has ended, is young or is parked, and catches what is stuck."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proof.rows import Saga
from proof.sagas import unended

ORDER = Saga(kind="debit order", name="O1", waits_for="its province, or the next ask", seconds=5)
HOLD = Saga(kind="hold", name="H1", waits_for="the sweep", seconds=3)
RELATION = Saga(kind="ending relation", name="R1", waits_for="the wallet", seconds=1)
PARKED = replace(ORDER, name="O2", seconds=9_000, parked="silent")


def test_what_is_under_way_or_parked_passes() -> None:
    assert unended([]) == []
    assert unended([ORDER, HOLD, RELATION, PARKED]) == []


@pytest.mark.parametrize("saga", [ORDER, HOLD, RELATION])
def test_what_has_waited_for_too_long_is_found(saga: Saga) -> None:
    [found] = unended([replace(saga, seconds=61), PARKED])
    assert found == f"{saga.kind} {saga.name} has waited for {saga.waits_for} for 61 s"
    assert unended([replace(saga, seconds=61)], within=90) == []


def test_what_nobody_will_move_on_is_found_at_once() -> None:
    freezing = Saga(kind="freezing quota", name="Q1", waits_for=None)
    assert unended([freezing], within=10_000) == [
        "freezing quota Q1 waits and nobody will ever move it on"
    ]
