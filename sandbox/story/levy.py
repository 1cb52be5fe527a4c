"""Premiums: one fund accepts and is paid, another refuses and the money is free again (R10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sandbox.citizen import Citizen
from sandbox.story.opening import quota_of, succeeded
from sandbox.story.teller import Teller, yuan
from sandbox.story.town import Town, expect, until

ACCEPTED_FEN, REFUSED_FEN = 20_000, 6_000
BOOKS = ("available", "held", "spent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Levy:
    """A year's premiums of one person; who shares with them asks."""

    town: Town
    tell: Teller
    asker: Citizen
    insured: Citizen
    quota_id: str

    async def play(self) -> None:
        """One premium accepted, one refused. Raises Broken, NotAnswered."""
        self.tell.chapter("缴费", "Premiums")
        self.tell.step(
            f"女儿为母亲缴纳居民医保 {yuan(ACCEPTED_FEN)} 元：先冻结，兵团收讫后才扣；"
            f"长护险 {yuan(REFUSED_FEN)} 元被拒，全额释放",
            f"The daughter pays her mother's premium of {yuan(ACCEPTED_FEN)}: held, and spent once "
            f"its own fund accepts it; the fund of long-term care refuses {yuan(REFUSED_FEN)}",
        )
        before = await self.books()
        await self.ask("390", ACCEPTED_FEN)
        spent = {**before, "available": before["available"] - ACCEPTED_FEN}
        spent["spent"] += ACCEPTED_FEN
        await self.becomes(spent, "the fund accepts the premium")
        self.tell.good("基金收讫，额度转为已用 · accepted, and only then spent (R10)")

        await self.town.behave(self.insured.province, premium="refuse")
        await self.ask("410", REFUSED_FEN)
        await self.becomes(spent, "the fund refuses the premium")
        await self.town.behave(self.insured.province)
        self.tell.good("基金拒收，额度恢复 · refused, and free again")

    async def ask(self, insutype: str, amount_fen: int) -> None:
        wallet = succeeded(await self.insured.get("/v1/me/wallet"), 200, "reading the wallet")
        asked: dict[str, Any] = {
            "person_id": wallet["person_id"],
            "insutype": insutype,
            "year": 2027,
            "levy_no": f"L-{uuid4()}",
            "amount_fen": amount_fen,
        }
        payment = succeeded(await self.asker.post("/v1/me/premiums", asked), 202, "the premium")
        expect(payment["state"] == "held", f"it is held at first: {payment['state']}")
        expect(payment["expires_at"] is None, "it waits for its fund, however long")

    async def books(self) -> dict[str, int]:
        quota = await quota_of(self.asker, self.quota_id)
        return {book: int(quota[f"{book}_fen"]) for book in BOOKS}

    async def becomes(self, wanted: dict[str, int], what: str) -> None:
        async def settled() -> bool | None:
            return True if await self.books() == wanted else None

        await until(settled, what)
