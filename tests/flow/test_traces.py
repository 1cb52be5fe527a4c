"""One trace from the caller over outbox, Kafka and the province back to the wallet's own event."""

from __future__ import annotations

import json
import secrets

from tests.support.town import Site, Town
from tests.support.town_bus import bus_of
from tests.support.town_people import new_key


async def test_a_quota_and_a_payment_carry_their_callers_traces(town: Town, site: Site) -> None:
    sharer = await town.world.citizen("440300", employee=True, balance_fen=100_000)
    beneficiary = await town.world.citizen("659002", employee=False)
    relation_id = await sharer.share_with(beneficiary)

    asked, asking = new_trace()
    path = f"/v1/me/relations/{relation_id}/quota"
    said = await sharer.ask("PUT", path, {"available_fen": 50_000}, headers=asking)
    assert asked in said.headers["traceparent"]
    await sharer.settled_quota(said.of(202)["quota_id"])

    paid, paying = new_trace()
    counter = town.counter()
    body = json.dumps(counter.payment(await counter.token(beneficiary), 1_000)).encode()
    key = new_key()
    said = await counter.send("POST", "/v1/payments", body, key, paying, known_as=counter.code)
    assert paid in said.headers["traceparent"]
    assert paid.encode() not in said.body
    said.of(201)
    await town.is_well()

    for trace, topics in ((asked, {"to.440000", "wallet.quota"}), (paid, {"wallet.payment"})):
        outbox = await site.rows(
            "wallet", "SELECT topic FROM outbox WHERE split_part(traceparent, '-', 2) = $1", trace
        )
        assert {row["topic"] for row in outbox} >= topics

    async with bus_of(site.broker) as bus:
        records = await bus.read()
    seen = {
        (trace_of(each.header("traceparent")), each.topic, each.header("ce_type"))
        for each in records
    }
    assert seen >= {
        (asked, "to.440000", "account.freeze-requested.v1"),
        (asked, "from.440000", "account.freeze-confirmed.v1"),
        (asked, "wallet.quota", "quota.granted.v1"),
        (paid, "wallet.payment", "payment.captured.v1"),
        (paid, "to.440000", "account.debit-ordered.v1"),
        (paid, "from.440000", "account.debited.v1"),
    }


def new_trace() -> tuple[str, dict[str, str]]:
    """A trace id, and the header that carries it."""
    trace = secrets.token_hex(16)
    return trace, {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}


def trace_of(traceparent: str | None) -> str:
    return traceparent.split("-")[1] if traceparent else ""
