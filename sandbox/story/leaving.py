"""An insurance moves away: the relation ends by itself, and what is unused goes back (R5, R6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.institution import Institution
from sandbox.story.cast import Cast
from sandbox.story.counter import bill_of, prove_presence
from sandbox.story.opening import succeeded
from sandbox.story.shares import Share, Shares
from sandbox.story.teller import Teller, yuan
from sandbox.story.town import Town, expect, until

BURDEN_FEN = 16_000
"""What the child's next visit leaves to pay: less than both had for her, more than one has."""
FROM_GRANDFATHER = 15_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """The brother's insurance leaves Chengdu; the child is treated again afterwards."""

    town: Town
    tell: Teller
    clinic: Institution
    cast: Cast
    shares: Shares

    async def play(self) -> None:
        """Raises Broken, NotAnswered."""
        self.tell.chapter("参保转移", "An insurance moves away")
        await self.brother_moves(self.shares.of("brother", "child"))
        await self.treated_again()

    async def brother_moves(self, share: Share) -> None:
        back = share.available
        self.tell.step(
            f"哥哥的医保转出成都：关系自动终止，未用的 {yuan(back)} 元即时解冻，归还他的账户",
            "The brother's insurance moves away from Chengdu: the relation ends by itself, and "
            f"the unused {yuan(back)} is his to spend at once",
        )
        brother = self.cast["brother"].citizen
        await self.town.insure(brother, "moved")

        path = f"/v1/me/relations/{share.relation_id}"

        async def ended() -> bool | None:
            seen = succeeded(await brother.get(path), 200, "reading the relation")
            return True if seen["state"] == "ended" else None

        await until(ended, "the relation ends when the insurance moves")
        share.available, share.over = 0, True
        account = (await self.shares.agree())["brother"]
        expect(account.frozen_fen == 0, f"nothing of his is frozen any more: {account}")
        self.tell.good(
            f"账户可用 {yuan(account.spendable_fen)} 元，冻结 0.00 · relation ended, nothing frozen"
        )

    async def treated_again(self) -> None:
        self.tell.step(
            f"孩子再次就医，个人负担 {yuan(BURDEN_FEN)} 元：哥哥的额度已不在，全额被拒；"
            f"允许部分支付时用祖父的 {yuan(FROM_GRANDFATHER)} 元",
            f"The child is treated again for {yuan(BURDEN_FEN)}: without the brother's quota all "
            f"of it is refused; in part it is paid by her grandfather, {yuan(FROM_GRANDFATHER)}",
        )
        child = self.cast["child"]
        presence = await prove_presence(self.town, self.clinic, child.citizen)
        refused = await self.clinic.post("/v1/payments", asked_of(presence, "refuse"))
        expect(refused.code == "quota-insufficient", f"refused by name: {refused.text}")
        self.tell.good(f"拒付 {refused.json()['title_zh']} · refused: {refused.code}")
        payment = succeeded(
            await self.clinic.post("/v1/payments", asked_of(presence, "allow")), 201, "in part"
        )
        expect(payment["amount_fen"] == FROM_GRANDFATHER, f"as much as there is: {payment}")
        given = {each["quota_id"]: each["amount_fen"] for each in payment["allocations"]}
        quota_id = self.shares.of("grandfather", "child").quota_id
        expect(given == {quota_id: FROM_GRANDFATHER}, f"by the grandfather: {given}")
        self.shares.spend_by(given, payment["mdtrtarea_admvs"], "outpatient")
        cash = payment["receipt"]["psn_cash_pay_fen"]
        self.tell.good(
            f"共济 {yuan(payment['amount_fen'])}，现金 {yuan(cash)} · inside Xinjiang, which has "
            "opted in (R15)"
        )
        await self.shares.agree()


def asked_of(presence: dict[str, Any], partial: str) -> dict[str, Any]:
    return {
        "presence_token": presence["presence_token"],
        "purpose": "outpatient",
        "bill": bill_of("outpatient", 4 * BURDEN_FEN, fund_fen=3 * BURDEN_FEN),
        "amount_fen": BURDEN_FEN,
        "partial": partial,
    }
