"""F24: settlement dies at each step of a month, runs twice, is answered wrongly, or too little.

The month converges all the same, and I9 holds, as every test here ends with the proofs.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from contracts.events import PrefundWarned
from contracts.topics import to_province
from tests.support.fault_evidence import Evidence
from tests.support.town import Site, Town
from tests.support.town_bus import Bus
from tests.support.town_clearing import MonthTold, open_month
from tests.support.town_clerks import clerk_of
from tests.support.town_families import ALAR, SHENZHEN, family_of
from tests.support.town_people import JSON, Letter
from tests.support.town_provinces import Province, silent
from tests.support.town_rows import at_rest
from tests.support.town_until import until
from tests.support.town_volley import volley

pytestmark = [pytest.mark.fault("F24"), pytest.mark.rule("R15"), pytest.mark.timeout(300)]

CHENGDU = "510100"
GUANGDONG, SICHUAN, XPCC, BEIJING = "440000", "510000", "660000", "110000"
FROM_SHENZHEN, FROM_CHENGDU = 3_000, 2_000
SECONDS_TO_REACH = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """A month in which two sharers of two provinces owe Alar something."""

    month: MonthTold
    payment_id: str

    async def owed(self, payer: str) -> int:
        """What this province still owes, others' payments of the month included."""
        told = await self.month.seen()
        [each] = [each for each in told["transfers"] if each["payer"] == payer]
        assert each["payee"] == XPCC
        return int(each["amount_fen"]) - int(each["paid_fen"])


async def spend(town: Town) -> Spent:
    """Begins where nothing is: months before are closed, so that all of this one is known."""
    month = await open_month(town)
    daughter, son, mother = await asyncio.gather(
        town.world.citizen(SHENZHEN, employee=True, balance_fen=100_000),
        town.world.citizen(CHENGDU, employee=True, balance_fen=100_000),
        town.world.citizen(ALAR, employee=False),
    )
    await daughter.raise_quota(await daughter.share_with(mother), FROM_SHENZHEN, within=40)
    await son.raise_quota(await son.share_with(mother), FROM_CHENGDU, within=40)
    counter = town.counter()
    paid = await counter.pay(await counter.token(mother), FROM_SHENZHEN + FROM_CHENGDU)
    assert paid.of(201)["period"] == month.period
    return Spent(month=month, payment_id=paid.json["payment_id"])


@asynccontextmanager
async def dying(site: Site, point: str, name: str = "settlement") -> AsyncIterator[None]:
    """It dies at this point while the block runs, and is ready again when the block is over."""
    await site.watchman.arm(name, point)
    yield
    await site.watchman.died_at(name, point.partition(":")[0], SECONDS_TO_REACH)
    await site.watchman.ready_again(name)


POINTS = ("door.before-commit", "door.after-commit")


@pytest.mark.parametrize("point", POINTS)
async def test_settlement_dies_at_every_step_and_the_month_converges(
    town: Town, site: Site, bus: Bus, fault_evidence: Evidence, point: str
) -> None:
    spent = await spend(town)
    await at_rest(site, bus)
    month = spent.month
    async with silent(town, GUANGDONG, SICHUAN):
        async with dying(site, point):  # between cut and balance
            await month.step("cut")
        await month.reaches("balanced")
        async with dying(site, point):
            issued = await month.step("issue")
        assert (await month.seen())["digest"] == issued["digest"]
        async with dying(site, point):  # between one province's answer and the other's
            await town.world.behave(GUANGDONG)
        told = await month.reaches("issued")
        assert told["state"] == "issued", "Sichuan has not said anything yet"
        async with dying(site, point):
            await town.world.behave(SICHUAN)
        await month.reaches("paid")
        async with dying(site, point):
            closed = await month.step("close")
    fault_evidence.tell("Settlement dies at this point at each of five steps of a month.")
    fault_evidence.saw("died five times at the point, last", site.watchman.lost("settlement"))
    assert closed["state"] == "closed"
    assert await month.seen() == closed
    assert all(each["paid_fen"] == each["amount_fen"] for each in closed["transfers"])


