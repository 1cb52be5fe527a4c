"""What of a wallet is shown, and to whom: what may be spent now, never to a stranger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import orjson
import pytest

from contracts.commands import OpenWallet, PersonSnapshot
from contracts.refusals import ConsentRequired
from contracts.vocabulary import QuotaState
from kit.answers import Answer
from tests.support.wallet_rules import ME, books_with, quota, refusal_of
from wallet.domain.books import Quota
from wallet.domain.open_wallet import open_wallet
from wallet.domain.views import wallet_view

SNAPSHOT = PersonSnapshot(
    person_id=ME, version=1, psn_no="1", pool_admdvs="659002", insutype="390", insured=True
)
ENDED = replace(quota(0), state=QuotaState.ENDED, granted=100, spent=30, returned=70)


@pytest.mark.rule("R5")
@pytest.mark.parametrize(
    ("received", "available_fen", "received_fen"),
    [
        ([], 0, 0),
        ([quota(100), quota(23)], 123, 123),
        ([quota(100), replace(quota(23), suspended=True)], 100, 123),
        ([replace(quota(100), suspended=True)], 0, 100),
        ([ENDED, quota(5)], 5, 35),
    ],
)
def test_available_is_what_may_be_spent_now(
    received: Sequence[Quota], available_fen: int, received_fen: int
) -> None:
    view = wallet_view(ME, books_with().wallets[ME], received)
    assert (view["available_fen"], view["received_fen"]) == (available_fen, received_fen)


@pytest.mark.rule("R13")
@pytest.mark.parametrize(
    ("opened", "received", "given_fen", "may_look", "answered"),
    [
        (False, [], 0, False, 201),
        (True, [], 0, False, 200),
        (True, [quota(100)], 0, True, 200),
        (True, [quota(100)], 0, False, None),
        (True, [ENDED], 0, False, None),
        (True, [], 5, False, None),
    ],
)
def test_what_relatives_share_is_not_shown_to_whoever_knows_a_childs_number(
    opened: bool, received: Sequence[Quota], given_fen: int, may_look: bool, answered: int | None
) -> None:
    books = books_with(*received, opened=opened)
    asked = OpenWallet(person=SNAPSHOT, given_fen=given_fen, may_look=may_look)
    decision = open_wallet(books, asked)
    if answered is None:
        assert refusal_of(decision) is ConsentRequired
        return
    assert isinstance(decision.answer, Answer)
    assert decision.answer.status == answered
    assert orjson.loads(decision.answer.body)["open"] is True
