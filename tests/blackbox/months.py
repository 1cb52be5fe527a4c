"""What stories of a month share: who paid in it, where it stands, what its statements say."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.blackbox.bus import Bus, Record
from tests.blackbox.until import until
from tests.blackbox.world import XPCC, Answer, Citizen, Clerk

SECONDS = 30.0
"""For what several conversations have to come to an end for."""

CITIES = (
    *("330100", "320100", "340100", "350100", "370100", "410100", "420100", "430100"),
    *("450100", "520100", "530100", "610100", "620100", "130100", "140100", "210100"),
)
STATES = ("open", "cut", "balanced", "issued", "confirmed", "paid", "closed")
SUMS = ("count", "sum_fen", "adjustments_count", "adjustments_fen")
KINDS = ("outpatient", "inpatient", "pharmacy", "premium_390", "premium_410")


def province_of(pool: str) -> str:
    """Of the pools that stories are told of."""
    return XPCC if pool.startswith("659") else f"{pool[:2]}0000"


def following(month: str) -> str:
    year, number = map(int, month.split("-"))
    return f"{year + number // 12}-{number % 12 + 1:02}"


def before(month: str) -> str:
    year, number = map(int, month.split("-"))
    return f"{year - (number == 1)}-{(number - 2) % 12 + 1:02}"


def prefunds(clerk: Clerk) -> dict[tuple[str, str], dict[str, Any]]:
    """All of them, page by page."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        told = clerk.ask("GET", f"/v1/prefunds?limit=100{cursor}").of(200)
        assert set(told) == {"items", "next_cursor", "as_of"}
        found += told["items"]
        if told["next_cursor"] is None:
            break
        cursor = f"&cursor={told['next_cursor']}"
    pairs = {(each["debtor"], each["creditor"]): each for each in found}
    assert len(pairs) == len(found), "a pair stands once"
    return pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """Somebody whose whole province has paid nothing before, and a parent at Alar."""

    pool: str
    beneficiary: Citizen
    first: dict[str, Any]
    second: dict[str, Any]

    @property
    def province(self) -> str:
        return province_of(self.pool)


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What was answered on the way of a month, step by step; after the cut there was a refund."""

    month: str
    town: Town
    clerk: Clerk
    said: Mapping[str, Answer]
    used: Mapping[str, int]


def cut_before(clerk: Clerk, month: str) -> None:
    """Months that nobody has cut yet are cut first, the oldest of them first."""
    earlier: list[str] = []
    while True:
        month = before(month)
        found = clerk.ask("GET", f"/v1/periods/{month}")
        if found.status == 404 or found.json["state"] != "open":
            break
        earlier.append(month)
    for each in reversed(earlier):
        clerk.step(each, "cut").of(200)


def until_used(clerk: Clerk, town: Town, used_fen: int) -> int:
    """Wait until this much of the prefund of the province with Alar's is used."""
    pair = (town.province, XPCC)

    def used() -> bool:
        found = prefunds(clerk).get(pair)
        return found is not None and found["used_fen"] == used_fen

    until(used, f"{used_fen} of the prefund is used", SECONDS)
    return used_fen


Lines = dict[tuple[str, str, str], tuple[int, ...]]


def lines_of(life: Life, month: str, tier: str, **of: str) -> Lines:
    """A statement's lines by debtor, creditor and kind, its totals checked."""
    told = life.clerk.statement(month, tier, **of).of(200)
    assert {"period", "tier", "version", "digest", "lines", "totals"} <= set(told)
    assert (told["period"], told["tier"]) == (month, tier)
    assert isinstance(told["version"], int)
    assert told["digest"]
    for each in told["lines"]:
        assert set(each) >= {"debtor", "creditor", "kind", *SUMS}
        assert each["kind"] in KINDS
    totals = {name: sum(each[name] for each in told["lines"]) for name in SUMS}
    assert {name: told["totals"][name] for name in SUMS} == totals
    lines = {
        (each["debtor"], each["creditor"], each["kind"]): tuple(each[name] for name in SUMS)
        for each in told["lines"]
    }
    assert len(lines) == len(told["lines"]), "a line stands once"
    return lines


def added(lines: Iterable[tuple[tuple[str, ...], tuple[int, ...]]]) -> dict[tuple[str, ...], Any]:
    """Lines of one name added up; what comes to nothing at all is left out."""
    tallies: dict[tuple[str, ...], Tally[str]] = {}
    for name, sums in lines:
        tally = tallies.setdefault(name, Tally())
        for each, value in zip(SUMS, sums, strict=True):
            tally[each] += value
    return {name: tuple(tally[each] for each in SUMS) for name, tally in tallies.items()}


def records(bus: Bus, topic: str, event: str, month: str) -> list[Record]:
    """What is told of a month, each once; all of it is under its key."""
    found = {
        record.header("ce_id"): record
        for record in bus.read(topic)
        if record.type == event and record.json["period"] == month
    }
    assert all(record.key == month.encode() for record in found.values())
    return list(found.values())
