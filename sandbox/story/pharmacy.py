"""The pharmacy in Alar: too little, a brother who joins, one payment from two provinces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.institution import Institution
from sandbox.patience import Reply
from sandbox.story.cast import Cast
from sandbox.story.chaos import Killer
from sandbox.story.counter import BURDEN_FEN, pay, payment_of, prove_presence
from sandbox.story.opening import bind, set_quota, succeeded
from sandbox.story.shares import Share, Shares
from sandbox.story.teller import Teller, yuan
from sandbox.story.town import Account, Town, expect

DAUGHTER_GIVES = 200_000
SON_WANTS_TO_GIVE, SON_GIVES = 90_000, 70_000
FROM_DAUGHTER = DAUGHTER_GIVES
FROM_SON = BURDEN_FEN - DAUGHTER_GIVES


@dataclass(frozen=True, slots=True, kw_only=True)
class Pharmacy:
    """A killer strikes while the payment is in flight."""

    town: Town
    tell: Teller
    pharmacy: Institution
    cast: Cast
    shares: Shares
    killer: Killer | None

    async def play(self) -> dict[str, Any]:
        """The payment, as it was answered. Raises Broken, NotAnswered."""
        self.tell.chapter("阿拉尔的药店", "The pharmacy in Alar")
        daughters = await self.daughter_shares()
        presence = await self.too_little_at_the_counter()
        sons = await self.son_shares()
        key, first = await self.pay(presence, daughters, sons)
        await self.read_again(first)
        await self.replay(presence, key, first)
        await self.provinces_debit()
        payment: dict[str, Any] = first.json()
        return payment

    async def daughter_shares(self) -> Share:
        tell, daughter = self.tell, self.cast["daughter"]
        tell.step(
            f"女儿发起、母亲确认共济关系；女儿设定可用额度 {yuan(DAUGHTER_GIVES)} 元，广东省冻结",
            "The daughter proposes, the mother consents; the daughter sets "
            f"{yuan(DAUGHTER_GIVES)}, and Guangdong freezes it",
        )
        share = await self.shares.make(daughter, self.cast["mother"], "parent", DAUGHTER_GIVES)
        account = await self.town.account(daughter.citizen)
        has = daughter.part.balance_fen
        expect(
            account
            == Account(
                balance_fen=has, frozen_fen=DAUGHTER_GIVES, spendable_fen=has - DAUGHTER_GIVES
            ),
            f"the money stays in her account, frozen: {account}",
        )
        self.accounts({"daughter": account})
        tell.good("钱未离开她的账户，只是冻结 · no money moved, it is only frozen (R7, R8)")
        return share

    async def too_little_at_the_counter(self) -> dict[str, Any]:
        tell = self.tell
        tell.step(
            f"母亲在阿拉尔的药店出示医保码；个人负担 {yuan(BURDEN_FEN)} 元，额度不够",
            f"At a pharmacy in Alar the mother shows her code; her share of the bill is "
            f"{yuan(BURDEN_FEN)}: more than the quota",
        )
        presence = await prove_presence(self.town, self.pharmacy, self.cast["mother"].citizen)
        expect(
            presence["wallet"] == {"open": True, "available_fen": DAUGHTER_GIVES},
            f"the counter sees what is available: {presence['wallet']}",
        )
        _, refused = await pay(self.pharmacy, payment_of(presence))
        expect(refused.code == "quota-insufficient", f"refused by name: {refused.text}")
        expect(refused.status == 422, f"a refusal is no success: {refused.status}")
        tell.good(f"拒付 {refused.json()['title_zh']} · refused: {refused.code}, nothing changed")
        return presence

    async def son_shares(self) -> Share:
        tell, son, mother = self.tell, self.cast["son"], self.cast["mother"]
        tell.step(
            f"儿子也来分担：想给 {yuan(SON_WANTS_TO_GIVE)} 元，账户只有 "
            f"{yuan(son.part.balance_fen)} 元，四川省拒绝冻结",
            f"The son joins: he wants to give {yuan(SON_WANTS_TO_GIVE)} but has "
            f"{yuan(son.part.balance_fen)}; Sichuan refuses to freeze it",
        )
        relation_id = await bind(son.citizen, mother.citizen, "parent")
        refused = await set_quota(son.citizen, relation_id, SON_WANTS_TO_GIVE)
        expect(refused["state"] == "refused", f"the province refused: {refused}")
        expect(bool(refused.get("refusal")), "and said why")
        expect(refused["available_fen"] == 0, "nothing is available of it")
        tell.good(f"额度被拒：{refused['refusal']} · the quota is refused: {refused['refusal']}")

        quota = await set_quota(son.citizen, relation_id, SON_GIVES)
        expect(quota["state"] == "active", f"the smaller quota is granted: {quota}")
        expect(quota["available_fen"] == SON_GIVES, "all of it is available")
        tell.good(f"改为 {yuan(SON_GIVES)} 元，冻结成功 · with {yuan(SON_GIVES)} it is granted")
        return self.shares.keep(son, mother, "parent", quota)

    async def pay(
        self, presence: dict[str, Any], daughters: Share, sons: Share
    ) -> tuple[str, Reply]:
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
            given == {daughters.quota_id: FROM_DAUGHTER, sons.quota_id: FROM_SON},
            f"the daughter's quota is exhausted before the son's is used: {given}",
        )
        expect(payment["state"] == "captured", f"paid in one step: {payment['state']}")
        self.shares.spend_by(given, payment["mdtrtarea_admvs"], "pharmacy")
        receipt = payment["receipt"]
        expect(receipt["acct_mulaid_pay_fen"] == BURDEN_FEN, f"the slip says so: {receipt}")
        expect(receipt["psn_cash_pay_fen"] == 0, f"no cash is left to pay: {receipt}")
        tell.table(
            ["", "元 yuan"],
            [
                ["医疗费总额 medfee_sumamt", yuan(receipt["medfee_sumamt_fen"])],
                ["基金支付 fund_pay_sumamt", yuan(receipt["fund_pay_sumamt_fen"])],
                ["共济支付 acct_mulaid_pay", yuan(receipt["acct_mulaid_pay_fen"])],
                ["  女儿 daughter · 440300", yuan(given[daughters.quota_id])],
                ["  儿子 son · 510100", yuan(given[sons.quota_id])],
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

    async def provinces_debit(self) -> None:
        self.tell.step(
            "两省按指令扣减：余额与冻结同减，其余不动",
            "Both provinces debit: balance and frozen fall together, the rest stays",
        )
        self.accounts(await self.shares.agree())
        self.tell.good("额度 = 可用 + 已用，与各省冻结一致 · quotas and provinces agree")

    def accounts(self, seen: Mapping[str, Account]) -> None:
        """Show accounts as they are at their provinces."""
        self.tell.table(
            ["账户 account", "余额 balance", "冻结 frozen", "可用 spendable"],
            [
                [
                    self.cast[key].who,
                    *(yuan(each.balance_fen), yuan(each.frozen_fen), yuan(each.spendable_fen)),
                ]
                for key, each in seen.items()
            ],
            right=[1, 2, 3],
        )
