"""Steps of a clerk's table about the end of a relation, insurances and registrations.

end       R1   by WANG                    ended
decline   R1   by MA                      declined
insured   WANG suspended                  suspended
becomes   R1   suspended
registered MA  until 2026-01-02
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tests.support.town_people import Citizen, province_of
from tests.support.town_until import until

if TYPE_CHECKING:
    from tests.support.town import Town

FINAL = {"end": "ended", "decline": "declined"}


async def end(town: Town, words: Sequence[str]) -> None:
    await _leave(town, "end", words)


async def decline(town: Town, words: Sequence[str]) -> None:
    await _leave(town, "decline", words)


async def _leave(town: Town, way: str, words: Sequence[str]) -> None:
    name, by, who, outcome = words
    assert by == "by", f"{way} RELATION by WHO OUTCOME"
    relation, person = town.names[name], town.names[who]
    said = await person.ask("POST", f"/v1/me/relations/{relation.relation_id}/{way}", {})
    if outcome != FINAL[way]:
        assert said.code == outcome, said.body
        return
    assert said.status in (200, 202), said.body
    await becomes(town, [name, outcome])


async def becomes(town: Town, words: Sequence[str]) -> None:
    """What follows from what others told is waited for."""
    name, state = words
    relation = town.names[name]
    seen = ""

    async def has_come() -> bool:
        nonlocal seen
        path = f"/v1/me/relations/{relation.relation_id}"
        seen = str((await relation.sharer.ask("GET", path)).of(200)["state"])
        return seen == state

    try:
        await until(has_come, f"the relation is {state}")
    except AssertionError:
        assert seen == state


async def insured(town: Town, words: Sequence[str]) -> None:
    """The person's province tells: active, suspended, ended, moved or deceased."""
    name, status = words
    person: Citizen = town.names[name]
    told: dict[str, Any] = {"psn_no": person.psn_no, "status": status}
    if status == "deceased":
        told |= {"status": "ended", "reason": "deceased"}
    await town.world.ask("POST", f"/provinces/{province_of(person.area)}/enrolments", told)


async def registered(town: Town, words: Sequence[str]) -> None:
    """Where the person may be treated is told, and has reached the wallet."""
    name, word, day = words
    assert word == "until", "registered WHO until DAY"
    person: Citizen = town.names[name]
    told = {
        "psn_no": person.psn_no,
        "mdtrtarea_admvs": "659002",
        "from": "2026-01-01",
        "to": day,
    }
    await town.world.ask("POST", f"/provinces/{province_of(person.area)}/registrations", told)

    async def is_known() -> bool:
        rows = await town.site.rows(
            "wallet", "SELECT registrations FROM wallet WHERE psn_no = $1", person.psn_no
        )
        return bool(rows) and day in rows[0]["registrations"]

    await until(is_known, "the wallet knows of the registration")
