"""F13: what makes no sense is parked at once with its reason, and its partition goes on."""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from functools import partial

import pytest

from contracts.topics import ALL
from tests.support.fault_evidence import Evidence
from tests.support.town import Site, Town
from tests.support.town_bus import Bus
from tests.support.town_families import SHENZHEN, family_of, pair_of
from tests.support.town_poison import (
    BORDER_POISONS,
    HEARD,
    POISONS,
    Heard,
    Spoil,
    block,
    free,
    key_beside,
    parked,
    waits_behind,
)
from tests.support.town_rows import at_rest, changed, rows_of
from tests.support.town_until import until

PARTITIONS = {topic.name: topic.partitions for topic in ALL}
Sent = dict[str, tuple[str, bytes]]
"""Key of a poisonous record → why it is parked, and its body."""

BY_TOPIC = {heard.topic: heard for heard in HEARD}
PARKED_WITHIN_SECONDS = 5.0
"""A second on a machine of its own; this one runs a town and a few tests beside it."""


async def test_every_topic_that_is_read_is_poisoned_here(bus: Bus) -> None:
    read: set[str] = set()
    poisoned = {each for each in BY_TOPIC if each.partition(".")[0] not in ("from", "to")}

    async def everybody_reads() -> bool:
        holdings = [await bus.members(group) for group in await bus.groups()]
        read.clear()
        for members in holdings:
            for parts in (members or {}).values():
                read.update(bus.logical(topic) for topic, _ in parts)
        border = {"from", "to"} <= {each.partition(".")[0] for each in read}
        return all(holdings) and border and poisoned <= read

    # Groups take their time to form; the outside world joins its own after it said it is ready.
    await until(everybody_reads, "every group has its members")
    assert {each for each in read if each.partition(".")[0] not in ("from", "to")} == poisoned


@pytest.mark.fault("F13")
async def test_poison_is_parked_at_once_and_its_partition_goes_on(
    town: Town, site: Site, bus: Bus, fault_evidence: Evidence
) -> None:
    family = await family_of(town)
    payment = (await town.counter().pay(family.token, 100)).of(201)
    beside = dict.fromkeys(BY_TOPIC, str(payment["person_id"]))
    beside |= {"from.440000": family.sharer.psn_no, "to.440000": family.quota_id}
    await at_rest(site, bus)
    before = await rows_of(site)

    told = await asyncio.gather(
        *(_poisoned(site, bus, heard, beside[topic]) for topic, heard in BY_TOPIC.items())
    )
    await asyncio.gather(
        *(
            until(partial(all_told, bus, service, heard, sent), f"dead letters of {heard.topic}")
            for heard, sent in zip(BY_TOPIC.values(), told, strict=True)
            for service in heard.services
        )
    )
    await at_rest(site, bus)
    assert changed(before, await rows_of(site)) == sorted(
        {f"{service}.parked" for heard in HEARD for service in heard.services}
    )

    fault_evidence.tell("Every poison on every topic that is read, beside a family that lives on.")
    reasons = Tally(why for sent in told for why, _ in sent.values())
    fault_evidence.saw("parked, by reason", dict(reasons))
    # The very same partitions bring what comes after.
    await family.sharer.raise_quota(family.relation_id, 100_000)
    (await town.counter().pay(family.token, 100)).of(201)


async def _poisoned(site: Site, bus: Bus, heard: Heard, beside: str) -> Sent:
    """Every poison of a topic, in the partition of this key, each seen to be parked in time."""
    poisons = POISONS | (BORDER_POISONS if heard.topic.startswith("from.") else {})

    async def poisoned(name: str, reasons: str, spoil: Spoil) -> tuple[str, tuple[str, bytes]]:
        key = key_beside(beside.encode(), PARTITIONS[heard.topic])
        letter = spoil(heard, key)
        at = await bus.write(heard.topic, key.encode(), letter.value, letter.headers)
        for service in heard.services:
            why = await until(
                partial(parked, site, service, heard.topic, at),
                f"{name} on {heard.topic} is parked by {service}",
                PARKED_WITHIN_SECONDS,
            )
            assert why in reasons.split(), f"{name} on {heard.topic} was parked as {why}"
        return key, (why, letter.value)

    return dict(await asyncio.gather(*(poisoned(n, *how) for n, how in poisons.items())))


