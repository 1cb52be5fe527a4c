"""An end that meets what else may happen to a quota: whoever comes first, no fen stays behind."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.commands import Capture, Release, SetQuota
from tests.conftest import MigratedDatabase
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
from wallet.domain.commands import EndQuota

GRANTED = 5_000


async def held(purse: Purse, me: UUID, amount: int) -> UUID:
    given = body_of(await purse.do(hold_of(me, amount), me, str(uuid4())))
    return UUID(given["payment_id"])


@pytest.mark.rule("R32")
@pytest.mark.parametrize("rival", ["capture", "release", "hold", "pay", "raise", "lower"])
async def test_whoever_comes_first_nothing_stays_stuck(
    migrated_database: MigratedDatabase, rival: str
) -> None:
    """Several processes race for one beneficiary's lock; what was held is then given up."""
    dsn = migrated_database("wallet")
    seen = set()
    async with purse_on(dsn, size=4) as one, purse_on(dsn, size=4) as two:
        for n in range(6):
            me = await one.person()
            relation = await one.granted(me, GRANTED)
            payment_id = await held(one, me, 1_000)
            rivals: dict[str, Any] = {
                "capture": Capture(payment_id=payment_id, institution=HOSPITAL, amount_fen=400),
                "release": Release(payment_id=payment_id, institution=HOSPITAL),
                "hold": hold_of(me, 700),
                "pay": payment_of(me, 700),
                "raise": SetQuota(
                    relation_id=relation.relation_id,
                    sharer_id=relation.sharer.person_id,
                    beneficiary_id=me,
                    available_fen=GRANTED,
                ),
                "lower": SetQuota(
                    relation_id=relation.relation_id,
                    sharer_id=relation.sharer.person_id,
                    beneficiary_id=me,
                    available_fen=10,
                ),
            }
            end = EndQuota(
                relation_id=relation.relation_id,
                beneficiary_id=me,
                reason="will",
                since=date(2099, 1, 1),
            )
            pair = [end, rivals[rival]] if n % 2 else [rivals[rival], end]
            jobs = [job_of(each, me, f"{n}-{m}") for m, each in enumerate(pair)]
            outcomes = await race([one, two], me, jobs)
            said = code_of(outcomes[1 if n % 2 else 0])
            assert said in ("200", "201", "202", "quota-insufficient", "relation-not-active")
            seen.add(said)
            for row in await one.pool_of(me).fetch(
                "SELECT payment_id FROM payment WHERE person_id = $1 AND state = 'held'", me
            ):
                given = Release(payment_id=row["payment_id"], institution=HOSPITAL)
                assert code_of(await one.do(given, me)) == "200"
            [quota] = await one.quotas(me)
            assert (quota["state"], quota["available"], quota["held"]) == ("ended", 0, 0)
            spent = {"capture": 400, "pay": 700}.get(rival, 0) if said in ("200", "201") else 0
            assert (quota["spent"], quota["returned"]) == (spent, GRANTED - spent)
            await one.audited()
    if rival in ("capture", "release"):
        assert seen == {"200"}
