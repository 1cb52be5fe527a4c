"""Premiums on real PostgreSQL: asked, accepted, refused, refunded, asked again, and races (R10)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts import events
from contracts.events import RelationActivated
from kit.answers import Answer
from tests.conftest import MigratedDatabase
from tests.support.premiums import (
    ACCEPTED,
    REFUNDED,
    REFUSED,
    answer_of,
    answered,
    asked,
    books,
    family,
    premium_of,
    state_of,
    told,
)
from tests.support.wallets import (
    Purse,
    body_of,
    code_of,
    hold_of,
    job_of,
    purse_on,
    snapshot,
)
from wallet.domain.commands import (
    RecordOrderAnswer,
    RecordPerson,
    SuspendQuota,
)
from wallet.domain.orders import OrderKind
from wallet.domain.premium import PremiumState
from wallet.edge.sweeps import ask_silent, expire_due

pytestmark = pytest.mark.rule("R10")


@pytest.fixture
def dsn(migrated_database: MigratedDatabase) -> str:
    return migrated_database("wallet")


@pytest.fixture
async def purse(dsn: str) -> AsyncIterator[Purse]:
    async with purse_on(dsn) as one:
        yield one
        await one.audited()


async def test_a_premium_is_set_aside_and_its_fund_is_asked(purse: Purse) -> None:
    me, _ = await family(purse, 30_000, 20_000)
    given = body_of(await purse.do(premium_of(me), me, "k"))
    assert (given["state"], given["amount_fen"], given["captured_fen"]) == ("held", 38_000, 0)
    assert (given["purpose"], given["institution"], given["mdtrtarea_admvs"]) == (
        *("premium_390", ""),
        "659002",
    )
    assert given["expires_at"] is None
    assert given["receipt"]["acct_mulaid_pay_fen"] == 38_000
    assert await books(purse, me) == [(0, 30_000, 0, 0, 0), (12_000, 8_000, 0, 0, 0)]
    [question] = await told(purse, events.PremiumRequested)
    first = given["allocations"][0]["quota_id"]
    assert (question["topic"], question["key"]) == ("to.660000", first)
    assert {name: question[name] for name in ("levy_no", "insutype", "year", "amount_fen")} == {
        **{"levy_no": "L-2027", "insutype": "390"},
        **{"year": 2027, "amount_fen": 38_000},
    }
    assert question["pool_admdvs"] == "659002"
    assert question["payment_id"] == given["payment_id"]
    [held] = await told(purse, events.PaymentHeld)
    assert (held["purpose"], held["expires_at"]) == ("premium_390", None)
    assert await told(purse, events.DebitOrdered) == []
    replay = await purse.do(premium_of(me), me, "k")
    assert isinstance(replay, Answer)
    assert replay.replayed


@pytest.mark.rule("R18")
async def test_what_the_fund_accepts_is_spent_and_owed_to_the_enrolment_area(purse: Purse) -> None:
    me, _ = await family(purse, 30_000, 20_000)
    payment_id = await asked(purse, me)
    assert await answered(purse, me, payment_id, ACCEPTED) == "200"
    assert await answered(purse, me, payment_id, ACCEPTED) == "200"
    assert await books(purse, me) == [(0, 0, 30_000, 0, 0), (12_000, 0, 8_000, 0, 0)]
    assert await state_of(purse, payment_id, me) == ("captured", "accepted")
    [captured] = await told(purse, events.PaymentCaptured)
    assert captured["purpose"] == "premium_390"
    assert (captured["mdtrtarea_admvs"], captured["insuplc_admdvs"]) == ("659002", "659002")
    debits = await told(purse, events.DebitOrdered)
    assert [(each["topic"], each["amount_fen"]) for each in debits] == [
        ("to.440000", 30_000),
        ("to.110000", 8_000),
    ]
    assert {(each["mdtrtarea_admvs"], each["purpose"]) for each in debits} == {
        ("659002", "premium_390")
    }


async def test_what_the_fund_refuses_is_free_again(purse: Purse) -> None:
    me, _ = await family(purse, 30_000, 20_000)
    payment_id = await asked(purse, me)
    refusal = answer_of(payment_id, REFUSED, reason="the levy is closed")
    assert code_of(await purse.do(refusal, me)) == "200"
    assert code_of(await purse.do(refusal, me)) == "200"
    assert await books(purse, me) == [(30_000, 0, 0, 0, 0), (20_000, 0, 0, 0, 0)]
    assert await state_of(purse, payment_id, me) == ("released", "refused")
    assert len(await told(purse, events.PaymentReleased)) == 1
    assert await asked(purse, me) != payment_id, "what was refused may be asked for again"


async def test_what_the_fund_gives_back_goes_the_way_of_a_refund(purse: Purse) -> None:
    me, _ = await family(purse, 30_000, 20_000)
    payment_id = await asked(purse, me)
    await answered(purse, me, payment_id, ACCEPTED)
    assert await answered(purse, me, payment_id, REFUNDED) == "200"
    assert await answered(purse, me, payment_id, REFUNDED) == "200"
    assert await books(purse, me) == [(0, 0, 0, 30_000, 0), (12_000, 0, 0, 8_000, 0)]
    assert await state_of(purse, payment_id, me) == ("refunded", "refunded")
    [fact] = await told(purse, events.PaymentRefunded)
    assert (fact["amount_fen"], fact["purpose"]) == (38_000, "premium_390")
    credits = await told(purse, events.CreditOrdered)
    assert [(each["topic"], each["freeze"]) for each in credits] == [
        ("to.440000", True),
        ("to.110000", True),
    ]
    for each in credits:
        order = RecordOrderAnswer(
            province=each["topic"].removeprefix("to."),
            order_id=UUID(each["order_id"]),
            kind=OrderKind.CREDIT,
        )
        assert code_of(await purse.do(order, me)) == "200"
    assert await books(purse, me) == [(30_000, 0, 0, 0, 0), (20_000, 0, 0, 0, 0)]
    await asked(purse, me)


OUTCOMES = {
    # what was said    then               answer         payment     premium
    (ACCEPTED, REFUSED): ("wrong-state", "captured", "accepted"),
    (REFUSED, ACCEPTED): ("wrong-state", "released", "refused"),
    (REFUSED, REFUNDED): ("wrong-state", "released", "refused"),
    (REFUNDED, ACCEPTED): ("200", "released", "refunded"),
    (REFUNDED, REFUSED): ("wrong-state", "released", "refunded"),
    (REFUNDED, REFUNDED): ("200", "released", "refunded"),
}


@pytest.mark.parametrize("said", OUTCOMES, ids=" then ".join)
async def test_a_contradiction_changes_nothing(
    purse: Purse, said: tuple[PremiumState, PremiumState]
) -> None:
    me, _ = await family(purse, 50_000)
    payment_id = await asked(purse, me)
    assert await answered(purse, me, payment_id, said[0]) == "200"
    before = await books(purse, me)
    code, paid, premium = OUTCOMES[said]
    assert await answered(purse, me, payment_id, said[1]) == code
    assert await state_of(purse, payment_id, me) == (paid, premium)
    assert await books(purse, me) == before


async def test_after_a_refund_nothing_else_is_believed(purse: Purse) -> None:
    me, _ = await family(purse, 50_000)
    payment_id = await asked(purse, me)
    for said, code in (
        (ACCEPTED, "200"),
        (REFUNDED, "200"),
        (ACCEPTED, "200"),
        (REFUSED, "wrong-state"),
    ):
        assert await answered(purse, me, payment_id, said) == code
    assert await state_of(purse, payment_id, me) == ("refunded", "refunded")
    assert len(await told(purse, events.DebitOrdered)) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"province": "440000"},
        {"levy_no": "L-2026"},
        {"payment_id": UUID(int=7)},
    ],
    ids=str,
)
async def test_nobody_else_answers_for_the_fund(purse: Purse, changes: dict[str, Any]) -> None:
    me, _ = await family(purse, 50_000)
    payment_id = await asked(purse, me)
    before = await books(purse, me)
    answer = replace(answer_of(payment_id, ACCEPTED), **changes)
    given = await purse.do(answer, me)
    assert code_of(given) == "not-found"
    assert await books(purse, me) == before


async def test_a_payment_of_care_is_no_premium(purse: Purse) -> None:
    me, _ = await family(purse, 50_000)
    hold = body_of(await purse.do(hold_of(me, 100), me, "k"))
    assert await answered(purse, me, UUID(hold["payment_id"]), ACCEPTED) == "not-found"
    assert await books(purse, me) == [(49_900, 100, 0, 0, 0)]


@pytest.mark.rule("R32")
@pytest.mark.parametrize("said", [ACCEPTED, REFUSED, REFUNDED])
async def test_an_answer_after_the_relation_ended_still_counts(
    purse: Purse, said: PremiumState
) -> None:
    me, [relation] = await family(purse, 50_000)
    payment_id = await asked(purse, me)
    await purse.ended(relation)
    assert await answered(purse, me, payment_id, said) == "200"
    spent = 38_000 if said is ACCEPTED else 0
    assert await books(purse, me) == [(0, 0, spent, 0, 50_000 - spent)]
    if said is ACCEPTED:
        assert await answered(purse, me, payment_id, REFUNDED) == "200"
        [credit] = await told(purse, events.CreditOrdered)
        assert credit["freeze"] is False


async def test_a_levy_is_paid_once(purse: Purse) -> None:
    me, _ = await family(purse, 200_000)
    payment_id = await asked(purse, me)
    same = premium_of(me, 1)
    assert code_of(await purse.do(same, me, "again")) == "wrong-state"
    await answered(purse, me, payment_id, ACCEPTED)
    assert code_of(await purse.do(same, me, "and again")) == "wrong-state"
    for other in ({"insutype": "410"}, {"year": 2028}, {"levy_no": "L-2"}):
        await asked(purse, me, **other)
    me_too, _ = await family(purse, 50_000)
    await asked(purse, me_too)


async def test_one_batch_pays_a_levy_once(purse: Purse) -> None:
    me, _ = await family(purse, 200_000)
    jobs = [job_of(premium_of(me), me, str(uuid4())) for _ in range(3)]
    outcomes = await purse.cells.perform(0, jobs)
    assert sorted(map(code_of, outcomes)) == ["202", "wrong-state", "wrong-state"]


async def test_the_levy_is_paid_once_by_the_schema_too(purse: Purse) -> None:
    me, _ = await family(purse, 200_000)
    await asked(purse, me)
    with pytest.raises(Exception, match="premium_of_a_levy_is_paid_once"):
        await purse.pool_of(me).execute(
            """
            INSERT INTO premium
            SELECT $1, person_id, insutype, year, levy_no, psn_no, state, reason, times,
                ask_again_at FROM premium
            """,
            uuid4(),
        )


async def suspended(purse: Purse, relation: RelationActivated) -> None:
    me = relation.beneficiary.person_id
    command = SuspendQuota(relation_id=relation.relation_id, beneficiary_id=me, suspended=True)
    assert code_of(await purse.do(command, me)) == "200"


async def insured(purse: Purse, me: UUID, version: int, *, insured: bool) -> None:
    person = snapshot(me, version=version, insured=insured)
    assert code_of(await purse.do(RecordPerson(person=person), me)) == "200"


@pytest.mark.rule("R5")
async def test_no_active_enrolment_is_needed(purse: Purse) -> None:
    me, [relation] = await family(purse, 50_000)
    await suspended(purse, relation)
    refused = await purse.do(premium_of(me), me, "the sharer is suspended")
    assert code_of(refused) == "quota-insufficient"
    await insured(purse, me, 2, insured=False)
    await asked(purse, me)


async def test_premiums_are_refused_by_name(purse: Purse) -> None:
    stranger = await purse.person(opened=False)
    assert code_of(await purse.do(premium_of(stranger), stranger, "k")) == "wallet-not-open"
    me, _ = await family(purse, 37_999)
    assert code_of(await purse.do(premium_of(me), me, "k")) == "quota-insufficient"
    assert await books(purse, me) == [(37_999, 0, 0, 0, 0)]
    assert await told(purse, events.PremiumRequested) == []


async def test_a_silent_fund_is_asked_again_and_again(purse: Purse) -> None:
    me, _ = await family(purse, 50_000)
    payment_id = await asked(purse, me)
    pool = purse.pool_of(me)
    assert await ask_silent(purse.cells, 0) == 0, "it has time to answer"
    waits = []
    for _ in range(3):
        await pool.execute("UPDATE premium SET ask_again_at = clock_timestamp()")
        assert await ask_silent(purse.cells, 0) == 1
        assert await ask_silent(purse.cells, 0) == 0
        waits.append(
            await pool.fetchval(
                "SELECT round(extract(epoch FROM ask_again_at - clock_timestamp()))::int "
                "FROM premium"
            )
        )
    assert waits == [20, 40, 80]
    questions = await told(purse, events.PremiumRequested)
    assert len({each.pop("id") for each in questions}) == 4
    assert all(each == questions[0] for each in questions), "the same is asked every time"
    assert await expire_due(purse.cells, 0) == 0, "it does not expire"
    await answered(purse, me, payment_id, ACCEPTED)
    await pool.execute("UPDATE premium SET ask_again_at = clock_timestamp()")
    assert await ask_silent(purse.cells, 0) == 0
    assert len(await told(purse, events.PremiumRequested)) == 4
