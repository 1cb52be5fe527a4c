"""Holds on real PostgreSQL: what is written and told, expiry by the database's clock, and races."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from contracts import events
from contracts.commands import Capture, Extend, Release
from contracts.vocabulary import InstitutionKind, Purpose
from kit.answers import Answer
from kit.perform import Door
from kit.work import Broken, Outcome
from tests.conftest import MigratedDatabase
from tests.support.bills import bill_of
from tests.support.doors import NoLock
from tests.support.wallets import (
    HOSPITAL,
    Purse,
    body_of,
    code_of,
    hold_of,
    job_of,
    purse_on,
    race,
)
from wallet.domain.commands import ExpireHold
from wallet.edge.sweeps import expire_due


@pytest.fixture
def dsn(migrated_database: MigratedDatabase) -> str:
    return migrated_database("wallet")


@pytest.fixture
async def purse(dsn: str) -> AsyncIterator[Purse]:
    async with purse_on(dsn) as one:
        yield one
        await one.audited()


def capture_of(payment_id: UUID, amount: int, **changes: Any) -> Capture:
    given = {"payment_id": payment_id, "institution": HOSPITAL, "amount_fen": amount}
    return Capture.model_validate(given | changes)


def release_of(payment_id: UUID) -> Release:
    return Release(payment_id=payment_id, institution=HOSPITAL)


def extend_of(payment_id: UUID, seconds: int) -> Extend:
    return Extend(payment_id=payment_id, institution=HOSPITAL, hold_seconds=seconds)


async def held(purse: Purse, me: UUID, amount: int, **changes: Any) -> UUID:
    """A hold; the id of its payment."""
    return UUID(
        body_of(await purse.do(hold_of(me, amount, **changes), me, str(uuid4())))["payment_id"]
    )


async def overdue(purse: Purse, me: UUID, amount: int) -> UUID:
    """A hold whose deadline has passed by the clock of the database, and nobody has swept it."""
    payment_id = await held(purse, me, amount, hold_seconds=1)
    await asleep_until_overdue(purse, me, payment_id)
    return payment_id


async def asleep_until_overdue(
    purse: Purse, me: UUID, payment_id: UUID, early_seconds: float = 0.0
) -> datetime:
    """Let the database sleep until a hold's deadline, or until shortly before; the deadline."""
    row = await purse.pool_of(me).fetchrow(
        """
        SELECT expires_at, pg_sleep(
            extract(epoch FROM expires_at - clock_timestamp())::double precision - $2
        )
        FROM payment WHERE payment_id = $1
        """,
        payment_id,
        early_seconds,
    )
    assert row is not None
    deadline: datetime = row["expires_at"]
    return deadline


async def books(purse: Purse, me: UUID) -> list[tuple[int, int, int, int]]:
    return [
        (quota["available"], quota["held"], quota["spent"], quota["returned"])
        for quota in await purse.quotas(me)
    ]


async def state_of(purse: Purse, payment_id: UUID, me: UUID) -> str:
    state: str = await purse.pool_of(me).fetchval(
        "SELECT state FROM payment WHERE payment_id = $1", payment_id
    )
    return state


async def told(purse: Purse, kind: type[events.Told]) -> list[dict[str, Any]]:
    """Bodies of this kind in the outbox, each of which its model reads."""
    rows = await purse.cells.pools[0].fetch(
        "SELECT data FROM outbox WHERE type = $1 ORDER BY position", kind.TYPE
    )
    for row in rows:
        kind.model_validate_json(row["data"])
    return [orjson.loads(row["data"]) for row in rows]


async def test_a_hold_sets_money_of_two_sharers_aside(purse: Purse) -> None:
    me = await purse.person()
    await purse.granted(me, 3_000, age_days=9)
    await purse.granted(me, 5_000, "110000", age_days=1)
    given = body_of(await purse.do(hold_of(me, 4_000, admission_id="A-7"), me, "k"))
    assert (given["state"], given["amount_fen"], given["captured_fen"]) == ("held", 4_000, 0)
    assert given["admission_id"] == "A-7"
    assert given["captured_at"] is None
    lives = datetime.fromisoformat(given["expires_at"]) - datetime.fromisoformat(given["held_at"])
    assert lives.total_seconds() == 86_400
    assert await books(purse, me) == [(0, 3_000, 0, 0), (4_000, 1_000, 0, 0)]
    [fact] = await told(purse, events.PaymentHeld)
    assert fact["amount_fen"] == 4_000
    assert [each["held_fen"] for each in fact["balances"]] == [3_000, 1_000]
    assert await told(purse, events.DebitOrdered) == []


