"""A provincial core on real PostgreSQL: what it freezes, what it obeys, and how it answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from gm.identity_number import check_identity_number
from kit.answers import Answer
from kit.work import Broken
from sandbox.domain.behaviour import Behaviour
from sandbox.domain.commands import AnswerFreeze, Deposit, MakePerson, SetBehaviour
from sandbox.domain.core import Contradiction, Overdraft
from tests.conftest import MigratedDatabase
from tests.support.kit import until
from tests.support.outside import (
    GUANGDONG,
    Cores,
    cores_in,
    credit_ordered,
    debit_ordered,
    freeze_requested,
    unfreeze_ordered,
)

CONFIRMED = "account.freeze-confirmed.v1"
REFUSED = "account.freeze-refused.v1"


@pytest.fixture
async def cores(migrated_database: MigratedDatabase) -> AsyncIterator[Cores]:
    async with cores_in(migrated_database("sandbox")) as made:
        yield made


async def behave(cores: Cores, **how: object) -> None:
    behaviour = Behaviour.model_validate(how)
    await cores.perform(SetBehaviour(province=GUANGDONG, behaviour=behaviour))


async def test_what_is_spendable_can_be_frozen_to_the_last_fen(cores: Cores) -> None:
    psn_no = await cores.person(100)
    first, second = freeze_requested(psn_no, 60), freeze_requested(psn_no, 40)
    await cores.perform_all([AnswerFreeze(province=GUANGDONG, request=r) for r in (first, second)])
    assert await cores.account(psn_no) == (100, 100)
    assert [kind for kind, _ in await cores.said(psn_no)] == [CONFIRMED, CONFIRMED]


@pytest.mark.rule("R8")
async def test_one_fen_more_than_is_spendable_is_refused_and_changes_nothing(cores: Cores) -> None:
    psn_no = await cores.person(100)
    await cores.freeze(freeze_requested(psn_no, 60))
    too_much = freeze_requested(psn_no, 41)
    await cores.freeze(too_much)
    assert await cores.account(psn_no) == (100, 60)
    assert (await cores.said(psn_no))[-1] == (
        REFUSED,
        {"freeze_id": str(too_much.freeze_id), "reason": "insufficient"},
    )


async def test_each_of_a_batch_sees_what_the_one_before_it_froze(cores: Cores) -> None:
    psn_no = await cores.person(100)
    requests = [freeze_requested(psn_no, 30) for _ in range(5)]
    await cores.perform_all([AnswerFreeze(province=GUANGDONG, request=r) for r in requests])
    said = [kind for kind, _ in await cores.said(psn_no)]
    assert said == [CONFIRMED] * 3 + [REFUSED] * 2
    assert await cores.account(psn_no) == (100, 90)


@pytest.mark.parametrize(
    "other", [{"psn_no": "9" * 26}, {"pool_admdvs": "440100"}], ids=["person", "pool"]
)
async def test_a_freeze_for_nobody_here_is_refused(cores: Cores, other: dict[str, str]) -> None:
    psn_no = await cores.person(100)
    request = freeze_requested(psn_no, 10).model_copy(update=other)
    await cores.freeze(request)
    assert (await cores.said(request.psn_no))[-1][1]["reason"] == "no-account"
    assert await cores.account(psn_no) == (100, 0)


async def test_a_resident_has_no_account_to_freeze(cores: Cores) -> None:
    psn_no = await cores.person(100, insutype="390")
    await cores.freeze(freeze_requested(psn_no, 1))
    assert (await cores.said(psn_no))[-1][1]["reason"] == "no-account"
    assert await cores.account(psn_no) == (0, 0)


async def test_the_same_freeze_again_gets_the_same_answer_and_no_second_effect(
    cores: Cores,
) -> None:
    psn_no = await cores.person(100)
    good, bad = freeze_requested(psn_no, 70), freeze_requested(psn_no, 40)
    for request in (good, good, bad, bad):
        await cores.freeze(request)
    await cores.perform(
        Deposit(province=GUANGDONG, psn_no=psn_no, amount_fen=900, reference=uuid4())
    )
    await cores.freeze(bad)
    said = [(kind, body["freeze_id"]) for kind, body in await cores.said(psn_no)]
    assert said == [(CONFIRMED, str(good.freeze_id))] * 2 + [(REFUSED, str(bad.freeze_id))] * 3
    assert await cores.account(psn_no) == (1000, 70)


async def test_a_freeze_that_contradicts_itself_is_put_aside(cores: Cores) -> None:
    psn_no = await cores.person(100)
    request = freeze_requested(psn_no, 10)
    await cores.freeze(request)
    outcome = await cores.freeze(request.model_copy(update={"amount_fen": 20}))
    assert isinstance(outcome, Broken)
    assert isinstance(outcome.error, Contradiction)
    assert await cores.account(psn_no) == (100, 10)


async def test_a_debit_lowers_balance_and_frozen_together_and_only_once(cores: Cores) -> None:
    psn_no = await cores.person(100)
    freeze = freeze_requested(psn_no, 60)
    await cores.freeze(freeze)
    order = debit_ordered(freeze, 25)
    for _ in range(3):
        await cores.obey(order)
    assert await cores.account(psn_no) == (75, 35)
    said = await cores.said(psn_no)
    assert said[1:] == [("account.debited.v1", {"order_id": str(order.order_id)})] * 3


async def test_an_unfreezing_gives_back_and_only_once(cores: Cores) -> None:
    psn_no = await cores.person(100)
    freeze = freeze_requested(psn_no, 60)
    await cores.freeze(freeze)
    order = unfreeze_ordered(freeze, 50)
    for _ in range(2):
        await cores.obey(order)
    assert await cores.account(psn_no) == (100, 10)
    assert (await cores.said(psn_no))[-1] == (
        "account.unfrozen.v1",
        {"order_id": str(order.order_id)},
    )


@pytest.mark.parametrize("again", [True, False])
async def test_a_credit_comes_back_once_and_is_frozen_again_if_so_ordered(
    cores: Cores, again: bool
) -> None:
    psn_no = await cores.person(100)
    freeze = freeze_requested(psn_no, 60)
    await cores.freeze(freeze)
    await cores.obey(debit_ordered(freeze, 25))
    order = credit_ordered(freeze, 20, again=again)
    for _ in range(2):
        await cores.obey(order)
    assert await cores.account(psn_no) == (95, 55 if again else 35)
    said = await cores.said(psn_no)
    assert said[2:] == [("account.credited.v1", {"order_id": str(order.order_id)})] * 2


@pytest.mark.parametrize(
    ("other", "reason"), [({"psn_no": "9" * 26}, "closed"), ({"pool_admdvs": "440100"}, "moved")]
)
async def test_a_credit_to_an_account_that_is_not_here_is_refused(
    cores: Cores, other: dict[str, Any], reason: str
) -> None:
    freeze = freeze_requested(await cores.person(100), 60)
    await cores.freeze(freeze)
    order = credit_ordered(freeze, 20, **other)
    await cores.obey(order)
    assert (await cores.said(order.psn_no))[-1] == (
        "account.credit-refused.v1",
        {"order_id": str(order.order_id), "reason": reason},
    )


@pytest.mark.parametrize("make", [debit_ordered, unfreeze_ordered])
async def test_an_order_beyond_what_is_frozen_for_its_quota_is_not_obeyed(
    cores: Cores, make: object
) -> None:
    assert callable(make)
    psn_no = await cores.person(100)
    mine, others = freeze_requested(psn_no, 30), freeze_requested(psn_no, 50)
    await cores.freeze(mine)
    await cores.freeze(others)
    outcome = await cores.obey(make(mine, 31))
    assert isinstance(outcome, Broken)
    assert isinstance(outcome.error, Overdraft)
    assert await cores.account(psn_no) == (100, 80)


async def test_what_is_frozen_is_known_for_each_quota(cores: Cores) -> None:
    psn_no = await cores.person(1000)
    one, other = freeze_requested(psn_no, 300), freeze_requested(psn_no, 200)
    for freeze in (one, other, freeze_requested(psn_no, 50, quota_id=one.quota_id)):
        await cores.freeze(freeze)
    await cores.obey(debit_ordered(one, 120))
    rows = await cores.pool.fetch("SELECT quota_id, frozen_fen FROM frozen_quota")
    assert {row["quota_id"]: row["frozen_fen"] for row in rows} == {
        one.quota_id: 230,
        other.quota_id: 200,
    }


async def test_a_refusing_province_refuses_and_a_well_behaved_one_does_not(cores: Cores) -> None:
    psn_no = await cores.person(100)
    await behave(cores, freeze="refuse")
    await cores.freeze(freeze_requested(psn_no, 10))
    await behave(cores)
    await cores.freeze(freeze_requested(psn_no, 10))
    said = await cores.said(psn_no)
    assert [kind for kind, _ in said] == [REFUSED, CONFIRMED]
    assert said[0][1]["reason"] == "refused"


async def test_a_silent_province_neither_freezes_nor_answers_until_it_speaks(cores: Cores) -> None:
    psn_no = await cores.person(100)
    await behave(cores, freeze="silent")
    first, second = freeze_requested(psn_no, 80), freeze_requested(psn_no, 30)
    for request in (first, first, second):
        await cores.freeze(request)
    assert await cores.said(psn_no) == []
    assert await cores.account(psn_no) == (100, 0)
    await behave(cores, freeze="confirm")
    assert [(kind, body["freeze_id"]) for kind, body in await cores.said(psn_no)] == [
        (CONFIRMED, str(first.freeze_id)),
        (REFUSED, str(second.freeze_id)),
    ]
    await cores.freeze(first)
    assert await cores.account(psn_no) == (100, 80)


async def test_a_late_province_acts_at_once_and_answers_when_it_is_time(cores: Cores) -> None:
    psn_no = await cores.person(100)
    await behave(cores, late_ms=300)
    requests = [freeze_requested(psn_no, 10) for _ in range(5)]
    await cores.perform_all([AnswerFreeze(province=GUANGDONG, request=r) for r in requests])
    assert await cores.account(psn_no) == (100, 50)
    assert await cores.said(psn_no) == []
    assert await cores.tell_due() == 0
    assert await until(cores.tell_due) == 5
    said = [body["freeze_id"] for _, body in await cores.said(psn_no)]
    assert said == [str(request.freeze_id) for request in requests]
    assert await cores.tell_due() == 0


async def test_a_duplicating_province_says_the_same_thing_twice(cores: Cores) -> None:
    psn_no = await cores.person(100)
    await behave(cores, duplicate=True)
    freeze = freeze_requested(psn_no, 10)
    await cores.freeze(freeze)
    await behave(cores, duplicate=True, late_ms=1)
    await cores.obey(debit_ordered(freeze, 10))
    await until(cores.tell_due)
    assert [kind for kind, _ in await cores.said(psn_no)] == [CONFIRMED] * 2 + [
        "account.debited.v1"
    ] * 2
    ids = await cores.pool.fetch("SELECT event_id, type FROM outbox WHERE type LIKE 'account.%'")
    assert len(set(ids)) == 2, "the same event, not another one"


async def test_a_reordering_province_lets_later_answers_overtake_the_first(
    cores: Cores,
) -> None:
    psn_no = await cores.person(100)
    await behave(cores, reorder=True)
    requests = [freeze_requested(psn_no, 10) for _ in range(3)]
    for request in requests:
        await cores.freeze(request)
    while len(await cores.said(psn_no)) < 3:
        await until(cores.tell_due)
    said = [body["freeze_id"] for _, body in await cores.said(psn_no)]
    assert said == [str(requests[n].freeze_id) for n in (1, 2, 0)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE account SET balance_fen = -1, frozen_fen = 0",
        "UPDATE account SET frozen_fen = balance_fen + 1",
        "UPDATE account SET frozen_fen = -1",
        "UPDATE frozen_quota SET frozen_fen = -1",
        "UPDATE entry SET balance_fen = 1",
        "DELETE FROM entry",
        "TRUNCATE entry",
    ],
)
async def test_the_database_itself_forbids(cores: Cores, statement: str) -> None:
    psn_no = await cores.person(100)
    await cores.freeze(freeze_requested(psn_no, 10))
    with pytest.raises((asyncpg.CheckViolationError, asyncpg.RestrictViolationError)):
        await cores.pool.execute(statement)


async def test_made_up_people_pass_the_checksum_and_are_all_different(cores: Cores) -> None:
    for n in range(30):
        await cores.person(n, born_on=date(2015, 6, 1), retired=n % 2 == 0)
    rows = await cores.pool.fetch("SELECT cert_no, name, psn_no FROM person")
    assert len({row["cert_no"] for row in rows}) == 30
    assert len({row["name"] for row in rows}) == 30
    assert len({row["psn_no"] for row in rows}) == 30
    for row in rows:
        assert row["cert_no"].startswith("99000020150601")
        assert check_identity_number(row["cert_no"]).born_on == date(2015, 6, 1)
        assert row["name"].startswith("示例·")


async def test_a_day_of_birth_runs_out_of_numbers_by_name(cores: Cores) -> None:
    born_on = date(1980, 2, 29)
    await cores.person(0, born_on=born_on)
    await cores.pool.execute(
        """
        INSERT INTO person
        SELECT
            'x' || n || check_digit, province, insuplc_admdvs, insutype, psn_cert_type,
            '99000019800229' || lpad(n::text, 3, '0') || check_digit, name, born_on, retired,
            made_at, 1000 + n * 100 + ascii(check_digit)
        FROM person, generate_series(0, 999) AS n,
            unnest(string_to_array('0 1 2 3 4 5 6 7 8 9 X', ' ')) AS check_digit
        ON CONFLICT DO NOTHING
        """
    )
    outcome = await cores.perform(
        MakePerson(
            province=GUANGDONG,
            insuplc_admdvs="440300",
            insutype="310",
            balance_fen=0,
            born_on=born_on,
            retired=False,
        )
    )
    assert isinstance(outcome, Answer)
    assert outcome.status == 409
    assert '"numbers-exhausted"' in outcome.body
