"""F23: each step of a conversation has one outcome, and `docs/money-flow.md` names it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from uuid import UUID, uuid4

import pytest

from contracts.commands import Refund
from contracts.events import RelationActivated
from kit.answers import Answer
from kit.work import Outcome
from tests.conftest import MigratedDatabase
from tests.support import premiums
from tests.support.places import ROOT
from tests.support.wallets import HOSPITAL, Purse, body_of, code_of, payment_of, purse_on
from wallet.domain.commands import EndQuota, RecordFreeze, RecordOrderAnswer
from wallet.domain.orders import OrderKind
from wallet.domain.premium import PremiumState

GUANGDONG, SICHUAN = "440000", "510000"
TABLE = "## One outcome for each answer"
BOOKS = ("available", "held", "spent", "restoring", "returned")
SILENT, NOTHING = "asked again", ""
PREMIUM, GIVEN_BACK = "premium", "premium given back"
ASKED = {"freeze", "debit", "credit", "unfreeze", PREMIUM, GIVEN_BACK, "ending"}
STEPS = {
    *("ok", "refused", "silent", "unknown order", "another province", "twice"),
    *("the contrary after it", "ok after the end"),
}


def cells() -> dict[tuple[str, str], str]:
    """The table as it stands: what was asked and what was answered, and the outcome."""
    text = (ROOT / "docs" / "money-flow.md").read_text(encoding="utf-8").split(TABLE)[1]
    lines = [line for line in text.split("\n## ")[0].splitlines() if line.startswith("|")]
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {
        (row[0], step): outcome
        for row in rows
        for step, outcome in zip(head[1:], row[1:], strict=True)
    }


WALKED = [(*at, told) for at, told in cells().items() if told not in (SILENT, NOTHING)]


@pytest.fixture
async def purse(migrated_database: MigratedDatabase) -> AsyncIterator[Purse]:
    async with purse_on(migrated_database("wallet")) as one:
        yield one
        await one.audited()


async def asked(purse: Purse, what: str, me: UUID) -> RelationActivated:
    """A quota whose province has been asked this, and nothing else that it has not answered."""
    if what == "freeze":
        relation = await purse.relation(me)
        assert (await purse.wish(relation, 100)).status == 202
        return relation
    relation = await purse.granted(me, 100)
    if what in (PREMIUM, GIVEN_BACK):
        payment_id = await premiums.asked(purse, me, 40)
        if what == GIVEN_BACK:
            assert await premiums.answered(purse, me, payment_id, PremiumState.ACCEPTED) == "200"
    if what == "unfreeze":
        assert (await purse.wish(relation, 60)).status == 202
    if what in ("debit", "credit"):
        given = await purse.do(payment_of(me, 40, institution=HOSPITAL), me, "pay")
        if what == "credit":
            payment_id = UUID(body_of(given)["payment_id"])
            back = Refund(
                payment_id=payment_id, institution=HOSPITAL, amount_fen=40, reason="too much"
            )
            assert code_of(await purse.do(back, me, "refund")) == "201"
    return relation


async def order_of(purse: Purse, what: str, me: UUID) -> UUID:
    """What is to be answered: an order, or the payment of a premium."""
    pool = purse.pool_of(me)
    if what in (PREMIUM, GIVEN_BACK):
        [row] = await pool.fetch("SELECT payment_id AS id FROM premium WHERE person_id = $1", me)
    else:
        [row] = await pool.fetch(
            "SELECT order_id AS id FROM account_order WHERE beneficiary_id = $1 AND kind = $2",
            me,
            what,
        )
    order_id: UUID = row["id"]
    return order_id


async def ended(purse: Purse, relation: RelationActivated, *, known: bool = True) -> Outcome:
    me = relation.beneficiary.person_id
    relation_id = relation.relation_id if known else uuid4()
    command = EndQuota(
        relation_id=relation_id, beneficiary_id=me, reason="will", since=date(2999, 1, 1)
    )
    return await purse.do(command, me)


async def answered(
    purse: Purse, what: str, me: UUID, order_id: UUID, *, yes: bool = True, by: str | None = None
) -> Outcome:
    if what in (PREMIUM, GIVEN_BACK):
        kindly = PremiumState.ACCEPTED if what == PREMIUM else PremiumState.REFUNDED
        said = kindly if yes else PremiumState.REFUSED
        fund = premiums.answer_of(order_id, said, **({} if by is None else {"province": by}))
        return await purse.do(fund, me)
    by = by or GUANGDONG
    if what == "freeze":
        reason = None if yes else "insufficient"
        freeze = RecordFreeze(province=by, freeze_id=order_id, confirmed=yes, reason=reason)
        return await purse.do(freeze, me)
    because = None if yes else "closed"
    return await purse.do(
        RecordOrderAnswer(
            province=by, order_id=order_id, kind=OrderKind(what), refused_because=because
        ),
        me,
    )


async def walked(purse: Purse, what: str, step: str, relation: RelationActivated) -> Outcome:
    me = relation.beneficiary.person_id
    if what == "ending":
        if step == "twice":
            await ended(purse, relation)
        return await ended(purse, relation, known=step != "unknown order")
    order_id = await order_of(purse, what, me)
    if step in ("twice", "the contrary after it"):
        assert code_of(await answered(purse, what, me, order_id)) == "200"
    if step == "ok after the end":
        assert code_of(await ended(purse, relation)) == "200"
    return await answered(
        purse,
        what,
        me,
        uuid4() if step == "unknown order" else order_id,
        yes=step not in ("refused", "the contrary after it"),
        by=SICHUAN if step == "another province" else None,
    )


@pytest.mark.parametrize(("what", "step", "told"), WALKED)
async def test_each_answer_has_its_outcome(purse: Purse, what: str, step: str, told: str) -> None:
    me = await purse.person()
    relation = await asked(purse, what, me)
    outcome = await walked(purse, what, step, relation)
    said = code_of(outcome) if isinstance(outcome, Answer) else "parked"
    [quota] = await purse.quotas(me)
    books = "/".join(str(quota[book]) for book in BOOKS)
    assert f"{said} {quota['state']} {books}" == told


def test_no_answer_is_missing_from_the_table() -> None:
    table = cells()
    assert set(table) == {(what, step) for what in ASKED for step in STEPS}
    empty = {at for at, told in table.items() if told == NOTHING}
    never = {"refused", "the contrary after it"}
    of_an_end = {"silent", "another province", "ok after the end", *never}
    assert empty == {
        *((what, step) for what in ("debit", "unfreeze") for step in never),
        *(("ending", step) for step in of_an_end),
        *((GIVEN_BACK, step) for step in ("refused", "silent")),
    }
    asks = ASKED - {"ending", GIVEN_BACK}
    assert {at[0] for at, told in table.items() if told == SILENT} == asks
