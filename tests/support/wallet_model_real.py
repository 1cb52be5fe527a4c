"""The real side of a life: commands made of wishes, and what the wallet says and has of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import orjson

from contracts.commands import (
    Capture,
    Extend,
    Hold,
    OrderSharers,
    Pay,
    PayPremium,
    Refund,
    Release,
    Reverse,
    SetQuota,
)
from contracts.internal import institution_caller
from contracts.vocabulary import Purpose
from kit.answers import Answer
from kit.work import Job, Outcome
from tests.support.bills import bill_of
from tests.support.wallet_model_books import PLACES, Errand, Said, Wish, granted
from tests.support.wallet_model_life import Life
from tests.support.wallets import HOSPITAL, Purse, hold_of, job_of
from wallet.domain.commands import (
    EndQuota,
    ExpireHold,
    GiveUpFreeze,
    RecordFreeze,
    RecordOrderAnswer,
    RecordPremiumAnswer,
    RepeatOrder,
    SuspendQuota,
)
from wallet.domain.orders import OrderKind
from wallet.domain.premium import PremiumState

PROVINCE, FUND, ANOTHER = "440000", "660000", "510000"
ALWAYS, NEVER = datetime(2199, 1, 1, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC)


class Different(AssertionError):
    """The wallet and the model do not agree."""


@dataclass
class Real:
    """The real side of a life: who is who, and which id has which number in the model."""

    life: Life
    began: datetime
    person: UUID = field(default_factory=uuid4)
    relations: list[Any] = field(default_factory=list)
    quotas: list[UUID] = field(default_factory=list)
    payments: list[UUID] = field(default_factory=list)
    errands: list[UUID] = field(default_factory=list)
    bodies: dict[str, str] = field(default_factory=dict)
    deadlines: dict[tuple[int, int], datetime] = field(default_factory=dict)

    def grid(self, at: datetime) -> int:
        """An instant in the model's time, which moves in half hours."""
        return int((at - self.began).total_seconds()) // 1_800 * 1_800

    def same(self, what: str, real: object, model: object) -> None:
        if real == model:
            return
        raise Different(
            f"{what}\n  the wallet: {real}\n  the model:  {model}\n"
            f"again alone: WALLET_MODEL_SEED={self.life.seed} WALLET_MODEL_LIVES=1\n"
            + "\n".join(self.life.history)
        )


# From a wish to a job.


def job_for(real: Real, wish: Wish) -> Job:
    job = job_of(_command(real, wish), real.person, wish.key)
    if job.receipt is None:
        return job
    return replace(job, receipt=replace(job.receipt, caller=institution_caller(HOSPITAL)))


def _command(real: Real, wish: Wish) -> Any:
    a = wish.args
    if wish.kind in ("pay", "hold"):
        return _charge(real, wish)
    if wish.kind == "reverse":
        return Reverse(person_id=real.person, institution=HOSPITAL, original_key=a["key"])
    if "payment" in a:
        return _of_payment(real, wish)
    if wish.kind in ("premium", "fund"):
        return _of_premium(real, wish)
    if wish.kind in ("repeat", "give_up"):
        order_id = uuid4() if a["errand"] is None else real.errands[a["errand"]]
        by_a_clerk = RepeatOrder if wish.kind == "repeat" else GiveUpFreeze
        return by_a_clerk(order_id=order_id)
    return _of_province(real, a) if wish.kind == "answer" else _of_others(real, wish)


def _of_payment(real: Real, wish: Wish) -> Any:
    a = wish.args
    payment_id = real.payments[a["payment"]]
    institution = HOSPITAL if a.get("own", True) else "H65900200002"
    bill = None if a.get("bill") is None else bill_of(a["bill"])
    match wish.kind:
        case "capture":
            return Capture(
                payment_id=payment_id, institution=institution, amount_fen=a["fen"], bill=bill
            )
        case "extend":
            return Extend(payment_id=payment_id, institution=institution, hold_seconds=a["seconds"])
        case "release":
            return Release(payment_id=payment_id, institution=institution)
        case "refund":
            return Refund(
                payment_id=payment_id,
                institution=institution,
                amount_fen=a["fen"],
                bill_after=bill,
                reason="too much",
            )
        case _:
            seen = real.deadlines[a["payment"], a["deadline"]]
            return ExpireHold(payment_id=payment_id, expires_at=seen)


def _charge(real: Real, wish: Wish) -> Pay | Hold:
    a = wish.args
    changes: dict[str, Any] = {
        "bill": bill_of(a["bill"]),
        "partial": a["partial"],
        "presence_expires_at": ALWAYS if a["present"] else NEVER,
    }
    if wish.kind == "pay":
        hold = hold_of(real.person, a["fen"], **changes, purpose=Purpose.OUTPATIENT)
        return Pay.model_validate(hold.model_dump(exclude={"type", "hold_seconds"}))
    return hold_of(
        real.person, a["fen"], **changes, purpose=Purpose(a["purpose"]), hold_seconds=a["seconds"]
    )


