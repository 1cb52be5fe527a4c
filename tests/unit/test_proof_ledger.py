"""I1-I5 each pass on clean rows and catch a planted violation."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proof.answers import doubled, lost
from proof.ledger import conservation, overdraft, recomputed
from proof.rows import Allocation, Exchange, Flow, Ledger, Payment, Quota, Receipt

BODY = json.dumps({"payment_id": "P1", "amount_fen": 70})
GRANT = Flow(quota_id="Q1", payment_id=None, source="province", target="available", amount=100)
SPEND = Flow(quota_id="Q1", payment_id="P1", source="available", target="spent", amount=70)
QUOTA = Quota(quota_id="Q1", granted=100, available=30, spent=70)
PAID = Receipt(caller="H1", scope="A", key="k1", status=201, body=BODY)
TOLD = Exchange(caller="H1", key="k1", status=201, body=BODY)

CLEAN = Ledger(
    quotas=(QUOTA,),
    flows=(GRANT, SPEND),
    payments=(Payment(payment_id="P1", amount=70, captured=70),),
    allocations=(Allocation(payment_id="P1", quota_id="Q1", amount=70),),
    receipts=(
        PAID,
        Receipt(caller="H1", scope="A", key="k2", status=422, body='{"code":"quota-insufficient"}'),
        Receipt(caller="C1", scope="A", key="k3", status=202, body='{"quota_id":"Q1"}'),
    ),
)


@pytest.mark.parametrize("checker", [lost, doubled, conservation, overdraft, recomputed])
@pytest.mark.parametrize("ledger", [CLEAN, Ledger()])
def test_clean_books_pass(checker: Callable[[Ledger], list[str]], ledger: Ledger) -> None:
    assert checker(ledger) == []


def test_a_lost_payment_is_found() -> None:
    gone = replace(CLEAN, payments=())
    assert lost(gone) == ["payment P1 was answered to H1 and is gone"]


def test_an_answer_that_nothing_kept_is_found() -> None:
    assert lost(CLEAN, [TOLD]) == []
    assert lost(replace(CLEAN, receipts=()), [TOLD]) != []
    assert lost(CLEAN, [replace(TOLD, body=BODY + " ")]) != []
    assert lost(CLEAN, [replace(TOLD, key="k9", status=503)]) == []


def test_two_effects_of_one_key_are_found() -> None:
    second = Payment(payment_id="P2", amount=70, captured=70)
    assert doubled(replace(CLEAN, payments=(*CLEAN.payments, second))) == [
        "payment P2 was made and no key asked for it"
    ]


def test_one_effect_under_two_keys_is_found() -> None:
    again = replace(PAID, key="k9")
    assert doubled(replace(CLEAN, receipts=(*CLEAN.receipts, again))) == [
        "payment P1 was made under 2 keys"
    ]


def test_a_replay_that_differs_is_found() -> None:
    replay = replace(TOLD, replayed=True)
    assert doubled(CLEAN, [TOLD, replay, replace(TOLD, status=409, body="{}")]) == []
    assert doubled(CLEAN, [TOLD, replace(replay, body=BODY + " ")]) != []
    assert doubled(CLEAN, [TOLD, replace(replay, status=200)]) != []
    assert doubled(CLEAN, [TOLD, TOLD]) == ["key k1 was answered afresh 2 times"]


@pytest.mark.parametrize("book", ["granted", "available", "held", "spent", "restoring", "returned"])
def test_a_book_that_is_one_fen_off_breaks_conservation_and_its_entries(book: str) -> None:
    change: dict[str, Any] = {book: QUOTA.book(book) + 1}
    off = replace(CLEAN, quotas=(replace(QUOTA, **change),))
    assert len(conservation(off)) == 1
    assert len(recomputed(off)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"allocations": ()},
        {"allocations": (Allocation(payment_id="P1", quota_id="Q1", amount=69),)},
        {"allocations": (Allocation(payment_id="P1", quota_id="Q2", amount=70),)},
        {"payments": (Payment(payment_id="P1", amount=70, captured=69),)},
        {"payments": ()},
        {"flows": (GRANT,)},
        {"flows": (GRANT, SPEND, replace(SPEND, payment_id="P2"))},
    ],
)
def test_a_payment_that_is_not_what_quotas_gave_is_found(change: dict[str, Any]) -> None:
    assert conservation(replace(CLEAN, **change))


def test_an_overdrawn_book_is_found() -> None:
    overdrawn = replace(QUOTA, available=-5, spent=105)
    assert overdraft(replace(CLEAN, quotas=(overdrawn,))) == ["quota Q1 has -5 in available"]


def test_a_hold_that_resolves_twice_is_found() -> None:
    hold = Flow(quota_id="Q1", payment_id="P1", source="available", target="held", amount=70)
    capture = Flow(quota_id="Q1", payment_id="P1", source="held", target="spent", amount=70)
    release = Flow(quota_id="Q1", payment_id="P1", source="held", target="available", amount=1)
    assert overdraft(replace(CLEAN, flows=(GRANT, hold, capture))) == []
    assert len(overdraft(replace(CLEAN, flows=(GRANT, hold, capture, release)))) == 1


def test_entries_without_a_quota_are_found() -> None:
    stray = replace(GRANT, quota_id="Q9")
    assert recomputed(replace(CLEAN, flows=(*CLEAN.flows, stray))) == [
        "entries move money of quota Q9, which does not exist"
    ]


BOOK = st.sampled_from(["available", "held", "spent", "restoring", "returned"])
MOVES = st.lists(st.tuples(BOOK, BOOK, st.integers(1, 50)).filter(lambda move: move[0] != move[1]))


@given(grants=st.lists(st.integers(1, 1_000), min_size=1), moves=MOVES)
def test_books_kept_by_entries_always_balance(
    grants: list[int], moves: list[tuple[str, str, int]]
) -> None:
    books: dict[str, Any] = dict.fromkeys(
        ["available", "held", "spent", "restoring", "returned"], 0
    )
    flows = [replace(GRANT, amount=amount) for amount in grants]
    books["available"] = sum(grants)
    for source, target, amount in moves:
        if books[source] >= amount:
            books[source] -= amount
            books[target] += amount
            flows.append(
                Flow(quota_id="Q1", payment_id=None, source=source, target=target, amount=amount)
            )
    quota = Quota(quota_id="Q1", granted=sum(grants), **books)
    ledger = Ledger(quotas=(quota,), flows=tuple(flows))
    assert conservation(ledger) == overdraft(ledger) == recomputed(ledger) == []
