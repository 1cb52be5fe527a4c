"""Settlement's rules over immutable values: netting, what is owed, what prefunds get back."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from contracts import events
from contracts.vocabulary import PROVINCES, PaidFor
from policy.settings import Prefund as Thresholds
from settlement.domain.month import STATES, Month, Owed
from settlement.domain.prefund import Prefund
from settlement.domain.record_transfer import freed
from settlement.domain.statement import Row, Statements, net
from settlement.domain.told import CapturedTold, RefundedTold, ReversedTold
from settlement.edge.shown import yuan

FEW_PROVINCES = PROVINCES[:5]
NOW = datetime(2026, 12, 2, tzinfo=UTC)
TOLD: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[1] / "contract" / "told.yaml").read_text(encoding="utf-8")
)

signed = st.integers(-(10**12), 10**12)
rows = st.lists(
    st.builds(
        Row,
        debtor=st.sampled_from(FEW_PROVINCES),
        creditor=st.sampled_from(FEW_PROVINCES),
        kind=st.sampled_from(PaidFor),
        lines=st.integers(1, 9),
        amount=signed,
        adjusting_lines=st.just(0),
        adjusting_amount=st.just(0),
    ),
    max_size=40,
    unique_by=lambda row: (row.debtor, row.creditor, row.kind),
)


@pytest.mark.rule("R15")
@given(rows)
def test_netting_moves_what_gross_owes_and_sums_to_nothing(rows: list[Row]) -> None:
    positions: Counter[str] = Counter()
    for each in net(rows):
        assert each.amount_fen > 0
        positions[each.payer] -= each.amount_fen
        positions[each.payee] += each.amount_fen
    assert sum(positions.values()) == 0
    for row in rows:
        positions[row.debtor] += row.amount
        positions[row.creditor] -= row.amount
    assert set(positions.values()) <= {0}


@pytest.mark.rule("R15")
@given(rows)
def test_what_is_owed_is_gross_and_never_inside_a_province(rows: list[Row]) -> None:
    statements = Statements(digest="", national=tuple(rows), inside=())
    owed = statements.owed()
    assert all(debtor != creditor and amount for (debtor, creditor), amount in owed.items())
    crossing = [row for row in rows if row.debtor != row.creditor]
    assert sum(owed.values()) == sum(row.amount for row in crossing)
    assert statements.is_national == bool(crossing)
    assert set(statements.recipients) == {
        each for row in rows for each in (row.debtor, row.creditor)
    }


@pytest.mark.rule("R16")
@given(
    st.integers(-1000, 1000).filter(bool),
    st.integers(-1000, 1000).filter(bool),
    st.lists(st.integers(1, 400), max_size=12),
)
def test_whatever_the_parts_both_prefunds_end_where_they_were(
    there: int, back: int, parts: list[int]
) -> None:
    """A owes B `there`, and B owes A `back`: either may be below 0. Each direction is paid."""
    owed = (
        Owed(debtor="A", creditor="B", amount=there),
        Owed(debtor="B", creditor="A", amount=back),
    )
    month = Month(period="2026-11", state="issued", cells=1, cut_at=NOW, owed=owed)
    assert sum(month.transfers.values()) == abs(there) + abs(back)
    used = Counter({("A", "B"): there, ("B", "A"): back})
    for transfer, whole in month.transfers.items():
        paid = 0
        for part in [*parts, whole]:
            amount = min(part, whole - paid)
            if not amount:
                break
            month = Month(
                period="2026-11",
                state="issued",
                cells=1,
                cut_at=NOW,
                owed=owed,
                paid={**month.paid, transfer: paid},
            )
            for pair, change in freed(month, transfer, amount).items():
                used[pair] += change
            paid += amount
        assert paid == whole
        month = Month(
            period="2026-11",
            state="issued",
            cells=1,
            cut_at=NOW,
            owed=owed,
            paid={**month.paid, transfer: paid},
        )
    assert set(used.values()) == {0}
    assert month.all_paid


THRESHOLDS = Thresholds(months_of_mean=2, warn_percent=70, red_percent=90, top_up_on_red=True)


@pytest.mark.rule("R16")
@pytest.mark.parametrize(
    ("deposited", "used", "percent", "level"),
    [
        (1000, -1, 0, "green"),
        (1000, 0, 0, "green"),
        (1000, 9, 0, "green"),
        (1000, 699, 69, "green"),
        (1000, 700, 70, "yellow"),
        (1000, 899, 89, "yellow"),
        (1000, 900, 90, "red"),
        (1000, 5000, 500, "red"),
        (0, -5, 0, "green"),
        (0, 0, 0, "green"),
        (0, 1, 100, "red"),
    ],
)
def test_the_level_of_a_prefund(deposited: int, used: int, percent: int, level: str) -> None:
    prefund = Prefund(debtor="440000", creditor="660000", deposited=deposited, used=used)
    after = prefund.levelled(THRESHOLDS)
    assert (after.ratio_percent, after.level) == (percent, level)


def test_a_month_takes_one_step_at_a_time() -> None:
    month = Month(period="2026-11", state="cut", cells=1, cut_at=NOW)
    for state in STATES[2:]:
        month = month.became(state, NOW)
    assert month.state == "closed"
    with pytest.raises(AssertionError):
        month.became("paid", NOW)


@pytest.mark.parametrize(
    ("kind", "lean"),
    [
        (events.PaymentCaptured, CapturedTold),
        (events.PaymentRefunded, RefundedTold),
        (events.PaymentReversed, ReversedTold),
    ],
)
def test_what_makes_a_line_is_read_as_the_whole_event_has_it(kind: Any, lean: Any) -> None:
    whole = kind.model_validate_json(json.dumps(TOLD[kind.TYPE]))
    read = lean.model_validate_json(json.dumps(TOLD[kind.TYPE]))
    for name in lean.model_fields.keys() - {"allocations"}:
        ours, theirs = getattr(read, name), getattr(whole, name)
        assert ours == (theirs if isinstance(theirs, date) else theirs and type(ours)(theirs))
    assert [(part.quota_id, part.sharer_admdvs, part.amount_fen) for part in read.allocations] == [
        (str(part.quota_id), part.sharer_admdvs, part.amount_fen) for part in whole.allocations
    ]


@pytest.mark.parametrize(
    ("fen", "text"),
    [(0, "0.00"), (7, "0.07"), (-105, "-1.05"), (123456789, "1,234,567.89"), (-99, "-0.99")],
)
def test_fen_are_shown_as_yuan(fen: int, text: str) -> None:
    assert yuan(fen) == text


def test_a_month_between_all_provinces_is_paid_with_its_last_transfer_and_added_up_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pairs = [(debtor, creditor) for debtor in PROVINCES for creditor in PROVINCES]
    owed = tuple(Owed(debtor=one, creditor=two, amount=7) for one, two in pairs if one != two)
    month = Month(
        period="2026-11",
        state="confirmed",
        cells=1,
        cut_at=NOW,
        owed=owed,
        paid={each.transfer: 7 for each in owed[:-1]},
    )
    looks: list[Month] = []
    transfers = Month.transfers.fget  # type: ignore[attr-defined]  # a property, seen from the class

    def looked_at(month: Month) -> object:
        looks.append(month)
        return transfers(month)

    monkeypatch.setattr(Month, "transfers", property(looked_at))
    assert month.moved_on(NOW).state == "confirmed"
    assert len(looks) == 1
    paid = replace(month, paid={each.transfer: 7 for each in owed})
    assert paid.moved_on(NOW).state == "paid"
    assert len(looks) == 2
