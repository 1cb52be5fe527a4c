"""I7, I8 and I13 each pass on clean rows and catch a planted violation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proof.delivery import drained, ordered
from proof.mirror import mirrored
from proof.rows import (
    Consumed,
    Flow,
    Frozen,
    Ledger,
    Order,
    Provinces,
    Published,
    Quota,
    Told,
)

TOLD = [
    Told(event_id=f"e{n}", topic="wallet.quota", key="A", sequence=n, published=True)
    for n in (1, 2, 3)
]
PUBLISHED = [
    Published(
        topic="wallet.quota",
        partition=4,
        offset=10 + n,
        event_id=f"e{n}",
        source="/wallet/cell-0",
        key="A",
        sequence=n,
    )
    for n in (1, 2, 3)
]
CONSUMED = Consumed(
    service="relations", source="/wallet/cell-0", topic="wallet.quota", key="A", last=3
)


def test_a_drained_outbox_passes() -> None:
    assert drained(TOLD, PUBLISHED, [CONSUMED]) == []
    assert drained([], [], []) == []
    assert ordered(TOLD, PUBLISHED) == []


def test_an_event_that_waits_is_found() -> None:
    waiting = [*TOLD[:2], replace(TOLD[2], published=False)]
    assert drained(waiting, PUBLISHED, [CONSUMED]) == [
        "event e3 for wallet.quota waits in the outbox"
    ]


def test_an_event_marked_published_that_kafka_lacks_is_found() -> None:
    assert drained(TOLD, PUBLISHED[:2], [replace(CONSUMED, last=2)]) == [
        "event e3 is marked published, wallet.quota lacks it"
    ]
    elsewhere = [*PUBLISHED[:2], replace(PUBLISHED[2], topic="wallet.payment")]
    assert drained(TOLD, elsewhere, [replace(CONSUMED, last=2)]) != []


@pytest.mark.parametrize("last", [0, 2, 4])
def test_a_consumer_that_is_not_at_the_end_is_found(last: int) -> None:
    assert len(drained(TOLD, PUBLISHED, [replace(CONSUMED, last=last)])) == 1


def test_a_key_that_a_reader_never_heard_of_is_found() -> None:
    other = replace(PUBLISHED[0], key="B", event_id="x")
    found = drained(TOLD, [*PUBLISHED, other], [CONSUMED])
    assert found == ["relations has consumed 0 of 1 of wallet.quota key B"]
    parked = {("relations", "wallet.quota", "B")}
    assert drained(TOLD, [*PUBLISHED, other], [CONSUMED], parked) == []


def test_a_service_of_two_cells_has_come_as_far_as_the_farther_one() -> None:
    assert drained(TOLD, PUBLISHED, [replace(CONSUMED, last=1), CONSUMED]) == []


def test_records_delivered_again_are_in_order() -> None:
    again = [replace(each, offset=each.offset + 10) for each in PUBLISHED]
    assert ordered(TOLD, [*PUBLISHED, *again]) == []


def test_records_without_a_sequence_are_not_counted() -> None:
    assert ordered([], [replace(PUBLISHED[1], sequence=None)]) == []


@pytest.mark.parametrize(
    ("sequences", "right"),
    [((1, 2, 3), True), ((1, 3), False), ((2, 3), False), ((1, 3, 2), False), ((2, 1), False)],
)
def test_a_gap_or_an_inversion_is_found(sequences: tuple[int, ...], right: bool) -> None:
    records = [
        replace(PUBLISHED[0], offset=n, sequence=sequence) for n, sequence in enumerate(sequences)
    ]
    assert (ordered([], records) == []) is right


def test_a_gap_in_the_outbox_is_found() -> None:
    assert ordered([TOLD[0], TOLD[2]], []) == ["the outbox has 1, 3 for wallet.quota key A"]


def test_each_source_counts_by_itself() -> None:
    cells = [replace(TOLD[0], source="cell_0"), replace(TOLD[0], source="cell_1")]
    assert ordered(cells, []) == []
    assert ordered([replace(cells[1], sequence=2), cells[0]], []) != []


def test_a_key_that_changed_its_partition_is_found() -> None:
    moved = [*PUBLISHED[:2], replace(PUBLISHED[2], partition=5)]
    assert ordered(TOLD, moved) == ["wallet.quota has key A in partitions [4, 5]"]


FREEZE = Order(order_id="F1", quota_id="Q1", kind="freeze", amount=100, state="confirmed")
DEBIT = Order(order_id="D1", quota_id="Q1", kind="debit", amount=70, state="confirmed")
SPENT = Flow(quota_id="Q1", payment_id="P1", source="available", target="spent", amount=70)
MIRRORED = Ledger(
    quotas=(Quota(quota_id="Q1", granted=100, available=30, spent=70, sharer_psn_no="S"),),
    flows=(SPENT,),
    orders=(FREEZE, DEBIT),
)


def provinces(amount: int) -> Provinces:
    frozen = (Frozen(quota_id="Q1", psn_no="S", amount=amount),)
    return Provinces(holders=frozenset({"S"}), frozen=frozen)


def test_a_province_that_has_frozen_as_much_passes() -> None:
    assert mirrored(MIRRORED, provinces(30)) == []
    assert mirrored(Ledger(), Provinces()) == []


@pytest.mark.parametrize("amount", [0, 29, 31, 100])
def test_a_province_that_has_frozen_more_or_less_is_found(amount: int) -> None:
    assert len(mirrored(MIRRORED, provinces(amount))) == 1


def test_unanswered_orders_widen_the_bound_upwards_only() -> None:
    under_way = replace(MIRRORED, orders=(FREEZE, replace(DEBIT, state="sent")))
    assert mirrored(under_way, provinces(30)) == []
    assert mirrored(under_way, provinces(100)) == []
    assert mirrored(under_way, provinces(101)) != []
    assert mirrored(under_way, provinces(29)) != []


def test_a_province_that_somebody_else_plays_is_not_judged() -> None:
    assert mirrored(MIRRORED, Provinces()) == []


def test_money_frozen_for_no_quota_is_found() -> None:
    stray = Frozen(quota_id="Q9", psn_no="S", amount=5)
    extra = Provinces(holders=frozenset({"S"}), frozen=(*provinces(30).frozen, stray))
    assert mirrored(MIRRORED, extra) == [
        "a province has frozen 5 for quota Q9, which no wallet knows"
    ]


def test_a_grant_that_no_province_confirmed_is_found() -> None:
    unconfirmed = replace(MIRRORED, orders=(replace(FREEZE, state="refused"), DEBIT))
    assert len(mirrored(unconfirmed, provinces(30))) == 1


def test_spending_that_no_province_was_told_of_is_found() -> None:
    assert len(mirrored(replace(MIRRORED, orders=(FREEZE,)), provinces(30))) == 1
