"""Reversals by key on real PostgreSQL: after, before and together with what they undo (R23)."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from contracts import events
from contracts.commands import Capture, Refund, Release, Reverse
from contracts.internal import institution_caller
from kit.answers import Answer
from kit.work import Job, Outcome
from tests.conftest import MigratedDatabase
from tests.support.bills import bill_of
from tests.support.wallets import (
    HOSPITAL,
    Purse,
    body_of,
    code_of,
    hold_of,
    job_of,
    payment_of,
    purse_on,
    race,
)
from wallet.domain.commands import RecordOrderAnswer
from wallet.domain.orders import OrderKind

pytestmark = pytest.mark.rule("R23")


@pytest.fixture
def dsn(migrated_database: MigratedDatabase) -> str:
    return migrated_database("wallet")


@pytest.fixture
async def purse(dsn: str) -> AsyncIterator[Purse]:
    async with purse_on(dsn) as one:
        yield one
        await one.audited()


def asked(command: Any, me: UUID, key: str) -> Job:
    """What the hospital asks under a key."""
    job = job_of(command, me, key)
    assert job.receipt is not None
    return replace(job, receipt=replace(job.receipt, caller=institution_caller(HOSPITAL)))


async def ask(purse: Purse, command: Any, me: UUID, key: str) -> Outcome:
    [outcome] = await purse.cells.doors[0].perform([asked(command, me, key)])
    return outcome


def pay_of(me: UUID, amount: int) -> Any:
    return payment_of(me, amount, institution=HOSPITAL)


def reverse_of(me: UUID, key: str, institution: str = HOSPITAL) -> Reverse:
    return Reverse(person_id=me, institution=institution, original_key=key)


async def reversal(purse: Purse, me: UUID, key: str) -> str:
    """The outcome of a reversal under a fresh key, or its refusal."""
    said = await ask(purse, reverse_of(me, key), me, str(uuid4()))
    return code_of(said) if code_of(said) != "200" else body_of(said)["outcome"]


async def books(purse: Purse, me: UUID) -> list[tuple[int, int, int, int]]:
    return [
        (quota["available"], quota["held"], quota["spent"], quota["restoring"])
        for quota in await purse.quotas(me)
    ]


async def told(purse: Purse, kind: type[events.Told]) -> list[dict[str, Any]]:
    rows = await purse.cells.pools[0].fetch(
        "SELECT data FROM outbox WHERE type = $1 ORDER BY position", kind.TYPE
    )
    for row in rows:
        kind.model_validate_json(row["data"])
    return [orjson.loads(row["data"]) for row in rows]


async def credited(purse: Purse, me: UUID) -> None:
    """Provinces carry out every credit that they were told of."""
    for order in await told(purse, events.CreditOrdered):
        answer = RecordOrderAnswer(
            province="440000", order_id=UUID(order["order_id"]), kind=OrderKind.CREDIT
        )
        assert code_of(await purse.do(answer, me)) == "200"


async def state(purse: Purse, me: UUID) -> str:
    found: str = await purse.pool_of(me).fetchval("SELECT state FROM payment")
    return found


async def test_a_payment_is_reversed_less_what_was_refunded(purse: Purse) -> None:
    me = await purse.person()
    await purse.granted(me, 5_000)
    paid = body_of(await ask(purse, pay_of(me, 1_000), me, "pay"))
    payment_id = UUID(paid["payment_id"])
    refund = Refund(payment_id=payment_id, institution=HOSPITAL, amount_fen=300, reason="too much")
    assert code_of(await ask(purse, refund, me, "refund")) == "201"
    said = body_of(await ask(purse, reverse_of(me, "pay"), me, "reverse"))
    assert said == {"outcome": "reversed", "payment_id": str(payment_id)}
    assert await state(purse, me) == "reversed"
    assert await books(purse, me) == [(4_000, 0, 0, 1_000)]
    [fact] = await told(purse, events.PaymentReversed)
    assert (fact["amount_fen"], fact["reverses"]) == (700, "capture")
    assert fact["receipt"]["acct_mulaid_pay_fen"] == 0
    await credited(purse, me)
    assert await books(purse, me) == [(5_000, 0, 0, 0)]
    assert code_of(await ask(purse, refund, me, "more")) == "payment-not-captured"
    assert await reversal(purse, me, "refund") == "reversal-not-possible"


async def test_a_key_is_reversed_once(purse: Purse) -> None:
    me = await purse.person()
    await purse.granted(me, 5_000)
    await ask(purse, pay_of(me, 1_000), me, "pay")
    first = await ask(purse, reverse_of(me, "pay"), me, "r1")
    again = await ask(purse, reverse_of(me, "pay"), me, "r1")
    assert isinstance(first, Answer)
    assert isinstance(again, Answer)
    assert (again.body, again.replayed) == (first.body, True)
    assert await reversal(purse, me, "pay") == "already_reversed"
    assert await books(purse, me) == [(4_000, 0, 0, 1_000)]


async def test_a_hold_is_released_by_its_key(purse: Purse) -> None:
    me = await purse.person()
    await purse.granted(me, 5_000)
    await ask(purse, hold_of(me, 1_000), me, "hold")
    assert await reversal(purse, me, "hold") == "reversed"
    assert (await state(purse, me), await books(purse, me)) == ("released", [(5_000, 0, 0, 0)])
    assert await reversal(purse, me, "hold") == "already_reversed"
    assert len(await told(purse, events.PaymentReleased)) == 1


@pytest.mark.parametrize("key", ["hold", "capture"])
async def test_a_captured_hold_is_reversed_by_either_key(purse: Purse, key: str) -> None:
    me = await purse.person()
    await purse.granted(me, 5_000)
    held = body_of(await ask(purse, hold_of(me, 1_000), me, "hold"))
    capture = Capture(payment_id=UUID(held["payment_id"]), institution=HOSPITAL, amount_fen=600)
    await ask(purse, capture, me, "capture")
    assert await reversal(purse, me, key) == "reversed"
    assert await books(purse, me) == [(4_400, 0, 0, 600)]
    assert {await reversal(purse, me, each) for each in ("hold", "capture")} == {"already_reversed"}


async def test_what_arrives_after_its_reversal_is_refused(purse: Purse) -> None:
    me = await purse.person()
    await purse.granted(me, 5_000)
    for _ in range(2):
        assert await reversal(purse, me, "late") == "tombstoned"
    for command in (pay_of(me, 1_000), hold_of(me, 7)):
        for _ in range(2):
            said = await ask(purse, command, me, "late")
            assert code_of(said) == "reversed-before-arrival"
            assert body_of(said)["instance"] == "/v1/payments"
    assert await books(purse, me) == [(5_000, 0, 0, 0)]
    # Another institution's key of the same name is another key.
    assert code_of(await purse.do(payment_of(me, 10), me, "late")) == "201"
    nobodys = reverse_of(me, "late", institution="H65900200002")
    assert body_of(await purse.do(nobodys, me, "x"))["outcome"] == "tombstoned"


async def test_a_refused_request_leaves_nothing_to_reverse(purse: Purse) -> None:
    me = await purse.person()
    await purse.granted(me, 500)
    pay = pay_of(me, 1_000)
    assert code_of(await ask(purse, pay, me, "k")) == "quota-insufficient"
    assert await reversal(purse, me, "k") == "nothing_to_reverse"
    assert code_of(await ask(purse, pay, me, "k")) == "quota-insufficient"


async def test_a_release_and_a_reversal_cannot_be_reversed(purse: Purse) -> None:
    me = await purse.person()
    await purse.granted(me, 5_000)
    held = body_of(await ask(purse, hold_of(me, 1_000), me, "hold"))
    await ask(
        purse, Release(payment_id=UUID(held["payment_id"]), institution=HOSPITAL), me, "release"
    )
    assert await reversal(purse, me, "hold") == "nothing_to_reverse"
    await ask(purse, reverse_of(me, "hold"), me, "reverse")
    for key in ("release", "reverse"):
        assert await reversal(purse, me, key) == "reversal-not-possible"


async def test_a_refund_is_charged_again_once_it_is_back(purse: Purse) -> None:
    me = await purse.person()
    await purse.granted(me, 600, age_days=9)
    await purse.granted(me, 400, age_days=1)
    paid = body_of(await ask(purse, pay_of(me, 1_000), me, "pay"))
    refund = Refund(
        payment_id=UUID(paid["payment_id"]),
        institution=HOSPITAL,
        amount_fen=1_000,
        bill_after=bill_of(1),
        reason="wrong patient",
    )
    assert body_of(await ask(purse, refund, me, "refund"))["state"] == "refunded"
    assert await reversal(purse, me, "pay") == "nothing_to_reverse"
    early = await ask(purse, reverse_of(me, "refund"), me, "r")
    assert code_of(early) == "reversal-not-possible"
    assert body_of(early)["retryable"] is True
    await credited(purse, me)
    assert body_of(await ask(purse, reverse_of(me, "refund"), me, "r"))["outcome"] == "reversed"
    assert await state(purse, me) == "captured"
    assert await books(purse, me) == [(0, 0, 600, 0), (0, 0, 400, 0)]
    assert [each["reverses"] for each in await told(purse, events.PaymentReversed)] == ["refund"]
    assert len(await told(purse, events.DebitOrdered)) == 4
    assert await purse.pool_of(me).fetchval("SELECT psn_part FROM payment") == 1_000
    assert await reversal(purse, me, "refund") == "already_reversed"
    # The payment stands again, and can be reversed as a whole.
    assert await reversal(purse, me, "pay") == "reversed"
    assert await books(purse, me) == [(0, 0, 0, 600), (0, 0, 0, 400)]


@pytest.mark.parametrize("since", ["spent", "ended"])
async def test_a_refund_whose_money_is_gone_cannot_be_reversed(purse: Purse, since: str) -> None:
    me = await purse.person()
    relation = await purse.granted(me, 1_000)
    paid = body_of(await ask(purse, pay_of(me, 1_000), me, "pay"))
    refund = Refund(
        payment_id=UUID(paid["payment_id"]), institution=HOSPITAL, amount_fen=400, reason="x"
    )
    await ask(purse, refund, me, "refund")
    await credited(purse, me)
    if since == "spent":
        await ask(purse, pay_of(me, 1), me, "other")
    else:
        await purse.ended(relation)
    said = await ask(purse, reverse_of(me, "refund"), me, "r")
    assert (code_of(said), body_of(said)["retryable"]) == ("reversal-not-possible", False)


async def test_a_refund_of_which_a_part_is_gone_is_not_waited_for(purse: Purse) -> None:
    """What one relation had given comes back; what the other had given never will."""
    me = await purse.person()
    await purse.granted(me, 500, age_days=9)
    gone = await purse.granted(me, 500, age_days=1)
    paid = body_of(await ask(purse, pay_of(me, 1_000), me, "pay"))
    refund = Refund(
        payment_id=UUID(paid["payment_id"]), institution=HOSPITAL, amount_fen=1_000, reason="x"
    )
    await ask(purse, refund, me, "refund")
    await purse.ended(gone)
    said = await ask(purse, reverse_of(me, "refund"), me, "r")
    assert (code_of(said), body_of(said)["retryable"]) == ("reversal-not-possible", False)


async def test_refunds_are_reversed_in_any_order_to_the_bill_before_them(purse: Purse) -> None:
    me = await purse.person()
    await purse.granted(me, 5_000)
    paid = body_of(await ask(purse, pay_of(me, 1_000), me, "pay"))
    for key, bill_after in (("first", bill_of(950)), ("second", bill_of(920))):
        refund = Refund(
            payment_id=UUID(paid["payment_id"]),
            institution=HOSPITAL,
            amount_fen=100,
            bill_after=bill_after,
            reason="x",
        )
        assert code_of(await ask(purse, refund, me, key)) == "201"
    await credited(purse, me)
    # The second one's bill still counts: 920 bear 900, and not 1 000.
    assert await reversal(purse, me, "first") == "reversed"
    assert await purse.pool_of(me).fetchval("SELECT psn_part FROM payment") == 920
    assert await reversal(purse, me, "second") == "reversed"
    assert await purse.pool_of(me).fetchval("SELECT psn_part FROM payment") == 1_000


async def test_original_and_reversal_at_once_have_one_outcome(dsn: str) -> None:
    """Whoever comes first, the money is not spent in the end; no key is answered in two ways."""
    async with purse_on(dsn, size=12) as one, purse_on(dsn, size=12) as two:
        seen = Counter[tuple[str, str]]()
        for _ in range(6):
            me = await one.person()
            await one.granted(me, 5_000)
            pay, undo = asked(pay_of(me, 1_000), me, "k"), reverse_of(me, "k")
            jobs = [asked(undo, me, "r"), pay, pay, asked(undo, me, "r"), pay, asked(undo, me, "s")]
            outcomes = await race([one, two], me, jobs)
            payments = {code_of(outcomes[n]) for n in (1, 2, 4)}
            undone = {body_of(outcomes[n])["outcome"] for n in (0, 3)}
            assert len(payments) == len(undone) == 1
            seen[payments.pop(), undone.pop()] += 1
            assert [quota[2] for quota in await books(one, me)] == [0]
        assert set(seen) <= {
            ("201", "reversed"),
            ("201", "already_reversed"),
            ("reversed-before-arrival", "tombstoned"),
        }
        await one.audited()


@pytest.mark.parametrize("first", ["original", "reversal"])
async def test_original_and_reversal_in_one_batch(purse: Purse, first: str) -> None:
    me = await purse.person()
    await purse.granted(me, 5_000)
    jobs = [asked(pay_of(me, 1_000), me, "k"), asked(reverse_of(me, "k"), me, "r")]
    if first == "reversal":
        jobs.reverse()
    outcomes = await purse.cells.doors[0].perform(jobs)
    if first == "reversal":
        outcomes.reverse()
    said = code_of(outcomes[0]), body_of(outcomes[1])["outcome"]
    assert (
        said
        == {
            "original": ("201", "reversed"),
            "reversal": ("reversed-before-arrival", "tombstoned"),
        }[first]
    )