async def test_the_wallet_dies_when_it_has_cut_and_has_not_told(
    town: Town, site: Site, bus: Bus, fault_evidence: Evidence
) -> None:
    """The flip is committed, and nobody was told yet: the sweep, or whoever asks again, does."""
    spent = await spend(town)
    await at_rest(site, bus)
    async with dying(site, "cut.after-flip", "wallet"):
        cut = await spent.month.step("cut")
    assert cut["cut_at"] is not None
    fault_evidence.tell("The wallet dies between the flip and the telling.")
    fault_evidence.saw("died at cut.after-flip", site.watchman.lost("wallet"))
    await spent.month.goes("closed")


async def test_wrong_answers_and_payments_change_nothing(
    town: Town, site: Site, bus: Bus, fault_evidence: Evidence
) -> None:
    spent = await spend(town)
    month = spent.month
    guangdong, sichuan, beijing = (
        Province(bus=bus, code=code, period=month.period) for code in (GUANGDONG, SICHUAN, BEIJING)
    )
    async with silent(town, GUANGDONG, SICHUAN):
        await month.goes("issued")
        await guangdong.answers("confirmed", version=2)
        await beijing.answers("confirmed")
        assert await said(month) == {GUANGDONG: None, SICHUAN: None, XPCC: "confirmed"}
        await guangdong.answers("disputed")
        assert (await said(month))[GUANGDONG] == "disputed"
        await guangdong.answers("confirmed")
        await guangdong.answers("disputed")
        assert (await said(month))[GUANGDONG] == "confirmed", "what is confirmed stays so"
        await site.watchman.kill("settlement")
        await site.watchman.ready_again("settlement")
        assert (await month.seen())["state"] == "issued", "Sichuan has not confirmed"

        owed, wrongs = await spent.owed(GUANGDONG), 0
        for wrong in (
            guangdong.pays(XPCC, owed + 1),
            guangdong.pays(XPCC, owed, version=2),
            guangdong.pays(BEIJING, 1),
            guangdong.pays(XPCC, owed, tier="province_city"),
            sichuan.pays(XPCC, owed, payer=GUANGDONG),
        ):
            await wrong
            assert await spent.owed(GUANGDONG) == owed
            wrongs += 1
        fault_evidence.tell("Provinces answer and pay wrongly, late and twice.")
        fault_evidence.saw("wrong payments that changed nothing", wrongs)
        half = await guangdong.pays(XPCC, owed // 2)
        await site.watchman.kill("settlement")
        await site.watchman.ready_again("settlement")
        await guangdong.pays(XPCC, owed // 2, event_id=half)
        assert await spent.owed(GUANGDONG) == owed - owed // 2, "a fact told twice counts once"
        await guangdong.pays(XPCC, owed - owed // 2)
        assert await spent.owed(GUANGDONG) == 0

        await sichuan.answers("confirmed")
        assert (await month.seen())["state"] == "confirmed"
        assert (await month.clerk.ask("POST", f"{month.path}/close", {})).code == "wrong-state"
        await sichuan.pays(XPCC, await spent.owed(SICHUAN))
        await month.goes("closed")
    # Those that were silent confirm and pay now, as they would have: it was done already.
    await bus.caught_up(within=40)
    assert (await month.seen())["state"] == "closed"


async def said(month: MonthTold) -> dict[str, str | None]:
    told = await month.seen()
    return {each["province"]: each["answer"] for each in told["answers"]}


async def test_two_settlements_take_a_month_through_every_step_once(
    town: Town, site: Site, bus: Bus, fault_evidence: Evidence
) -> None:
    """Steps are asked of both at the same time, eight times; all are answered alike."""
    second = site.begin("settlement", "all", "settlement-second")
    await site.watchman.first_ready(second)
    groups = [each for each in await bus.groups() if each.startswith("settlement")]
    try:
        for group in groups:
            held = await bus.shared(group, 2)
            fault_evidence.saw(f"members of {group}", sorted(held))
        fault_evidence.tell("Two settlements are each asked for each step four times at once.")
        spent = await spend(town)
        month = spent.month
        await at_rest(site, bus)
        assert len({body for _, body in await at_once(town, site, month, "cut", "wallet")}) <= 2
        await month.reaches("balanced")
        for verb, state in (("issue", "issued"), ("close", "closed")):
            answers = await at_once(town, site, month, verb, "settlement")
            assert {status for status, _ in answers} == {200}
            assert {json.loads(body)["digest"] for _, body in answers} == {
                (await month.seen())["digest"]
            }
            await month.reaches("paid" if verb == "issue" else state)
        closed = await at_once(town, site, month, "close", "settlement")
        assert len(set(closed)) == 1, "once it is closed not a byte changes"
        for group in groups:
            await bus.shared(group, 2)
    finally:
        await site.watchman.stop(second)


async def at_once(
    town: Town, site: Site, month: MonthTold, verb: str, service: str
) -> list[tuple[int, str]]:
    """Ask for a step of every process of a service, as the gateway does, before any answers."""
    ports = [site.watchman[name].program.env["PORT"] for name in site.named(service, "all")]
    told = json.dumps({"period": month.period, "instance": month.path}).encode()
    letters = [
        Letter(
            method="POST",
            url=f"http://127.0.0.1:{ports[n % len(ports)]}/internal/periods/{verb}",
            headers={"authorization": f"Bearer {site.service_token}", "content-type": JSON},
            body=told,
        )
        for n in range(8)
    ]
    given = [said.of(200) for said in await volley(letters)]
    return [(each["status"], each["body"]) for each in given]


@pytest.mark.rule("R16")
async def test_a_prefund_that_is_too_small_is_warned_of_once_and_holds_no_month_up(
    town: Town, site: Site, bus: Bus, fault_evidence: Evidence
) -> None:
    month = await open_month(town)
    before = await prefund(town)
    enough = 2 * before["amount_fen"] + 10_000
    family = await family_of(town, available_fen=enough)
    warnings = len(await warned(bus))
    async with silent(town, GUANGDONG):
        (await town.counter().pay(family.token, enough - 2_000)).of(201)
        await becomes(town, "red")
        (await town.counter().pay(family.token, 1_000)).of(201)
        await at_rest(site, bus)
        raised = (await warned(bus))[warnings:]
        fault_evidence.tell("More is spent than the prefund is good for.")
        fault_evidence.saw("levels it was warned of", [each["level"] for each in raised])
        assert [each["level"] for each in raised].count("red") == 1
        assert (await prefund(town))["amount_fen"] == before["amount_fen"], "nobody has topped up"
        await month.goes("issued")
    await month.goes("closed")
    after = await becomes(town, "green")
    assert after["amount_fen"] > before["amount_fen"]
    assert after["used_fen"] <= 0, "what was paid is free again"


async def prefund(town: Town) -> dict[str, Any]:
    """What Guangdong has deposited with the XPCC; zeros before its first line."""
    clerk = await clerk_of(town.world, "clearing")
    listed = (await clerk.ask("GET", "/v1/prefunds")).of(200)["items"]
    found = [each for each in listed if (each["debtor"], each["creditor"]) == (GUANGDONG, XPCC)]
    return found[0] if found else {"amount_fen": 0, "used_fen": 0}


async def becomes(town: Town, level: str) -> dict[str, Any]:
    async def is_so() -> dict[str, Any] | None:
        found = await prefund(town)
        return found if found.get("level") == level else None

    return await until(is_so, f"the prefund is {level}", 40)


async def warned(bus: Bus) -> list[dict[str, str]]:
    return [
        json.loads(each.value)
        for each in await bus.read(to_province(GUANGDONG).name)
        if each.header("ce_type") == PrefundWarned.TYPE
    ]
