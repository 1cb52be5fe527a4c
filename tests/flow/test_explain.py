"""Stories that are explained afterwards, over all services, while one of them is away."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from tests.support.town import Site, Town
from tests.support.town_clerks import Clerk, clerk_of
from tests.support.town_until import until


async def explained(clerk: Clerk, name: str) -> dict[str, Any]:
    told: dict[str, Any] = (await clerk.ask("GET", f"/v1/explain/{name}")).of(200)
    return told


def types(told: dict[str, Any]) -> list[str]:
    return [each["type"] for each in told["items"]]


@pytest.mark.rule("R15", "R22", "R31")
async def test_a_stay_is_told_from_its_relation_to_what_is_owed(town: Town, site: Site) -> None:
    await town.tell("""
        person    WANG at shenzhen employee 1000.00
        person    MA   at alar
        relation  R1   WANG -> MA  parent          active
        quota     Q1   of R1       300.00          granted
        hold      H1   MA at hospital  120.00      held
        capture   H1                130.00         capture-exceeds-hold
        capture   H1                 70.00         captured
        refund    H1                 20.00         captured
        owes      440300 -> 659002  50.00
    """)
    clerk = await clerk_of(town.world, "audit", name="沈稽核")
    payment_id = town.names["H1"].said.json["payment_id"]

    async def answered() -> dict[str, Any] | None:
        told = await explained(clerk, payment_id)
        done = {"account.debit-confirmed", "account.credit-confirmed"} <= set(types(told))
        return told if done and types(told).count("line.recorded") == 2 else None

    told = await until(answered, "the provinces have answered")
    story = [each for each in types(told) if not each.startswith(("account.", "line."))]
    assert story == [
        *("request.answered", "payment.held", "request.refused"),
        *("request.answered", "payment.captured", "request.answered", "payment.refunded"),
    ]
    assert told["missing"] == []
    of_quota = await explained(clerk, town.names["Q1"].quota_id)
    assert of_quota["items"][0]["type"] in ("request.answered", "relation.proposed")
    assert {"relation.active", "quota.granted", "payment.captured"} <= set(types(of_quota))

    child = site.watchman["settlement"].child
    assert child is not None
    child.send_signal(signal.SIGSTOP)
    try:
        told = await explained(clerk, payment_id)
    finally:
        child.send_signal(signal.SIGCONT)
    assert told["missing"] == [{"service": "settlement", "why": "unavailable"}]
    assert "payment.captured" in types(told)
    assert "line.recorded" not in types(told)