@pytest.mark.rule("R12")
async def test_a_smaller_capture_frees_the_last_sharer_first(purse: Purse) -> None:
    me = await purse.person()
    await purse.granted(me, 3_000, age_days=9)
    await purse.granted(me, 5_000, "110000", age_days=1)
    payment_id = await held(purse, me, 4_000)
    given = body_of(await purse.do(capture_of(payment_id, 2_500), me, "k"))
    assert (given["state"], given["amount_fen"], given["captured_fen"]) == (
        "captured",
        4_000,
        2_500,
    )
    assert [each["amount_fen"] for each in given["allocations"]] == [2_500]
    assert given["receipt"]["acct_mulaid_pay_fen"] == 2_500
    assert await books(purse, me) == [(500, 0, 2_500, 0), (5_000, 0, 0, 0)]
    [fact] = await told(purse, events.PaymentCaptured)
    assert fact["amount_fen"] == sum(each["amount_fen"] for each in fact["allocations"]) == 2_500
    assert [each["available_fen"] for each in fact["balances"]] == [500, 5_000]
    assert [each["amount_fen"] for each in await told(purse, events.DebitOrdered)] == [2_500]


async def test_several_holds_share_an_admission_and_each_is_captured_once(purse: Purse) -> None:
    me = await purse.person()
    await purse.granted(me, 9_000)
    first, second = [await held(purse, me, 2_000, admission_id="A-7") for _ in range(2)]
    assert code_of(await purse.do(capture_of(first, 2_000), me)) == "200"
    assert code_of(await purse.do(capture_of(first, 1), me)) == "payment-not-held"
    assert code_of(await purse.do(release_of(second), me)) == "200"
    assert await books(purse, me) == [(7_000, 0, 2_000, 0)]
    rows = await purse.pool_of(me).fetch("SELECT admission_id, state FROM payment ORDER BY state")
    assert [tuple(row) for row in rows] == [("A-7", "captured"), ("A-7", "released")]


async def test_a_release_frees_all_of_it_once(purse: Purse) -> None:
    me = await purse.person()
    await purse.granted(me, 3_000, age_days=9)
    await purse.granted(me, 5_000, age_days=1)
    payment_id = await held(purse, me, 4_000)
    released = body_of(await purse.do(release_of(payment_id), me, "k"))
    assert (released["state"], released["captured_fen"]) == ("released", 0)
    assert await books(purse, me) == [(3_000, 0, 0, 0), (5_000, 0, 0, 0)]
    [fact] = await told(purse, events.PaymentReleased)
    assert fact["amount_fen"] == 4_000
    for command in (release_of(payment_id), capture_of(payment_id, 1), extend_of(payment_id, 9)):
        assert code_of(await purse.do(command, me)) == "payment-not-held"


async def test_what_is_anothers_or_nobodys_is_not_found(purse: Purse) -> None:
    me = await purse.person()
    await purse.granted(me, 3_000)
    payment_id = await held(purse, me, 1_000)
    for command in (
        capture_of(payment_id, 1, institution="H65900200002"),
        Release(payment_id=payment_id, institution="P65900200001"),
        Extend(payment_id=payment_id, institution="H11010000001", hold_seconds=5),
        release_of(uuid4()),
    ):
        assert code_of(await purse.do(command, me, str(uuid4()))) == "not-found"
    assert await books(purse, me) == [(2_000, 1_000, 0, 0)]


async def test_a_hold_is_over_at_its_deadline_swept_or_not(purse: Purse) -> None:
    me = await purse.person()
    await purse.granted(me, 3_000)
    payment_id = await overdue(purse, me, 1_000)
    commands = (capture_of(payment_id, 1), extend_of(payment_id, 9), release_of(payment_id))
    for command in commands:
        assert code_of(await purse.do(command, me, str(uuid4()))) == "hold-expired"
    assert await state_of(purse, payment_id, me) == "held"
    assert await expire_due(purse.cells, 0) == 1
    assert await expire_due(purse.cells, 0) == 0
    for command in commands:
        assert code_of(await purse.do(command, me, str(uuid4()))) == "hold-expired"
    assert await state_of(purse, payment_id, me) == "expired"
    assert await books(purse, me) == [(3_000, 0, 0, 0)]
    [fact] = await told(purse, events.PaymentExpired)
    assert fact["balances"][0]["available_fen"] == 3_000


