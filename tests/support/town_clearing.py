"""Steps of a clerk's table about months; M1 is the one that the next payment falls into.

month     M1   is open
month     M1   cut                       done, or waited for: open cut balanced issued ... closed
month     M1   close                     wrong-state
month     M2   after M1
owed      M1   440000 -> 660000  pharmacy  25.00
owed      M2   440000 -> 660000  pharmacy  -5.00  late -20.00
owed      M3   nothing
inside    M1   660000            pharmacy  10.00
transfer  M1   440000 -> 660000  25.00
says      M1   440000            disputed
prefund   440000 -> 660000       used 25.00  level green
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tests.support.town_clerks import Clerk, clerk_of
from tests.support.town_until import until

if TYPE_CHECKING:
    from tests.support.town import Town

STATES = ("open", "cut", "balanced", "issued", "confirmed", "paid", "closed")
STEPS = {"cut": "cut", "issued": "issue", "closed": "close"}
SETTLED_SECONDS = 30.0
"""A month goes through four services and as many provinces as it touches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthTold:
    """A month as a clerk for clearing has it before them."""

    clerk: Clerk
    period: str

    @property
    def path(self) -> str:
        return f"/v1/periods/{self.period}"

    async def seen(self) -> dict[str, Any]:
        told: dict[str, Any] = (await self.clerk.ask("GET", self.path)).of(200)
        return told

    async def step(self, verb: str) -> dict[str, Any]:
        told: dict[str, Any] = (await self.clerk.ask("POST", f"{self.path}/{verb}", {})).of(200)
        return told

    async def reaches(self, state: str, within: float = SETTLED_SECONDS) -> dict[str, Any]:
        """The month once it is so far, or farther."""
        told: dict[str, Any] = {}

        async def is_so_far() -> bool:
            told.update(await self.seen())
            return STATES.index(told["state"]) >= STATES.index(state)

        try:
            await until(is_so_far, f"{self.period} is {state}", within)
        except AssertionError as late:
            raise AssertionError(f"{late}: {told}") from None
        return told

    async def goes(self, state: str) -> dict[str, Any]:
        """Take it from wherever it is to this state; what happens by itself is waited for."""
        told = await self.seen()
        begun, ends = STATES.index(told["state"]), STATES.index(state)
        for each in STATES[begun + 1 : ends + 1]:
            if each in STEPS:
                await self.step(STEPS[each])
            told = await self.reaches(each)
        return told

    async def statement(self, tier: str = "national", **query: str) -> dict[str, Any]:
        asked = "&".join(f"{name}={value}" for name, value in {"tier": tier, **query}.items())
        path = f"{self.path}/statements?{asked}"
        told: dict[str, Any] = (await self.clerk.ask("GET", path)).of(200)
        return told


async def open_month(town: Town) -> MonthTold:
    """Where the next payment falls; what was still open before it is closed first."""
    clerk = await clerk_of(town.world, "clearing")
    now = datetime.now(ZoneInfo("Asia/Shanghai"))
    found = MonthTold(clerk=clerk, period=f"{now:%Y-%m}")
    while (await found.seen())["state"] != "open":
        found = moved(found, 1)
    await _close_what_was_open_before(found)
    return found


async def _close_what_was_open_before(month: MonthTold) -> None:
    before = moved(month, -1)
    said = await before.clerk.ask("GET", before.path)
    if said.status == 200 and said.json["state"] == "open":
        await _close_what_was_open_before(before)
        await before.goes("closed")


def moved(month: MonthTold, months: int) -> MonthTold:
    """So many months later."""
    year, number = map(int, month.period.split("-"))
    number = 12 * year + number - 1 + months
    return MonthTold(clerk=month.clerk, period=f"{number // 12}-{number % 12 + 1:02}")


async def month(town: Town, words: Sequence[str]) -> None:
    name, word, *rest = words
    if word == "is":
        assert rest == ["open"], "month NAME is open"
        town.names[name] = await open_month(town)
    elif word == "after":
        town.names[name] = moved(town.names[rest[0]], 1)
    elif rest:
        [code] = rest
        found: MonthTold = town.names[name]
        said = await found.clerk.ask("POST", f"{found.path}/{word}", {})
        assert said.code == code, said.body
    else:
        await town.names[name].goes(word)


async def owed(town: Town, words: Sequence[str]) -> None:
    """A line of the national statement, or that there is none."""
    name, *rest = words
    lines = (await town.names[name].statement())["lines"]
    if rest == ["nothing"]:
        assert lines == [], lines
        return
    debtor, arrow, creditor, kind, amount, *late = rest
    assert arrow == "->", "owed MONTH DEBTOR -> CREDITOR KIND AMOUNT [late AMOUNT]"
    found = {
        (each["debtor"], each["creditor"], each["kind"]): (
            yuan(each["sum_fen"]),
            yuan(each["adjustments_fen"]),
        )
        for each in lines
    }
    wanted = (amount, late[1] if late else "0.00")
    assert found.get((debtor, creditor, kind)) == wanted, found


async def inside(town: Town, words: Sequence[str]) -> None:
    name, province, kind, amount = words
    told = await town.names[name].statement()
    found = [
        yuan(each["sum_fen"])
        for each in told["diagonal"]
        if (each["debtor"], each["creditor"], each["kind"]) == (province, province, kind)
    ]
    assert found == [amount], told


async def transfer(town: Town, words: Sequence[str]) -> None:
    """What is owed of a month that is paid, all of it paid."""
    name, payer, arrow, payee, amount = words
    assert arrow == "->", "transfer MONTH PAYER -> PAYEE AMOUNT"
    told = await town.names[name].reaches("paid")
    found = {
        (each["payer"], each["payee"]): (yuan(each["amount_fen"]), yuan(each["paid_fen"]))
        for each in told["transfers"]
    }
    assert found.get((payer, payee)) == (amount, amount), found


async def says(town: Town, words: Sequence[str]) -> None:
    name, province, answer = words
    seen: dict[str, str] = {}

    async def has_said() -> bool:
        told = await town.names[name].seen()
        seen.update({each["province"]: each["answer"] or "nothing" for each in told["answers"]})
        return seen.get(province) == answer

    try:
        await until(has_said, f"{province} says {answer}")
    except AssertionError:
        assert seen.get(province) == answer, seen


async def prefund(town: Town, words: Sequence[str]) -> None:
    """What the debtor has with the creditor, as soon as it is so."""
    debtor, arrow, creditor, *rest = words
    assert arrow == "->", "prefund DEBTOR -> CREDITOR used AMOUNT [level LEVEL]"
    wanted = dict(zip(rest[::2], rest[1::2], strict=True))
    clerk = await clerk_of(town.world, "clearing")
    seen: dict[str, str] = {}

    async def is_so() -> bool:
        items = (await clerk.ask("GET", "/v1/prefunds")).of(200)["items"]
        for each in items:
            if (each["debtor"], each["creditor"]) == (debtor, creditor):
                seen.update(
                    used=yuan(each["used_fen"]),
                    deposited=yuan(each["amount_fen"]),
                    level=each["level"],
                )
        return {name: seen.get(name) for name in wanted} == wanted

    try:
        await until(is_so, "the prefund")
    except AssertionError:
        assert {name: seen.get(name) for name in wanted} == wanted


def yuan(amount: int) -> str:
    """What was given back is below zero."""
    return f"{'-' if amount < 0 else ''}{abs(amount) // 100}.{abs(amount) % 100:02}"