def _of_premium(real: Real, wish: Wish) -> PayPremium | RecordPremiumAnswer:
    a = wish.args
    if wish.kind == "premium":
        return PayPremium(
            person_id=real.person,
            entitled=a["entitled"],
            insutype="390",
            year=2027,
            levy_no=a["levy"],
            amount_fen=a["fen"],
        )
    number = a["premium"]
    of = None if number is None else real.payments[real.life.model.premiums[number].payment]
    return RecordPremiumAnswer(
        province=FUND if a["own"] else ANOTHER,
        payment_id=uuid4() if of is None else of,
        levy_no=a["levy"],
        said=PremiumState(a["says"]),
    )


def _of_others(real: Real, wish: Wish) -> Any:
    a = wish.args
    if wish.kind == "order":
        named = tuple(real.quotas[number] for number in a["shares"])
        return OrderSharers(person_id=real.person, quota_ids=named)
    relation = real.relations[a["share"]]
    match wish.kind:
        case "wish":
            return SetQuota(
                relation_id=relation.relation_id,
                sharer_id=relation.sharer.person_id if a["own"] else uuid4(),
                beneficiary_id=real.person,
                available_fen=a["fen"],
            )
        case "end":
            return EndQuota(
                relation_id=relation.relation_id,
                beneficiary_id=real.person,
                reason="will",
                since=date(2999, 1, 1),
            )
        case _:
            return SuspendQuota(
                relation_id=relation.relation_id,
                beneficiary_id=real.person,
                suspended=a["suspended"],
            )


def _of_province(real: Real, a: dict[str, Any]) -> RecordFreeze | RecordOrderAnswer:
    province = PROVINCE if a["own"] else ANOTHER
    order_id = uuid4() if a["errand"] is None else real.errands[a["errand"]]
    if a["kind"] == "freeze":
        return RecordFreeze(
            province=province,
            freeze_id=order_id,
            confirmed=a["yes"],
            reason=None if a["yes"] else "insufficient",
        )
    return RecordOrderAnswer(
        province=province,
        order_id=order_id,
        kind=OrderKind(a["kind"]),
        refused_because=None if a["yes"] else "closed",
    )


# What the wallet says, and what it has.


def answered(real: Real, wish: Wish, said: Said, outcome: Outcome, *, replayed: bool) -> None:
    """The answer is the model's; what is asked again is answered as before, byte for byte."""
    what = f"{wish.kind} {wish.args} {wish.key or ''}"
    if not isinstance(outcome, Answer):
        real.same(what, outcome, said)
    assert isinstance(outcome, Answer)
    body = orjson.loads(outcome.body) if outcome.body else {}
    code = body["code"] if outcome.status >= 400 else str(outcome.status)
    real.same(
        f"{what}: code", code, "reversal-not-possible" if said.code == "not-yet" else said.code
    )
    if code == "reversal-not-possible":
        real.same(f"{what}: retryable", body["retryable"], said.code == "not-yet")
    if code in ("key-reused", "reversed-before-arrival", "in-progress"):
        return
    if wish.key is not None and replayed:
        real.same(
            f"{what}: replayed", (outcome.body, outcome.replayed), (real.bodies[wish.key], True)
        )
        return
    real.same(f"{what}: replayed", outcome.replayed, False)
    if wish.key is not None:
        real.bodies[wish.key] = outcome.body
    if said.payment is not None and said.payment == len(real.payments):
        real.payments.append(UUID(body["payment_id"]))
    if outcome.status < 400:
        real.same(f"{what}: body", _told(real, body, said), said.body)


def _told(real: Real, body: dict[str, Any], said: Said) -> dict[str, Any]:
    """Of an answer what the model speaks of, with its numbers instead of ids."""
    told: dict[str, Any] = {}
    for name in said.body:
        match name:
            case "allocations":
                told[name] = [
                    (real.quotas.index(UUID(each["quota_id"])), each["amount_fen"])
                    for each in body["allocations"]
                ]
            case "acct_mulaid_pay_fen" | "psn_cash_pay_fen":
                told[name] = body["receipt"][name]
            case "shares":
                told[name] = [real.quotas.index(UUID(each)) for each in body["quota_ids"]]
            case "ends":
                told[name] = _ends(real, body["expires_at"], said.payment)
            case _:
                told[name] = body[name]
    if said.payment is not None:
        real.same("payment_id", body["payment_id"], str(real.payments[said.payment]))
    return told


