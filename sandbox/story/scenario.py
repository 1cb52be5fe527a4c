"""The story: a daughter in Shenzhen and a son in Chengdu let their mother pay in Alar.

Public routes and topics only; new people every time, so that it can be told again and again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from proof.watch import Watcher
from sandbox.citizen import Citizen
from sandbox.institution import Institution
from sandbox.patience import NotAnswered, Reply
from sandbox.story.chaos import BETWEEN_CUT_AND_BALANCE, Killer
from sandbox.story.counter import BURDEN_FEN, pay, payment_of, prove_presence
from sandbox.story.levy import ACCEPTED_FEN, Levy
from sandbox.story.months import GIVEN_BACK_FEN, Months
from sandbox.story.opening import bind, open_wallet, quota_of, set_quota, succeeded
from sandbox.story.stay import PAID_FEN, Stay
from sandbox.story.teller import Teller, yuan
from sandbox.story.town import SETTLED_SECONDS, Account, Broken, Town, expect, until
from sandbox.story.verdict import prove, show, watched

PHARMACY, HOSPITAL = "P65900200001", "H65900200001"

DAUGHTER_HAS, DAUGHTER_GIVES = 500_000, 200_000
SON_HAS, SON_WANTS_TO_GIVE, SON_GIVES = 80_000, 90_000, 70_000
FROM_DAUGHTER = DAUGHTER_GIVES
FROM_SON = BURDEN_FEN - DAUGHTER_GIVES
FOR_THE_STAY = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    daughter: Citizen
    son: Citizen
    mother: Citizen


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    daughters: str
    sons: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    town: Town
    tell: Teller
    pharmacy: Institution
    hospital: Institution
    killer: Killer | None

    async def play(self) -> None:
        """From the first wallet to the closed months. Raises Broken, NotAnswered."""
        family = await self.meet()
        daughters_quota = await self.daughter_shares(family)
        presence = await self.too_little_at_the_counter(family)
        quotas = Quotas(daughters=daughters_quota, sons=await self.son_shares(family))
        key, first = await self.pay(presence, quotas)
        await self.read_again(first)
        await self.replay(presence, key, first)
        await self.provinces_debit(family, quotas)
        await self.stay(family, quotas)
        await self.levy(family, quotas)
        await self.months(family, first)

    async def meet(self) -> Family:
        tell = self.tell
        tell.step(
            "三个人：深圳的女儿、成都的儿子（职工医保），阿拉尔的母亲（居民医保）",
            "Three people: a daughter in Shenzhen and a son in Chengdu (employees), "
            "their mother in Alar (resident)",
        )
        daughter, son, mother = await asyncio.gather(
            self.town.person("310", "440300", "440000", DAUGHTER_HAS),
            self.town.person("310", "510100", "510000", SON_HAS),
            self.town.person("390", "659002", "660000", 0),
        )
        family = Family(daughter=daughter, son=son, mother=mother)
        await asyncio.gather(*(open_wallet(each) for each in (daughter, son, mother)))
        tell.table(
            ["谁 who", "姓名 name", "险种 scheme", "参保地 insured at", "余额 balance"],
            [
                ["女儿 daughter", daughter.name, "310", "440300 深圳", yuan(DAUGHTER_HAS)],
                ["儿子 son", son.name, "310", "510100 成都", yuan(SON_HAS)],
                ["母亲 mother", mother.name, "390", "659002 阿拉尔", "—"],
            ],
            right=[4],
        )
        tell.good("三人均已开通医保钱包 · all three opened their wallets (R29)")
        return family

    async def daughter_shares(self, family: Family) -> str:
        tell = self.tell
        tell.step(
            f"女儿发起、母亲确认共济关系；女儿设定可用额度 {yuan(DAUGHTER_GIVES)} 元，广东省冻结",
            "The daughter proposes, the mother consents; the daughter sets "
            f"{yuan(DAUGHTER_GIVES)}, and Guangdong freezes it",
        )
        relation_id = await bind(family.daughter, family.mother, "parent")
        quota = await set_quota(family.daughter, relation_id, DAUGHTER_GIVES)
        expect(quota["state"] == "active", f"the daughter's quota is granted: {quota}")
        expect(quota["available_fen"] == DAUGHTER_GIVES, "all of it is available")
        account = await self.town.account(family.daughter)
        expect(
            account
            == Account(
                balance_fen=DAUGHTER_HAS,
                frozen_fen=DAUGHTER_GIVES,
                spendable_fen=DAUGHTER_HAS - DAUGHTER_GIVES,
            ),
            f"the money stays in her account, frozen: {account}",
        )
        self.accounts({"女儿 daughter": account})
        tell.good("钱未离开她的账户，只是冻结 · no money moved, it is only frozen (R7, R8)")
        return str(quota["quota_id"])

    async def too_little_at_the_counter(self, family: Family) -> dict[str, Any]:
        tell = self.tell
        tell.step(
            f"母亲在阿拉尔的药店出示医保码；个人负担 {yuan(BURDEN_FEN)} 元，额度不够",
            f"At a pharmacy in Alar the mother shows her code; her share of the bill is "
            f"{yuan(BURDEN_FEN)}: more than the quota",
        )
        presence = await prove_presence(self.town, self.pharmacy, family.mother)
        expect(
            presence["wallet"] == {"open": True, "available_fen": DAUGHTER_GIVES},
            f"the counter sees what is available: {presence['wallet']}",
        )
        _, refused = await pay(self.pharmacy, payment_of(presence))
        expect(refused.code == "quota-insufficient", f"refused by name: {refused.text}")
        expect(refused.status == 422, f"a refusal is no success: {refused.status}")
        tell.good(f"拒付 {refused.json()['title_zh']} · refused: {refused.code}, nothing changed")
        return presence

    async def son_shares(self, family: Family) -> str:
        tell = self.tell
        tell.step(
            f"儿子也来分担：想给 {yuan(SON_WANTS_TO_GIVE)} 元，账户只有 {yuan(SON_HAS)} 元，"
            "四川省拒绝冻结",
            f"The son joins: he wants to give {yuan(SON_WANTS_TO_GIVE)} but has {yuan(SON_HAS)}; "
            "Sichuan refuses to freeze it",
        )
        relation_id = await bind(family.son, family.mother, "parent")
        refused = await set_quota(family.son, relation_id, SON_WANTS_TO_GIVE)
        expect(refused["state"] == "refused", f"the province refused: {refused}")
        expect(bool(refused.get("refusal")), "and said why")
        expect(refused["available_fen"] == 0, "nothing is available of it")
        tell.good(f"额度被拒：{refused['refusal']} · the quota is refused: {refused['refusal']}")

        quota = await set_quota(family.son, relation_id, SON_GIVES)
        expect(quota["state"] == "active", f"the smaller quota is granted: {quota}")
        expect(quota["available_fen"] == SON_GIVES, "all of it is available")
        tell.good(f"改为 {yuan(SON_GIVES)} 元，冻结成功 · with {yuan(SON_GIVES)} it is granted")
        return str(quota["quota_id"])

    async def pay(self, presence: dict[str, Any], quotas: Quotas) -> tuple[str, Reply]:
        tell = self.tell
        tell.step(
            f"再次支付 {yuan(BURDEN_FEN)} 元：先用女儿的，用完再用儿子的",
            f"She pays {yuan(BURDEN_FEN)} again: the daughter's quota first, then the son's (R12)",
        )
        trace = None if self.killer is None else self.killer.at_the_counter
        key, paid = await pay(self.pharmacy, payment_of(presence), trace=trace)
        if self.killer is not None:
            await self.survive(self.killer, paid)
        payment = succeeded(paid, 201, "the payment")
        given = {each["quota_id"]: each["amount_fen"] for each in payment["allocations"]}
        expect(
            given == {quotas.daughters: FROM_DAUGHTER, quotas.sons: FROM_SON},
            f"the daughter's quota is exhausted before the son's is used: {given}",
        )
        expect(payment["state"] == "captured", f"paid in one step: {payment['state']}")
        receipt = payment["receipt"]
        expect(receipt["acct_mulaid_pay_fen"] == BURDEN_FEN, f"the slip says so: {receipt}")
        expect(receipt["psn_cash_pay_fen"] == 0, f"no cash is left to pay: {receipt}")
        tell.table(
            ["", "元 yuan"],
            [
                ["医疗费总额 medfee_sumamt", yuan(receipt["medfee_sumamt_fen"])],
                ["基金支付 fund_pay_sumamt", yuan(receipt["fund_pay_sumamt_fen"])],
                ["共济支付 acct_mulaid_pay", yuan(receipt["acct_mulaid_pay_fen"])],
                ["  女儿 daughter · 440300", yuan(given[quotas.daughters])],
                ["  儿子 son · 510100", yuan(given[quotas.sons])],
                ["现金 psn_cash_pay", yuan(receipt["psn_cash_pay_fen"])],
            ],
            right=[1],
        )
        return key, paid

    async def survive(self, killer: Killer, paid: Reply) -> None:
        pid = await killer.died()
        self.tell.note(f"kill -9 {killer.name} ({pid})：支付在途 · with the payment in flight")
        back = await killer.came_back()
        self.tell.good(f"{killer.name} 已死（{pid}）并恢复（{back}）· it died and came back")
        self.tell.good(
            f"同一幂等键第 {paid.tries} 次请求得到应答 · answered at try {paid.tries}, same key"
        )

    async def read_again(self, first: Reply) -> None:
        self.tell.step("按编号查询这笔支付", "The payment is read by its id")
        payment_id = first.json()["payment_id"]
        seen = succeeded(await self.pharmacy.get(f"/v1/payments/{payment_id}"), 200, "reading")
        expect(seen == first.json(), f"it is what was answered: {seen}")
        self.tell.good(f"{payment_id}  {seen['state']}  {yuan(seen['amount_fen'])}")

    async def replay(self, presence: dict[str, Any], key: str, first: Reply) -> None:
        self.tell.step(
            "药店没收到应答，用同一幂等键重发：逐字节相同，不再扣款",
            "The pharmacy asks once more under the same key: the same bytes, no second payment",
        )
        _, again = await pay(self.pharmacy, payment_of(presence), key=key)
        expect(again.replayed, "the answer says that it is a replay")
        expect((again.status, again.text) == (first.status, first.text), "byte for byte")
        self.tell.good(f"{len(again.text.encode())} bytes, Idempotency-Replayed: true")

    async def provinces_debit(self, family: Family, quotas: Quotas) -> None:
        tell = self.tell
        tell.step(
            "两省按指令扣减：余额与冻结同减，其余不动",
            "Both provinces debit: balance and frozen fall together, the rest stays",
        )
        wanted = {
            "女儿 daughter": (family.daughter, DAUGHTER_HAS, DAUGHTER_GIVES, FROM_DAUGHTER),
            "儿子 son": (family.son, SON_HAS, SON_GIVES, FROM_SON),
        }
        seen: dict[str, Account] = {}
        for who, (citizen, had, gave, spent) in wanted.items():
            seen[who] = await self.debited(citizen, had - spent, gave - spent)
        self.accounts(seen)
        for sharer, quota_id, gave, spent in (
            (family.daughter, quotas.daughters, DAUGHTER_GIVES, FROM_DAUGHTER),
            (family.son, quotas.sons, SON_GIVES, FROM_SON),
        ):
            quota = await quota_of(sharer, quota_id)
            left = (quota["available_fen"], quota["spent_fen"], quota["granted_fen"])
            expect(left == (gave - spent, spent, gave), f"the quota's books: {quota}")
        tell.good("额度 = 可用 + 已用，与各省冻结一致 · quotas and provinces agree")

    async def stay(self, family: Family, quotas: Quotas) -> None:
        """The daughter gives more, and the mother is admitted to hospital."""
        listed = await quota_of(family.daughter, quotas.daughters)
        await set_quota(family.daughter, listed["relation_id"], FOR_THE_STAY)
        await Stay(
            town=self.town,
            tell=self.tell,
            hospital=self.hospital,
            patient=family.mother,
            quota_id=quotas.daughters,
        ).play()
        await self.debited(
            family.daughter,
            DAUGHTER_HAS - FROM_DAUGHTER - PAID_FEN,
            FOR_THE_STAY - PAID_FEN,
        )

    async def levy(self, family: Family, quotas: Quotas) -> None:
        """The daughter pays her mother's premiums of next year."""
        await Levy(
            town=self.town,
            tell=self.tell,
            asker=family.daughter,
            insured=family.mother,
            quota_id=quotas.daughters,
        ).play()
        await self.debited(
            family.daughter,
            DAUGHTER_HAS - FROM_DAUGHTER - PAID_FEN - ACCEPTED_FEN,
            FOR_THE_STAY - PAID_FEN - ACCEPTED_FEN,
        )

    async def months(self, family: Family, paid: Reply) -> None:
        """The month is closed, and two more; the son gets back what was returned after the cut."""
        killer = self.killer
        await Months(
            town=self.town,
            tell=self.tell,
            clerk=await self.town.clerk("clearing"),
            pharmacy=self.pharmacy,
            payment=paid.json(),
            killer=killer.once_more()
            if killer and killer.name in BETWEEN_CUT_AND_BALANCE
            else None,
        ).play()
        await self.debited(
            family.son,
            SON_HAS - FROM_SON + GIVEN_BACK_FEN,
            SON_GIVES - FROM_SON + GIVEN_BACK_FEN,
        )

    async def debited(self, citizen: Citizen, balance_fen: int, frozen_fen: int) -> Account:
        after = Account(
            balance_fen=balance_fen, frozen_fen=frozen_fen, spendable_fen=balance_fen - frozen_fen
        )

        async def settled() -> Account | None:
            seen = await self.town.account(citizen)
            return seen if seen == after else None

        return await until(settled, f"{citizen.province} debits until {after}")

    def accounts(self, seen: dict[str, Account]) -> None:
        """Show accounts as they are at their provinces."""
        self.tell.table(
            ["账户 account", "余额 balance", "冻结 frozen", "可用 spendable"],
            [
                [who, yuan(each.balance_fen), yuan(each.frozen_fen), yuan(each.spendable_fen)]
                for who, each in seen.items()
            ],
            right=[1, 2, 3],
        )


