"""A stay in hospital: what it may cost is held, what it did cost is charged, the rest is free.

What was charged too much is given back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sandbox.citizen import Citizen
from sandbox.institution import Institution
from sandbox.story.counter import bill_of, prove_presence
from sandbox.story.opening import quota_of, succeeded
from sandbox.story.teller import Teller, yuan
from sandbox.story.town import Town, expect, until

HELD_FEN, CHARGED_FEN, SPARE_FEN, TOO_MUCH_FEN = 50_000, 32_000, 8_000, 2_000
PAID_FEN = CHARGED_FEN - TOO_MUCH_FEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """One stay of one patient; several holds share its admission."""

    town: Town
    tell: Teller
    hospital: Institution
    patient: Citizen
    quota_id: str

    async def play(self) -> None:
        """Hold, capture less, release another hold. Raises Broken, NotAnswered."""
        self.tell.chapter("住院", "A stay in hospital")
        self.tell.step(
            f"母亲住院：医院预授权 {yuan(HELD_FEN)} 元，结算只收 {yuan(CHARGED_FEN)} 元，"
            "余额即时释放",
            f"The mother is admitted: the hospital holds {yuan(HELD_FEN)}, charges "
            f"{yuan(CHARGED_FEN)} in the end; the rest is free at once",
        )
        before = await self.books()
        admission = f"A-{uuid4()}"
        presence = await prove_presence(self.town, self.hospital, self.patient)
        token, person_id = presence["presence_token"], presence["person"]["person_id"]
        first = await self.hold(token, HELD_FEN, admission)
        second = await self.hold(token, SPARE_FEN, admission)
        held = HELD_FEN + SPARE_FEN
        await self.is_now(before, available=-held, held=held)
        await self.extend(first)
        captured = await self.becomes(
            first,
            "capture",
            {"amount_fen": CHARGED_FEN, "bill": bill_of("inpatient", CHARGED_FEN)},
            "captured",
        )
        expect(captured["captured_fen"] == CHARGED_FEN, f"what was charged: {captured}")
        expect(captured["admission_id"] == admission, "the stay is named")
        await self.becomes(second, "release", {}, "released")
        await self.is_now(before, available=-CHARGED_FEN, spent=CHARGED_FEN)
        self.tell.good(
            f"持有 {yuan(held)}，扣款 {yuan(CHARGED_FEN)}，释放 {yuan(held - CHARGED_FEN)} · "
            "held, charged, released: nothing is left in between"
        )

        await self.refund(first, before)
        await self.undo(token, person_id, admission)

    async def refund(self, payment: dict[str, Any], before: dict[str, int]) -> None:
        self.tell.step(
            f"多收 {yuan(TOO_MUCH_FEN)} 元：医院退费，广东省退回账户并重新冻结，额度恢复",
            f"{yuan(TOO_MUCH_FEN)} too much: the hospital refunds it, Guangdong credits the "
            "account and freezes it again, and it may be spent once more",
        )
        asked = {"amount_fen": TOO_MUCH_FEN, "reason": "duplicate item"}
        path = f"/v1/payments/{payment['payment_id']}/refunds"
        refund = succeeded(await self.hospital.post(path, asked), 201, "refunding")
        expect(refund["refunded_fen"] == TOO_MUCH_FEN, f"what was given back: {refund}")
        wanted = changed(before, available=-PAID_FEN, spent=PAID_FEN)

        async def restored() -> bool | None:
            return True if await self.books() == wanted else None

        await until(restored, f"the quota is restored to {wanted}")
        self.tell.good("原路退回，仍为冻结 · it went back to where it came from, frozen (R31)")

    async def undo(self, token: str, person_id: str, admission: str) -> None:
        self.tell.step(
            "医院不知一笔预授权是否成功，按原幂等键冲正；另一笔先冲正、后到达，被拒绝",
            "The hospital does not know what became of a hold and reverses it by its key; another "
            "request arrives after its reversal and is refused",
        )
        before = await self.books()
        lost, late = str(uuid4()), str(uuid4())
        await self.hold(token, SPARE_FEN, admission, key=lost)
        for key, outcome in ((lost, "reversed"), (lost, "already_reversed"), (late, "tombstoned")):
            asked = {"original_key": key, "person_id": person_id}
            undone = succeeded(await self.hospital.post("/v1/reversals", asked), 200, "reversing")
            expect(undone["outcome"] == outcome, f"it is {outcome}: {undone}")
        refused = await self.hospital.post(
            "/v1/payments", hold_of(token, SPARE_FEN, admission), key=late
        )
        expect(refused.code == "reversed-before-arrival", f"it came too late: {refused.text}")
        await self.is_now(before)
        self.tell.good(f"冲正幂等，先到留碑 · {refused.code}: no request is left in the dark (R23)")

    async def hold(
        self, token: str, amount_fen: int, admission: str, *, key: str | None = None
    ) -> dict[str, Any]:
        asked = hold_of(token, amount_fen, admission)
        placed: dict[str, Any] = succeeded(
            await self.hospital.post("/v1/payments", asked, key=key), 201, "holding"
        )
        expect(placed["state"] == "held", f"it is held: {placed['state']}")
        return placed

    async def extend(self, payment: dict[str, Any]) -> None:
        longer = await self.becomes(payment, "extend", {"hold_seconds": 30 * 86_400}, "held")
        expect(longer["expires_at"] > payment["expires_at"], "the stay lasts longer")

    async def becomes(
        self, payment: dict[str, Any], verb: str, asked: dict[str, Any], state: str
    ) -> dict[str, Any]:
        path = f"/v1/payments/{payment['payment_id']}/{verb}"
        became: dict[str, Any] = succeeded(await self.hospital.post(path, asked), 200, verb)
        expect(became["state"] == state, f"after {verb} it is {became['state']}")
        return became

    async def books(self) -> dict[str, int]:
        quota = await quota_of(self.patient, self.quota_id)
        return {book: int(quota[f"{book}_fen"]) for book in ("available", "held", "spent")}

    async def is_now(self, before: dict[str, int], **changes: int) -> None:
        wanted = changed(before, **changes)
        seen = await self.books()
        expect(seen == wanted, f"the quota's books are {seen} instead of {wanted}")


def hold_of(token: str, amount_fen: int, admission: str) -> dict[str, Any]:
    return {
        "presence_token": token,
        "purpose": "inpatient",
        "bill": bill_of("inpatient", amount_fen),
        "amount_fen": amount_fen,
        "capture": False,
        "admission_id": admission,
    }


def changed(before: dict[str, int], **changes: int) -> dict[str, int]:
    return {book: amount + changes.get(book, 0) for book, amount in before.items()}