def _ends(real: Real, expires_at: str | None, payment: int | None) -> int | None:
    """A deadline in the model's time, which moves in half hours."""
    if expires_at is None or payment is None:
        return None
    at = datetime.fromisoformat(expires_at)
    ends = real.grid(at)
    real.deadlines[payment, ends] = at
    return ends


_QUOTAS = """
SELECT beneficiary_id, state, suspended, refusal,
    granted, available, held, spent, restoring, returned
FROM quota WHERE beneficiary_id = ANY($1::uuid[]) ORDER BY related_at
"""
_PAYMENTS = """
SELECT payment_id, person_id, state, amount, captured, refunded, psn_part, expires_at
FROM payment WHERE person_id = ANY($1::uuid[])
"""
_PREMIUMS = """
SELECT payment_id, person_id, state, times, ask_again_at FROM premium
WHERE person_id = ANY($1::uuid[])
"""
_ORDERS = """
SELECT order_id, beneficiary_id, kind, quota_id, amount, payment_id, freezes, state, asks,
    parked_at IS NOT NULL AS parked
FROM account_order WHERE beneficiary_id = ANY($1::uuid[]) ORDER BY sent_at, order_id
"""


async def compare(purse: Purse, reals: Sequence[Real]) -> None:
    """Quotas, payments and orders of all these lives are what their models have."""
    pool = purse.cells.pools[0]
    people = [real.person for real in reals]
    by_person: dict[UUID, dict[str, list[Any]]] = {
        person: {"quota": [], "payment": [], "order": [], "premium": []} for person in people
    }
    for row in await pool.fetch(_QUOTAS, people):
        by_person[row["beneficiary_id"]]["quota"].append(row)
    for row in await pool.fetch(_PAYMENTS, people):
        by_person[row["person_id"]]["payment"].append(row)
    for row in await pool.fetch(_ORDERS, people):
        by_person[row["beneficiary_id"]]["order"].append(row)
    for row in await pool.fetch(_PREMIUMS, people):
        by_person[row["person_id"]]["premium"].append(row)
    for real in reals:
        rows = by_person[real.person]
        _quotas(real, rows["quota"])
        _payments(real, rows["payment"])
        _errands(real, rows["order"])
        _premiums(real, rows["premium"])


def _quotas(real: Real, rows: Sequence[Any]) -> None:
    for row, share in zip(rows, real.life.model.shares, strict=True):
        books = {place: share.fen[place] for place in PLACES}
        expected = books | {
            "state": share.state,
            "suspended": share.suspended,
            "refusal": share.refusal,
            "granted": granted(share),
        }
        real.same(f"quota {share.number}", {name: row[name] for name in expected}, expected)


def _payments(real: Real, rows: Sequence[Any]) -> None:
    found = {row["payment_id"]: row for row in rows}
    real.same("payments", set(found), set(real.payments))
    for number, payment in enumerate(real.life.model.payments):
        row = found[real.payments[number]]
        expected = (
            payment.state,
            len(payment.giver),
            payment.captured,
            payment.captured - payment.charged,
            None if payment.purpose == "premium" else payment.bill,
        )
        names = ("state", "amount", "captured", "refunded", "psn_part")
        real.same(f"payment {number}", tuple(row[name] for name in names), expected)


def _errands(real: Real, rows: Sequence[Any]) -> None:
    """New orders are those the model has, whichever came first; then each has a number."""
    known = set(real.errands)
    new = [row for row in rows if row["order_id"] not in known]
    by_what: dict[tuple[Any, ...], list[UUID]] = {}
    for row in new:
        what = (row["kind"], row["quota_id"], row["amount"], row["payment_id"], row["freezes"])
        by_what.setdefault(what, []).append(row["order_id"])
    for errand in real.life.model.errands[len(real.errands) :]:
        what = _what(real, errand)
        if not by_what.get(what):
            real.same("orders", by_what, what)
        real.errands.append(by_what[what].pop(0))
    left = Counter({what: len(ids) for what, ids in by_what.items() if ids})
    real.same("orders that nobody expected", left, Counter())
    states = {row["order_id"]: (row["state"], row["asks"], row["parked"]) for row in rows}
    expected = [(each.state, each.asks, each.parked) for each in real.life.model.errands]
    real.same("orders' states", [states[order_id] for order_id in real.errands], expected)


def _premiums(real: Real, rows: Sequence[Any]) -> None:
    found = {
        row["payment_id"]: (row["state"], row["times"], real.grid(row["ask_again_at"]))
        for row in rows
    }
    expected = {
        real.payments[each.payment]: (each.state, each.times, each.due)
        for each in real.life.model.premiums
    }
    real.same("premiums", found, expected)


def _what(real: Real, errand: Errand) -> tuple[Any, ...]:
    payment = None if errand.payment is None else real.payments[errand.payment]
    return errand.kind, real.quotas[errand.share], errand.fen, payment, errand.freezes
