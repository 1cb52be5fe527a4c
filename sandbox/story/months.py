"""The months: cut, balanced, issued, confirmed, paid and closed, to the fen (R15, R16, R22).

The month of the story, the next one, which holds nothing but a refund of it, and an empty one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.clerk import Clerk
from sandbox.institution import Institution, Trace
from sandbox.story.cast import SICHUAN, XPCC, province_named
from sandbox.story.chaos import Killer
from sandbox.story.opening import succeeded
from sandbox.story.record import MonthTold
from sandbox.story.shares import Line, Shares
from sandbox.story.teller import Teller, yuan
from sandbox.story.town import Town, expect, until

GIVEN_BACK_FEN = 10_000

STATES = ("open", "cut", "balanced", "issued", "confirmed", "paid", "closed")
KINDS = {
    "outpatient": "门诊",
    "inpatient": "住院",
    "pharmacy": "药店",
    "premium_390": "居民医保缴费",
    "premium_410": "长护险缴费",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Months:
    """A clerk closes three months; a killer strikes when the first of them is cut."""

    town: Town
    tell: Teller
    clerk: Clerk
    pharmacy: Institution
    institutions: Mapping[str, Institution]
    payment: dict[str, Any]
    shares: Shares
    killer: Killer | None

    async def play(self) -> list[MonthTold]:
        """The three months, closed. Raises Broken, NotAnswered."""
        self.tell.chapter("月结", "The months")
        first = str(self.payment["period"])
        await self.catch_up(first)
        await self.cut(first)
        owed = Owed.of(self.shares)
        refund = await self.give_back(first)
        return [
            await self.settle(first, owed),
            await self.the_next_one(following(first), refund),
            await self.an_empty_one(following(following(first))),
        ]

    async def catch_up(self, first: str) -> None:
        """Whatever was left open before the story's month comes first, as on any day."""
        earlier = preceding(first)
        left: list[str] = []
        while (seen := await self.clerk.get(f"/v1/periods/{earlier}")).status == 200:
            if seen.json()["state"] != "open":
                break
            left.append(earlier)
            earlier = preceding(earlier)
        for period in reversed(left):
            await self.close(period)
            self.tell.note(f"{period} 先行关账 · what was still open before is closed first")

    async def cut(self, period: str) -> None:
        self.tell.step(
            f"清算经办{self.clerk.name}切割 {period}：此后的业务一律归入下月",
            f"A clerk cuts {period}: whatever happens from now on falls into the next month",
        )
        killer = self.killer
        trace = None if killer is None else killer.at_the_cut
        cut = await self.step(period, "cut", trace=trace)
        expect(cut["cut_at"] is not None, f"it is cut: {cut}")
        if killer is not None:
            await self.survive(killer, period)
        self.tell.good(f"{period} 已切割 · cut at {cut['cut_at']}")

    async def survive(self, killer: Killer, period: str) -> None:
        """Killed when the month was cut, and back before it balanced."""
        pid = await killer.died()
        self.tell.note(f"kill -9 {killer.name} ({pid})：切割之际 · while the month was cut")
        back = await killer.came_back()
        self.tell.good(f"{killer.name} 已死（{pid}）并恢复（{back}）· it died and came back")
        balanced = await self.reaches(period, "balanced")
        at = datetime.fromisoformat(balanced["balanced_at"])
        assert killer.killed_at is not None
        after = at > killer.killed_at
        # The wallet has told its totals before it answers: who hears them may be quicker than us.
        expect(after or killer.name == "wallet", f"killed at {killer.killed_at}, balanced at {at}")
        if after:
            self.tell.good("恢复之后才轧平 · and the month balanced after that")
        else:
            self.tell.note(f"轧平已先完成 · it had balanced a moment before: {at}")

    async def give_back(self, period: str) -> dict[str, Any]:
        """The pharmacy refunds a payment of the month that was just cut."""
        self.tell.step(
            f"切割之后，药店退回 {yuan(GIVEN_BACK_FEN)} 元：红字记入下月，并指明原支付（R22）",
            f"After the cut the pharmacy refunds {yuan(GIVEN_BACK_FEN)} of a payment: that falls "
            "into the next month, and names its original",
        )
        asked = {"amount_fen": GIVEN_BACK_FEN, "reason": "returned unopened"}
        path = f"/v1/payments/{self.payment['payment_id']}/refunds"
        refund: dict[str, Any] = succeeded(
            await self.pharmacy.post(path, asked), 201, "refunding after the cut"
        )
        expect(refund["period"] == following(period), f"it falls into the next month: {refund}")
        share = self.shares.of("son", "mother")
        self.shares.spend(share, -GIVEN_BACK_FEN, self.pharmacy.mdtrtarea_admvs, "pharmacy")
        self.tell.good(f"{refund['refund_id']} → {refund['period']}")
        return refund

    async def settle(self, period: str, owed: Owed) -> MonthTold:
        self.tell.step(
            f"{period} 自动轧平，经办签发；各省确认并全额划拨，经办关账",
            f"{period} balances by itself, and the clerk issues it; the provinces confirm it and "
            "pay in full, gross; the clerk closes it",
        )
        issued = await self.issue(period)
        self.tell.good(
            f"轧平并签发 {issued['count']} 行，{yuan(issued['sum_fen'])} 元 · "
            f"balanced and issued, digest {issued['digest'][:16]}…"
        )
        statement = await self.statement(period)
        owed.stand_in(statement)
        self.matrix(statement)
        institutions = await self.their_own(period, statement)
        told = await self.pay_and_close(period)
        await self.prefunds()
        return MonthTold(period=told, statement=statement, institutions=institutions)

    async def their_own(self, period: str, statement: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """What each institution reads of its own: parts of the same month."""
        found: dict[str, dict[str, Any]] = {}
        for code, institution in self.institutions.items():
            path = f"/v1/periods/{period}/statements?tier=institution"
            own = succeeded(await institution.get(path), 200, f"{code} reads its statement")
            expect(own["digest"] == statement["digest"], f"it is of the same month: {own}")
            found[code] = own
        self.tell.table(
            ["机构 institution", "", "级别 level", "笔数", "金额 sum"],
            [
                [
                    *(code, self.institutions[code].name, self.institutions[code].level),
                    *(str(own["totals"]["count"]), yuan(own["totals"]["sum_fen"])),
                ]
                for code, own in found.items()
            ],
            right=[3, 4],
        )
        self.tell.good(
            "各机构自查，同一摘要 · each institution reads its own part, under the same digest"
        )
        return found

    async def the_next_one(self, period: str, refund: dict[str, Any]) -> MonthTold:
        self.tell.step(
            f"{period}：只有那笔退费，红字冲往期",
            f"{period}: nothing but the refund of the month before",
        )
        await self.step(period, "cut")
        await self.issue(period)
        statement = await self.statement(period)
        self.matrix(statement)
        late = [
            each
            for each in statement["lines"]
            if (each["debtor"], each["creditor"]) == (SICHUAN, XPCC) and each["adjustments_count"]
        ]
        expect(len(late) == 1, f"the refund stands apart, as an adjustment: {statement}")
        self.tell.good(
            f"往期调整 {yuan(late[0]['adjustments_fen'])} 元：{refund['refund_id']} 冲 "
            f"{refund['payment_id']}（{self.payment['period']}）· an adjustment, and its original"
        )
        return MonthTold(period=await self.pay_and_close(period), statement=statement)

    async def an_empty_one(self, period: str) -> MonthTold:
        self.tell.step(
            f"{period}：没有业务，照样切割、轧平、关账",
            f"{period}: nothing happened in it; it is cut, balanced and closed all the same",
        )
        closed = await self.close(period)
        self.tell.good(
            f"{closed['count']} 行 lines, {yuan(closed['sum_fen'])} · 关账 {closed['state']}"
        )
        return MonthTold(period=closed, statement=await self.statement(period))

    async def close(self, period: str) -> dict[str, Any]:
        """All steps of a month, one after the other."""
        await self.step(period, "cut")
        await self.issue(period)
        await self.reaches(period, "paid")
        return await self.step(period, "close")

    async def issue(self, period: str) -> dict[str, Any]:
        balanced = await self.reaches(period, "balanced")
        expect(not balanced["differences"], f"nothing differs: {balanced}")
        return await self.step(period, "issue")

    async def pay_and_close(self, period: str) -> dict[str, Any]:
        """The month, closed: once the provinces have confirmed and paid by themselves.

        Closed twice, it is the same to the byte.
        """
        paid = await self.reaches(period, "paid")
        expect(all(each["answer"] == "confirmed" for each in paid["answers"]), f"all agree: {paid}")
        expect(
            all(each["paid_fen"] == each["amount_fen"] for each in paid["transfers"]),
            f"all is paid: {paid}",
        )
        self.tell.table(
            ["付款 payer", "收款 payee", "应付 owed", "已付 paid"],
            [
                [
                    *(province_named(each["payer"]), province_named(each["payee"])),
                    *(yuan(each["amount_fen"]), yuan(each["paid_fen"])),
                ]
                for each in paid["transfers"]
            ],
            right=[2, 3],
        )
        path = f"/v1/periods/{period}/close"
        once, again = await self.clerk.post(path), await self.clerk.post(path)
        expect(succeeded(once, 200, "closing")["state"] == "closed", f"it is closed: {once.text}")
        expect(again.text == once.text, f"closed again, byte for byte: {again.text}")
        self.tell.good(f"{period} 已关账，重复关账逐字节相同 · closed, and again: the same bytes")
        closed: dict[str, Any] = once.json()
        return closed

    async def prefunds(self) -> None:
        """What the provinces have deposited with the place of care, and what of it is used."""
        listed = succeeded(await self.clerk.get("/v1/prefunds"), 200, "reading prefunds")
        self.tell.table(
            ["预付方 debtor", "存放 creditor", "预付金 deposited", "已用 used", "%", "级别 level"],
            [
                [
                    *(province_named(each["debtor"]), province_named(each["creditor"])),
                    *(yuan(each["amount_fen"]), yuan(each["used_fen"])),
                    *(str(each["ratio_percent"]), each["level"]),
                ]
                for each in listed["items"]
            ],
            right=[2, 3, 4],
        )

    async def statement(self, period: str) -> dict[str, Any]:
        path = f"/v1/periods/{period}/statements?tier=national"
        statement: dict[str, Any] = succeeded(
            await self.clerk.get(path), 200, "the national statement"
        )
        return statement

    def matrix(self, statement: dict[str, Any]) -> None:
        self.tell.table(
            ["应付 debtor", "应收 creditor", "类别 kind", "笔数", "金额 sum", "其中往期 adjusted"],
            [
                [
                    *(province_named(each["debtor"]), province_named(each["creditor"])),
                    *(f"{KINDS[each['kind']]} {each['kind']}", str(each["count"])),
                    *(yuan(each["sum_fen"]), yuan(each["adjustments_fen"])),
                ]
                for each in (*statement["lines"], *statement["diagonal"])
            ],
            right=[3, 4, 5],
        )

    async def step(self, period: str, verb: str, *, trace: Trace | None = None) -> dict[str, Any]:
        reply = await self.clerk.post(f"/v1/periods/{period}/{verb}", trace=trace)
        became: dict[str, Any] = succeeded(reply, 200, f"{verb} {period}")
        return became

    async def reaches(self, period: str, state: str) -> dict[str, Any]:
        """The month once it is so far, or farther."""

        async def is_so_far() -> dict[str, Any] | None:
            seen: dict[str, Any] = succeeded(
                await self.clerk.get(f"/v1/periods/{period}"), 200, f"reading {period}"
            )
            return seen if STATES.index(seen["state"]) >= STATES.index(state) else None

        return await until(is_so_far, f"{period} is {state}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """What the story has spent, line by line, in fen, and in how many lines."""

    sums: Mapping[Line, int]
    counts: Mapping[Line, int]

    @classmethod
    def of(cls, shares: Shares) -> Owed:
        """As it stands now, whatever is spent or given back later."""
        return cls(sums=dict(shares.owed), counts=dict(shares.lines))

    def stand_in(self, statement: Mapping[str, Any]) -> None:
        """Raise Broken unless all of it is in the national statement, to the fen.

        Others may use the stack, too: where a line counts more than ours, it is only there.
        """
        told = {
            (each["debtor"], each["creditor"], each["kind"]): each
            for each in (*statement["lines"], *statement["diagonal"])
        }
        for line, wanted in self.sums.items():
            expect(line in told, f"{line} is in the statement: {statement}")
            seen, ours = told[line], self.counts[line]
            expect(seen["count"] >= ours, f"{line} counts {ours}: {seen}")
            expect(seen["count"] > ours or seen["sum_fen"] == wanted, f"{line}: {wanted}, {seen}")


def following(period: str) -> str:
    """The month after this one."""
    return moved(period, 1)


def preceding(period: str) -> str:
    return moved(period, -1)


def moved(period: str, months: int) -> str:
    year, month = map(int, period.split("-"))
    number = 12 * year + month - 1 + months
    return f"{number // 12:04}-{number % 12 + 1:02}"
