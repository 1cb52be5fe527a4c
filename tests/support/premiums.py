"""Premiums for tests of the wallet: how they are asked for and answered, and what is seen then."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import orjson

from contracts import events
from contracts.commands import PayPremium
from contracts.events import RelationActivated
from tests.support.wallets import Purse, body_of, code_of
from wallet.domain.commands import RecordPremiumAnswer
from wallet.domain.premium import PremiumState

ACCEPTED, REFUSED, REFUNDED = PremiumState.ACCEPTED, PremiumState.REFUSED, PremiumState.REFUNDED


def premium_of(person_id: UUID, amount: int = 38_000, **changes: Any) -> PayPremium:
    told: dict[str, Any] = {
        "person_id": person_id,
        "entitled": True,
        "insutype": "390",
        "year": 2027,
        "levy_no": "L-2027",
        "amount_fen": amount,
    }
    return PayPremium.model_validate(told | changes)


def answer_of(payment_id: UUID, said: PremiumState, **changes: Any) -> RecordPremiumAnswer:
    told: dict[str, Any] = {
        "province": "660000",
        "payment_id": payment_id,
        "levy_no": "L-2027",
        "said": said,
    }
    return RecordPremiumAnswer(**(told | changes))


async def family(purse: Purse, *granted: int) -> tuple[UUID, list[RelationActivated]]:
    """A beneficiary with as many sharers, the eldest relation first."""
    me = await purse.person()
    areas = ("440300", "110000")
    return me, [
        await purse.granted(me, amount, area, age_days=9 - n)
        for n, (amount, area) in enumerate(zip(granted, areas, strict=False))
    ]


async def asked(purse: Purse, me: UUID, amount: int = 38_000, **changes: Any) -> UUID:
    """A premium that is set aside; the id of its payment."""
    given = await purse.do(premium_of(me, amount, **changes), me, str(uuid4()))
    assert code_of(given) == "202", given
    return UUID(body_of(given)["payment_id"])


async def answered(purse: Purse, me: UUID, payment_id: UUID, said: PremiumState) -> str:
    return code_of(await purse.do(answer_of(payment_id, said), me))


async def books(purse: Purse, me: UUID) -> list[tuple[int, ...]]:
    names = ("available", "held", "spent", "restoring", "returned")
    return [tuple(quota[name] for name in names) for quota in await purse.quotas(me)]


async def state_of(purse: Purse, payment_id: UUID, me: UUID) -> tuple[str, str]:
    row = await purse.pool_of(me).fetchrow(
        "SELECT payment.state AS paid, premium.state AS said FROM payment JOIN premium "
        "USING (payment_id) WHERE payment_id = $1",
        payment_id,
    )
    assert row is not None
    return row["paid"], row["said"]


async def told(purse: Purse, kind: type[events.Told]) -> list[dict[str, Any]]:
    rows = await purse.cells.pools[0].fetch(
        "SELECT topic, key, event_id, data FROM outbox WHERE type = $1 ORDER BY position", kind.TYPE
    )
    for row in rows:
        kind.model_validate_json(row["data"])
    return [
        {
            **orjson.loads(row["data"]),
            "topic": row["topic"],
            "key": row["key"],
            "id": row["event_id"],
        }
        for row in rows
    ]