async def test_a_sweep_leaves_alone_what_was_extended_after_it_looked(purse: Purse) -> None:
    me = await purse.person()
    await purse.granted(me, 3_000)
    payment_id = await held(purse, me, 1_000, hold_seconds=2)
    row = await purse.pool_of(me).fetchrow("SELECT expires_at FROM payment")
    assert row is not None
    extended = body_of(await purse.do(extend_of(payment_id, 3_600), me))
    assert datetime.fromisoformat(extended["expires_at"]) > row["expires_at"]
    late = ExpireHold(payment_id=payment_id, expires_at=row["expires_at"])
    assert code_of(await purse.do(late, me)) == "200"
    early = ExpireHold(
        payment_id=payment_id, expires_at=datetime.fromisoformat(extended["expires_at"])
    )
    assert code_of(await purse.do(early, me)) == "200"
    assert await state_of(purse, payment_id, me) == "held"


@pytest.mark.rule("R20")
@pytest.mark.rule("R11")
async def test_the_final_bill_is_checked_again_and_kept(purse: Purse) -> None:
    me = await purse.person()
    await purse.granted(me, 9_000)
    payment_id = await held(purse, me, 5_000)
    lying = bill_of(3_000).model_copy(update={"fund_pay_sumamt_fen": 1})
    small = bill_of(3_000)
    own = bill_of(3_000, own_acct_pay=500)
    for final, amount, code in (
        (lying, 3_000, "bill-does-not-add-up"),
        (small, 3_001, "exceeds-personal-burden"),
        (own, 2_501, "exceeds-personal-burden"),
        (small, 5_001, "capture-exceeds-hold"),
    ):
        command = capture_of(payment_id, amount, bill=final)
        assert code_of(await purse.do(command, me, str(uuid4()))) == code
    given = body_of(await purse.do(capture_of(payment_id, 2_500, bill=own), me))
    assert given["receipt"] == {
        "medfee_sumamt_fen": 3_000,
        "fund_pay_sumamt_fen": 0,
        "acct_pay_fen": 3_000,
        "acct_mulaid_pay_fen": 2_500,
        "psn_cash_pay_fen": 0,
    }
    row = await purse.pool_of(me).fetchrow("SELECT psn_part, own_acct_pay FROM payment")
    assert row is not None
    assert tuple(row) == (3_000, 500)


async def test_a_hold_may_take_what_there_is(purse: Purse) -> None:
    me = await purse.person()
    await purse.granted(me, 700)
    assert code_of(await purse.do(hold_of(me, 900), me, "k1")) == "quota-insufficient"
    given = body_of(await purse.do(hold_of(me, 900, partial=True), me, "k2"))
    assert (given["requested_fen"], given["amount_fen"]) == (900, 700)


@pytest.mark.parametrize(
    ("purpose", "seconds", "code"),
    [
        ("inpatient", 7_776_000, "201"),
        ("inpatient", 7_776_001, "invalid"),
        ("outpatient", 604_800, "201"),
        ("outpatient", 604_801, "invalid"),
        ("pharmacy", 86_401, "invalid"),
    ],
)
async def test_each_purpose_has_its_longest_hold(
    purse: Purse, purpose: str, seconds: int, code: str
) -> None:
    me = await purse.person()
    await purse.granted(me, 700)
    kind = InstitutionKind.PHARMACY if purpose == "pharmacy" else InstitutionKind.HOSPITAL
    command = hold_of(
        me, 100, purpose=Purpose(purpose), institution_kind=kind, hold_seconds=seconds
    )
    assert code_of(await purse.do(command, me)) == code


async def test_an_extension_ends_where_the_purpose_does(purse: Purse) -> None:
    me = await purse.person()
    await purse.granted(me, 700)
    payment_id = await held(purse, me, 100, purpose=Purpose.OUTPATIENT, hold_seconds=600)
    assert code_of(await purse.do(extend_of(payment_id, 604_801), me)) == "invalid"
    for seconds, lives in ((5, 600), (604_800, 604_800), (604_800, 604_800), (1, 604_800)):
        given = body_of(await purse.do(extend_of(payment_id, seconds), me))
        until = datetime.fromisoformat(given["expires_at"])
        assert (until - datetime.fromisoformat(given["held_at"])).total_seconds() == lives