async def all_told(bus: Bus, service: str, heard: Heard, sent: Sent) -> bool:
    """Whether the dead letters are published, as they came and with their reasons."""
    told = {
        each.key.decode(): (each.header("dead_reason"), each.value)
        for each in await bus.read(f"dead.{service}")
        if each.header("dead_topic") == heard.topic
    }
    return sent.items() <= told.items()


@pytest.mark.fault("F13")
async def test_a_redrive_applies_what_waited_once(
    town: Town, site: Site, bus: Bus, fault_evidence: Evidence
) -> None:
    """Keys are blocked by poison, good records join them; a clerk frees them."""
    await asyncio.gather(
        _a_relation_waits(town, site, bus),
        _a_payment_waits(town, site, bus),
        _an_enrolment_waits(town, site, bus),
    )
    fault_evidence.tell("Keys are blocked by poison and redriven; one redrive is killed.")
    fault_evidence.saw("redrives killed at", "redrive.after-perform")
    fault_evidence.holds("what waited behind the poison was applied once")


async def _a_relation_waits(town: Town, site: Site, bus: Bus) -> None:
    heard = BY_TOPIC["relations.relation"]
    sharer, beneficiary = await pair_of(town)
    wallet = (await beneficiary.ask("GET", "/v1/me/wallet")).of(200)
    at = await block(site, bus, heard, wallet["person_id"])
    proposed = (await sharer.propose("sharer", beneficiary)).of(201)
    (await beneficiary.confirm(proposed["relation_id"])).of(202)
    await waits_behind(site, heard, wallet["person_id"])
    told = (await sharer.ask("GET", f"/v1/me/relations/{proposed['relation_id']}")).of(200)
    assert told["state"] == "activating"

    await free(site, heard, wallet["person_id"], at)
    await sharer.becomes_active(proposed["relation_id"])
    await sharer.raise_quota(proposed["relation_id"], 1_000)


async def _a_payment_waits(town: Town, site: Site, bus: Bus) -> None:
    heard = BY_TOPIC["wallet.payment"]
    family = await family_of(town)
    first = (await town.counter().pay(family.token, 100)).of(201)
    at = await block(site, bus, heard, first["person_id"])
    second = (await town.counter().pay(family.token, 50)).of(201)
    await waits_behind(site, heard, first["person_id"])

    await free(site, heard, first["person_id"], at)
    lines = await site.rows(
        "settlement", "SELECT amount FROM line WHERE payment_id = $1", second["payment_id"]
    )
    assert [row["amount"] for row in lines] == [50]


async def _an_enrolment_waits(town: Town, site: Site, bus: Bus) -> None:
    """Killed between performing and saying so, the redrive performs again, to no effect (F01)."""
    heard = BY_TOPIC["from.440000"]
    person = await town.world.citizen(SHENZHEN, employee=True)
    at = await block(site, bus, heard, person.psn_no)
    await town.world.ask(
        "POST", "/provinces/440000/enrolments", {"psn_no": person.psn_no, "status": "suspended"}
    )
    await waits_behind(site, heard, person.psn_no)
    code, said = await site.command(heard.service, "parked", "discard", heard.topic, *map(str, at))
    assert code == 0, said

    reached = site.checkout.log("redrive").with_suffix(".reached")
    code, said = await site.command(
        heard.service,
        "parked",
        "redrive",
        heard.topic,
        person.psn_no,
        FAULTPOINTS="redrive.after-perform",
        FAULTPOINTS_REACHED=str(reached),
    )
    assert code == -9, said
    assert reached.read_text().split() == ["redrive.after-perform"]
    assert await versions_of(site, person.psn_no) == 2
    code, said = await site.command(heard.service, "parked", "redrive", heard.topic, person.psn_no)
    assert (code, said.split()[:2]) == (0, ["1", "performed,"]), said
    assert await versions_of(site, person.psn_no) == 2


async def versions_of(site: Site, psn_no: str) -> int:
    """How often relations told of a change of this person."""
    [row] = await site.rows(
        "relations",
        """
        SELECT count(*) AS n FROM outbox
        WHERE type = 'person.changed.v1' AND convert_from(data, 'UTF8')::json ->> 'psn_no' = $1
        """,
        psn_no,
    )
    return int(row["n"])
