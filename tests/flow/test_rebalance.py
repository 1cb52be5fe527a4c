"""Two consumers a service, and a third that comes and goes while events stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.support.town import Site, Town
from tests.support.town_bus import Bus, Holding, bus_of
from tests.support.town_people import Citizen, Counter
from tests.support.town_until import until

READERS = ("relations", "wallet", "settlement")
FAMILIES = 4
STREAMED = 30
"""Payments that each stage of the rebalance has to see at least."""


class Stream:
    """Payments and raises, one after another in each family, until told to stop."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._ended = asyncio.Event()
        self.paid = 0

    async def of_family(self, sharer: Citizen, relation_id: str, token: str) -> None:
        while not self._ended.is_set():
            for _ in range(5):
                (await self._counter.pay(token, 100)).of(201)
                self.paid += 1
            # What was spent is given again, so that provinces and relations hear something too.
            (await sharer.set_quota(relation_id, 100_000)).of(202)
            quotas = (await sharer.ask("GET", "/v1/me/quotas")).of(200)["items"]
            await sharer.settled_quota(quotas[0]["quota_id"], within=45.0)

    async def goes_on(self) -> None:
        """Wait until it has moved a while."""
        already = self.paid

        async def moved() -> bool:
            return self.paid >= already + STREAMED

        await until(moved, "the stream goes on", 45)

    def end(self) -> None:
        self._ended.set()


async def family_of(town: Town) -> tuple[Citizen, str, str]:
    sharer = await town.world.citizen("440300", employee=True, balance_fen=10_000_000)
    beneficiary = await town.world.citizen("659002", employee=False)
    relation_id = await sharer.share_with(beneficiary)
    await sharer.raise_quota(relation_id, 100_000)
    return sharer, relation_id, await town.counter().token(beneficiary)


async def changed(
    bus: Bus, before: dict[str, Holding], members: int, change: Callable[[], object]
) -> dict[str, Holding]:
    """Every group's assignment after a change, which has to differ from the one before."""
    change()
    now = {group: await bus.shared(group, members) for group in before}
    for group, held in now.items():
        assert set(held.values()) != set(before[group].values()), f"{group} was not rebalanced"
        assert sum(map(len, held.values())) == sum(map(len, before[group].values()))
    return now


async def test_a_third_consumer_comes_and_goes_and_nothing_is_lost_or_double(
    town: Town, site: Site
) -> None:
    families = await asyncio.gather(*(family_of(town) for _ in range(FAMILIES)))
    stream = Stream(town.counter())
    async with bus_of(site.broker) as bus, asyncio.TaskGroup() as group:
        running = [group.create_task(stream.of_family(*family)) for family in families]
        groups = [each for each in await bus.groups() if each.split(".")[0] in READERS]
        assert {each.split(".")[0] for each in groups} == set(READERS)
        two = {name: await bus.shared(name, 2) for name in groups}
        await stream.goes_on()

        third: list[str] = []
        three = await changed(
            bus,
            two,
            3,
            lambda: third.extend(site.begin(each, "consume", f"{each}-third") for each in READERS),
        )
        await stream.goes_on()

        await site.watchman.stop(*third)
        await changed(bus, three, 2, lambda: None)
        await stream.goes_on()
        stream.end()
        await asyncio.gather(*running)
    await each_payment_has_its_line(town, site)
    for service in (*READERS, "sandbox"):
        assert await site.rows(service, "SELECT reason, topic, key FROM parked") == []


async def each_payment_has_its_line(town: Town, site: Site) -> None:
    told = {each.key for each in town.messenger.history if each.status == 201}
    paid = await site.rows(
        "wallet",
        """
        SELECT allocation.payment_id, allocation.quota_id, allocation.amount
        FROM receipt
        JOIN allocation ON allocation.payment_id = (receipt.body::json ->> 'payment_id')::uuid
        WHERE receipt.key = ANY($1::text[])
        """,
        sorted(told),
    )
    assert len(paid) == len(told)
    wanted = {tuple(row) for row in paid}

    async def recorded() -> bool:
        lines = await site.rows(
            "settlement",
            "SELECT payment_id, quota_id, amount FROM line WHERE payment_id = ANY($1::uuid[])",
            [row["payment_id"] for row in paid],
        )
        assert len(lines) <= len(wanted)
        return {tuple(row) for row in lines} == wanted

    await until(recorded, "settlement has a line of each payment, and one only")