async def play(file: Path, chaos: str) -> bool:
    """Tell the story on the stack that `file` describes; whether all of it held."""
    tell = Teller()
    tell.title("共济", "Gongji: mutual aid across provinces, told with real money's rules")
    # trust_env: a proxy of the machine has no business between the parts of a stack.
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        town = Town.at(file, client)
        if chaos and chaos not in town.names():
            tell.bad(f"CHAOS={chaos} is none of {', '.join(town.names())}")
            return False
        pharmacy, hospital = town.institution(PHARMACY), town.institution(HOSPITAL)
        killer = Killer(town=town, name=chaos) if chaos else None
        async with Watcher(town.stack["databases"]["wallet"]) as watcher:
            try:
                await Scenario(
                    town=town, tell=tell, pharmacy=pharmacy, hospital=hospital, killer=killer
                ).play()
            except (Broken, NotAnswered) as broken:
                tell.bad(str(broken))
                return False
            told = tell.seconds()
            results = await prove(town, (pharmacy, hospital))
            async with asyncio.timeout(SETTLED_SECONDS):
                await watcher.another()
    show(tell, [*results, watched(watcher)])
    tell.note(f"story {told:.1f} s, proofs {tell.seconds() - told:.1f} s")
    return all(result.ok for result in [*results, watched(watcher)])
