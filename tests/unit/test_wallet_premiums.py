"""The rules of premiums as pure functions: who may, from which quotas, and what an answer does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.commands import PayPremium
from contracts.refusals import AreaNotOpen, QuotaInsufficient, RelationNotActive, WalletNotOpen
from contracts.vocabulary import PaymentState, QuotaState
from kit.refusal import NotFound, Refusal, WrongState
from tests.support.wallet_rules import ME, NOW, Everywhere, books_with, quota, refusal_of
from wallet.domain.books import Books
from wallet.domain.commands import AskPremiumAgain, RecordPremiumAnswer
from wallet.domain.decisions import Decision
from wallet.domain.patience import Insistence
from wallet.domain.pay_premium import pay_premium
from wallet.domain.premium import Premiums, PremiumState
from wallet.domain.record_premium_answer import NEWS, SAID_BEFORE, ask_again, record_premium_answer

pytestmark = pytest.mark.rule("R10")

WAITS = Insistence()
SAID = (PremiumState.ACCEPTED, PremiumState.REFUSED, PremiumState.REFUNDED)


def premium_of(amount: int, **changes: Any) -> PayPremium:
    told = {"insutype": "410", "year": 2027, "levy_no": "L", "amount_fen": amount}
    return PayPremium.model_validate({"person_id": ME, "entitled": True, **told, **changes})


def asked(books: Books, premiums: Premiums, amount: int) -> UUID:
    """A premium that stands in the books as if it had been read from disk."""
    decision = pay_premium(books, premiums, premium_of(amount), Everywhere(), WAITS)
    assert decision.payment is not None
    books.payments[decision.payment.payment_id] = decision.payment
    return decision.payment.payment_id


def said(payment_id: UUID, what: PremiumState, **changes: Any) -> RecordPremiumAnswer:
    given: dict[str, Any] = {"province": "650000", "levy_no": "L", "reason": None}
    return RecordPremiumAnswer(payment_id=payment_id, said=what, **(given | changes))


def test_the_wallet_and_every_area_have_to_be_open() -> None:
    def decided(books: Books, *closed: str) -> Decision:
        return pay_premium(books, Premiums(known={}), premium_of(100), Everywhere(*closed), WAITS)

    assert refusal_of(decided(books_with(quota(100), opened=False))) is WalletNotOpen
    assert refusal_of(decided(books_with(quota(100)), "659002")) is AreaNotOpen
    assert refusal_of(decided(books_with(quota(100)), "440300")) is QuotaInsufficient
    assert not isinstance(decided(books_with(quota(100))).answer, Refusal)


def test_who_does_not_share_any_more_is_refused() -> None:
    books, asked_by_nobody = books_with(quota(100)), premium_of(100, entitled=False)
    decision = pay_premium(books, Premiums(known={}), asked_by_nobody, Everywhere(), WAITS)
    assert refusal_of(decision) is RelationNotActive


@pytest.mark.parametrize(
    ("suspended", "ended", "insured", "gives"),
    [
        # of the quota         the person
        (False, False, True, True),
        (False, False, False, True),
        (True, False, True, False),
        (True, False, False, True),
        (False, True, False, False),
    ],
)
def test_an_open_levy_is_enough(suspended: bool, ended: bool, insured: bool, gives: bool) -> None:
    if ended:
        one = replace(quota(100), state=QuotaState.ENDED, available=0, returned=100)
    else:
        one = replace(quota(100), suspended=suspended)
    books = books_with(one, insured=insured)
    decision = pay_premium(books, Premiums(known={}), premium_of(100), Everywhere(), WAITS)
    assert isinstance(decision.answer, Refusal) is not gives


@given(
    available=st.lists(st.integers(1, 500), min_size=1, max_size=4),
    share=st.integers(1, 100),
    ended=st.lists(st.booleans(), min_size=4, max_size=4),
    answers=st.lists(st.sampled_from(SAID), max_size=6),
)
def test_no_fen_is_lost_whatever_the_fund_says(
    available: Sequence[int],
    share: int,
    ended: Sequence[bool],
    answers: Sequence[PremiumState],
) -> None:
    books = books_with(*(quota(has, age_days=9 - n) for n, has in enumerate(available)))
    amount = max(1, sum(available) * share // 100)
    premiums = Premiums(known={})
    payment_id = asked(books, premiums, amount)
    for each, is_over in zip(list(books.quotas.values()), ended, strict=False):
        if is_over:
            back = replace(
                each, state=QuotaState.ENDED, available=0, returned=each.returned + each.available
            )
            books.quotas[each.quota_id] = back
    state = PremiumState.ASKED
    for what in answers:
        decision = record_premium_answer(books, premiums, said(payment_id, what))
        if what in NEWS[state]:
            state = what
            assert sum(entry.amount for entry in decision.entries) == amount
        else:
            assert decision.entries == ()
            assert isinstance(decision.answer, WrongState) is (what not in SAID_BEFORE[state])
    assert premiums.known[payment_id].state is state
    quotas = books.quotas.values()
    payment = books.payments[payment_id]
    assert sum(each.held for each in quotas) == (amount if payment.state == "held" else 0)
    assert sum(each.spent for each in quotas) == payment.charged
    assert (payment.state is PaymentState.CAPTURED) is (state is PremiumState.ACCEPTED)


@pytest.mark.parametrize(
    "changes", [{"province": "440000"}, {"levy_no": "M"}, {"payment_id": UUID(int=9)}], ids=str
)
def test_nobody_answers_for_the_levys_own_fund(changes: dict[str, Any]) -> None:
    books, premiums = books_with(quota(100)), Premiums(known={})
    payment_id = asked(books, premiums, 100)
    answer = replace(said(payment_id, PremiumState.ACCEPTED), **changes)
    assert refusal_of(record_premium_answer(books, premiums, answer)) is NotFound


def test_a_fund_is_asked_ever_more_seldom_and_never_given_up() -> None:
    waits = [WAITS.after(times).total_seconds() for times in range(1, 12)]
    assert waits[:4] == [10, 20, 40, 80]
    assert waits == sorted(waits)
    assert WAITS.after(10**6) == timedelta(hours=1)


def test_how_long_is_a_setting() -> None:
    waits = Insistence(first_seconds=4, longest_seconds=10)
    assert [waits.after(times).total_seconds() for times in range(1, 5)] == [4, 8, 10, 10]
    decision = pay_premium(
        books_with(quota(100)), premiums := Premiums(known={}), premium_of(100), Everywhere(), waits
    )
    assert decision.payment is not None
    [premium] = premiums.new
    assert premium.ask_again_at == NOW + timedelta(seconds=4)


def test_a_question_is_asked_again_once() -> None:
    books, premiums = books_with(quota(100)), Premiums(known={})
    payment_id = asked(books, premiums, 100)
    again = AskPremiumAgain(payment_id=payment_id, times=1)
    assert ask_again(books, premiums, again, WAITS).events == (), "it is too early"
    books.moment = replace(books.moment, now=NOW + timedelta(seconds=10))
    assert len(ask_again(books, premiums, again, WAITS).events) == 1
    assert ask_again(books, premiums, again, WAITS).events == (), "two processes saw the same"
    assert ask_again(books, premiums, replace(again, payment_id=uuid4()), WAITS).events == ()
