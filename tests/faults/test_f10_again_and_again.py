"""F10: every message comes one to five times, and whole topics come again from their beginning."""

from __future__ import annotations

import random
from itertools import groupby

import pytest

from proof.adapters import Record
from tests.support.fault_evidence import Evidence
from tests.support.town import Site, Town
from tests.support.town_bus import Bus
from tests.support.town_poison import HEARD, block, free, waits_behind
from tests.support.town_rows import at_rest, changed, rows_of

READERS = ("relations", "wallet", "settlement", "gateway", "sandbox")
SEED = 20261121
STORY = """
    person   WANG at shenzhen employee 1000.00
    person   LIU  at chengdu  employee  500.00
    person   MA   at alar
    relation R1   WANG -> MA  parent          active
    relation R2   LIU  -> MA  parent          active
    quota    Q1   of R1       100.00          granted
    quota    Q2   of R2       900.00          refused
    quota    Q2                80.00          granted
    pay      P1   MA at alar   30.00          captured
    pay      P2   MA at alar   90.00          captured
    quota    Q2                20.00          lowered
    quota    Q1               200.00          granted
    pay      P3   MA at hospital 55.00        captured
"""


def several_times(records: list[Record], chance: random.Random) -> list[Record]:
    """Each nought to four times more, a key's in their order, with later ones in between."""
    again: list[Record] = []
    for _, of_partition in groupby(records, key=lambda each: (each.topic, each.partition)):
        window: list[Record] = []
        for record in of_partition:
            window = [*window[-2:], record]
            for _ in range(chance.randrange(5)):
                again.append(chance.choice(window))
    return again


@pytest.mark.fault("F10")
async def test_every_message_comes_up_to_five_times(
    town: Town, site: Site, bus: Bus, fault_evidence: Evidence
) -> None:
    await at_rest(site, bus)
    begun = {(each.topic, each.partition, each.offset) for each in await bus.read()}
    await town.tell(STORY)
    await at_rest(site, bus)
    before = await rows_of(site)
    told = [
        each
        for each in await bus.read()
        if (each.topic, each.partition, each.offset) not in begun
        and not each.topic.startswith("dead.")
    ]
    again = several_times(told, random.Random(SEED))
    assert len({each.topic for each in again}) >= 7
    assert len(again) > len(told)

    await bus.write_again(again)
    fault_evidence.tell("Each record of a story is written nought to four times more.")
    fault_evidence.saw("records written again", f"{len(again)} of {len(told)}")
    await at_rest(site, bus)
    assert changed(before, await rows_of(site)) == []


@pytest.mark.fault("F10")
async def test_whole_topics_come_again_from_their_beginning(
    town: Town, site: Site, bus: Bus, fault_evidence: Evidence
) -> None:
    await town.tell(STORY)
    await a_poison_is_given_up(town, site, bus)
    await at_rest(site, bus)
    before = await rows_of(site)

    await site.watchman.stop(*READERS)
    try:
        groups = await bus.groups()
        rewound = {group for group in groups if await bus.rewind(group)}
        assert {name.split(".")[0] for name in rewound} == set(READERS), rewound
        behind = sum([await bus.lag(group) for group in groups])
        assert behind > 2 * len(STORY.splitlines())
        fault_evidence.tell("All readers begin anew at offset 0.")
        fault_evidence.saw("records read again", behind)
        fault_evidence.saw("groups that begin anew", sorted(rewound))
    finally:
        site.begin_all(dict.fromkeys(READERS, ("all",)))
        await site.watchman.first_ready(*READERS)
    await at_rest(site, bus, within=60)
    assert changed(before, await rows_of(site)) == []
    fault_evidence.holds("no row of any table is another")


async def a_poison_is_given_up(town: Town, site: Site, bus: Bus) -> None:
    """Read again, it must not stand in the way of what came after it."""
    [heard] = [each for each in HEARD if each.topic == "wallet.payment"]
    payment = town.names["P1"].said.json
    at = await block(site, bus, heard, payment["person_id"])
    await town.tell("pay P4 MA at alar 1.00 captured")
    await waits_behind(site, heard, payment["person_id"])
    await free(site, heard, payment["person_id"], at)
