"""What provinces of the outside world pay for a month, and deposit, whatever the amounts are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.domain.behaviour import WELL_BEHAVED, Behaviour
from sandbox.domain.clearing import owed
from sandbox.domain.prefund import Rule
from tests.support.outside import GUANGDONG
from tests.support.outside import issued_line as line

XPCC, SICHUAN = "660000", "510000"


@pytest.mark.rule("R15")
@given(
    st.lists(
        st.tuples(
            st.sampled_from([XPCC, SICHUAN]),
            st.sampled_from(["pays", "receives"]),
            st.integers(-100, 100),
        )
    )
)
def test_what_one_pays_is_what_the_other_receives(lines: list[tuple[str, str, int]]) -> None:
    mirror = {"pays": "receives", "receives": "pays"}
    ours = owed(line(counterpart, direction, fen) for counterpart, direction, fen in lines)
    for other in (XPCC, SICHUAN):
        theirs = owed(
            line(GUANGDONG, mirror[direction], fen)
            for counterpart, direction, fen in lines
            if counterpart == other
        )
        net = sum(
            fen if direction == "pays" else -fen
            for counterpart, direction, fen in lines
            if counterpart == other
        )
        assert ours.get(other, 0) - theirs.get(GUANGDONG, 0) == net
        assert all(amount > 0 for amount in (*ours.values(), *theirs.values()))


@pytest.mark.rule("R16")
@given(st.integers(1, 10**12), st.integers(1, 10_000))
def test_after_a_deposit_half_of_it_is_used_at_most(deposit: int, ratio: int) -> None:
    rule = Rule()
    after = deposit + rule.lacking(deposit, ratio)
    used = deposit * ratio // 100
    assert 2 * used <= after


def test_only_what_is_out_of_the_ordinary_is_shown() -> None:
    assert "clearing" not in WELL_BEHAVED.shown()
    assert Behaviour(clearing="silent").shown()["clearing"] == "silent"