@pytest.mark.rule("R32")
async def test_what_is_left_of_a_hold_goes_back_when_its_relation_has_ended(purse: Purse) -> None:
    me = await purse.person()
    relation = await purse.granted(me, 5_000)
    payment_id, other = await held(purse, me, 3_000), await held(purse, me, 1_000)
    await purse.ended(relation)
    assert await books(purse, me) == [(0, 4_000, 0, 1_000)]
    assert code_of(await purse.do(hold_of(me, 1), me, "k")) == "quota-insufficient"
    assert code_of(await purse.do(extend_of(payment_id, 99_999), me)) == "relation-not-active"
    assert body_of(await purse.do(capture_of(payment_id, 2_000), me))["state"] == "captured"
    assert await books(purse, me) == [(0, 1_000, 2_000, 2_000)]
    assert code_of(await purse.do(release_of(other), me)) == "200"
    assert await books(purse, me) == [(0, 0, 2_000, 3_000)]
    ordered = await told(purse, events.UnfreezeOrdered)
    assert [each["amount_fen"] for each in ordered] == [1_000, 1_000, 1_000]


async def raced(
    dsn: str, commands: Sequence[Any], *, door: type[Door] = Door
) -> tuple[list[Outcome], str, list[tuple[int, int, int, int]]]:
    """Let commands about one hold of 1 000 go at once, after a round to warm up, so that all are
    even; what each was told, and what became of it.
    """
    async with (
        purse_on(dsn, size=8, door=door) as one,
        purse_on(dsn, size=8, door=door) as two,
    ):
        for turn in ("warm", "even"):
            me = await one.person()
            await one.granted(me, 5_000)
            payment_id = await held(one, me, 1_000)
            jobs = [
                job_of(command.model_copy(update={"payment_id": payment_id}), me, f"{turn}-{n}")
                for n, command in enumerate(commands)
            ]
            outcomes = await race([one, two], me, jobs)
        if door is Door:
            await one.audited()
        return outcomes, await state_of(one, payment_id, me), await books(one, me)


async def test_captures_at_once_take_once(dsn: str) -> None:
    commands = [capture_of(uuid4(), 600 + n) for n in range(12)]
    outcomes, state, [(available, held_, spent, _)] = await raced(dsn, commands)
    assert Counter(map(code_of, outcomes)) == {"200": 1, "payment-not-held": 11}
    assert (state, held_, available + spent) == ("captured", 0, 5_000)
    [took] = [body_of(each)["captured_fen"] for each in outcomes if code_of(each) == "200"]
    assert spent == took


async def test_capture_and_release_at_once_have_one_winner(dsn: str) -> None:
    commands = [capture_of(uuid4(), 700), release_of(uuid4())] * 6
    outcomes, state, [(_, held_, spent, _)] = await raced(dsn, commands)
    assert Counter(map(code_of, outcomes)) == {"200": 1, "payment-not-held": 11}
    assert (held_, spent) == (0, 700 if state == "captured" else 0)


async def test_without_the_lock_a_hold_would_be_taken_twice(dsn: str) -> None:
    commands = [capture_of(uuid4(), 600 + n) for n in range(12)]
    outcomes, _, _ = await raced(dsn, commands, door=NoLock)
    # Whoever decided on what was no longer true writes no row, and is caught by the count.
    assert any(isinstance(outcome, Broken) for outcome in outcomes)


@pytest.mark.parametrize("rival", ["capture", "extend", "release"])
async def test_a_hold_that_expires_meanwhile_has_one_end(dsn: str, rival: str) -> None:
    """The deadline passes while they race: whoever comes first by the database's clock decides."""
    async with purse_on(dsn, size=12) as one, purse_on(dsn, size=12) as two:
        me = await one.person()
        await one.granted(me, 5_000)
        ends = Counter[str]()
        for n in range(4):
            payment_id = await held(one, me, 1_000, hold_seconds=1)
            # Half of them start just before the deadline, half at it.
            deadline = await asleep_until_overdue(
                one, me, payment_id, early_seconds=0.02 if n % 2 else 0.0
            )
            asked = {
                "capture": capture_of(payment_id, 400),
                "extend": extend_of(payment_id, 600),
                "release": release_of(payment_id),
            }[rival]
            sweeps = ExpireHold(payment_id=payment_id, expires_at=deadline)
            rivals = [sweeps, asked, sweeps, sweeps, sweeps]
            jobs = [job_of(each, me, f"{n}-{m}") for m, each in enumerate(rivals)]
            outcomes = await race([one, two], me, jobs)
            said, state = code_of(outcomes[1]), await state_of(one, payment_id, me)
            while await expire_due(one.cells, 0):
                pass
            won = {"capture": "captured", "extend": "held", "release": "released"}[rival]
            assert said in ("200", "hold-expired")
            assert state in ((won,) if said == "200" else ("expired", "held"))
            ends[said] += 1
            if (said, rival) == ("200", "extend"):
                assert isinstance(await one.do(release_of(payment_id), me), Answer)
        assert sum(ends.values()) == 4
        assert sum(quota[1] for quota in await books(one, me)) == 0
        await one.audited()
