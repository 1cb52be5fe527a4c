"""A wallet in plain Python, written from the rules and not from the domain's code.

It knows one beneficiary. A quota is a count of fen by where they lie; a payment is a row of fen,
each with the sharer who gives it, of which the first so many are charged. There is no database,
no batch and no id: sharers, payments, refunds and orders are called by their number. Time is in
seconds since the life began, and moves in steps of half an hour.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from tests.support.wallet_model_books import (
    A_DAY,
    LONGEST,
    NOT_KEPT,
    Back,
    Errand,
    Payment,
    Said,
    Share,
    Wish,
    granted,
    parts,
)


class Model:
    """The wallet of one beneficiary with a few sharers, the oldest relation first."""

    def __init__(self, sharers: int) -> None:
        self.now = 0
        self.shares = [Share(number) for number in range(sharers)]
        self.payments: list[Payment] = []
        self.errands: list[Errand] = []
        self.keys: dict[str, tuple[Wish | None, Said]] = {}
        self.undone: dict[str, bool] = {}
        """Keys that were reversed; whether there was anything under them."""

    def ask(self, wish: Wish) -> Said:
        known = self.keys.get(wish.key) if wish.key is not None else None
        if known is not None:
            before, said = known
            if before is None:
                return Said("reversed-before-arrival")
            return said if before == wish else Said("key-reused")
        said = getattr(self, wish.kind)(**wish.args)
        assert isinstance(said, Said)
        if wish.key is not None and said.code not in NOT_KEPT:
            self.keys[wish.key] = (wish, said)
        return said

    # What institutions ask.

    def pay(self, fen: int, bill: int, partial: bool, present: bool) -> Said:
        row = self._row(fen, bill, partial, present)
        if isinstance(row, Said):
            return row
        paid = Payment(row, fen, [bill], "outpatient", "captured", self.now, None)
        paid.captured = paid.charged = len(row)
        self.payments.append(paid)
        self._take(row, "available", "spent")
        self._tell("debit", row, len(self.payments) - 1)
        return self._payment("201", len(self.payments) - 1, undoes="payment")

    def hold(
        self,
        fen: int,
        bill: int,
        *,
        partial: bool,
        present: bool,
        purpose: str,
        seconds: int | None,
    ) -> Said:
        if present and fen <= bill and seconds is not None and seconds > LONGEST[purpose]:
            return Said("invalid")
        row = self._row(fen, bill, partial, present)
        if isinstance(row, Said):
            return row
        ends = self.now + (seconds or A_DAY)
        self.payments.append(Payment(row, fen, [bill], purpose, "held", self.now, ends))
        self._take(row, "available", "held")
        return self._payment("201", len(self.payments) - 1, undoes="payment")

    def capture(self, payment: int, fen: int, bill: int | None, own: bool) -> Said:
        held = self.payments[payment]
        refusal = self._not_held(held, own)
        if refusal is not None:
            return Said(refusal)
        if fen > len(held.giver):
            return Said("capture-exceeds-hold")
        if bill is not None and fen > bill:
            return Said("exceeds-personal-burden")
        held.state, held.captured, held.charged = "captured", fen, fen
        held.bills += [] if bill is None else [bill]
        self._take(held.giver[:fen], "held", "spent")
        self._tell("debit", held.giver[:fen], payment)
        self._free(held.giver[fen:], "held", payment)
        return self._payment("200", payment, undoes="payment")

    def extend(self, payment: int, seconds: int, own: bool) -> Said:
        held = self.payments[payment]
        refusal = self._not_held(held, own)
        if refusal is not None:
            return Said(refusal)
        if seconds > LONGEST[held.purpose]:
            return Said("invalid")
        if any(self.shares[number].over for number in held.giver):
            return Said("relation-not-active")
        assert held.ends is not None
        held.ends = max(held.ends, min(self.now + seconds, held.begun + LONGEST[held.purpose]))
        return self._payment("200", payment)

    def release(self, payment: int, own: bool) -> Said:
        held = self.payments[payment]
        refusal = self._not_held(held, own)
        if refusal is not None:
            return Said(refusal)
        self._let_go(payment, "released")
        return self._payment("200", payment)

    def refund(self, payment: int, fen: int, bill: int | None, own: bool) -> Said:
        paid = self.payments[payment]
        if not own or paid.purpose == "premium":
            return Said("not-found")
        if paid.state not in ("captured", "refunded"):
            return Said("payment-not-captured")
        if fen > paid.charged:
            return Said("refund-exceeds-capture")
        if bill is not None and paid.charged - fen > bill:
            return Said("exceeds-personal-burden")
        paid.backs.append(Back(fen, bill))
        row = self._give_up(payment, fen)
        paid.state = "captured" if paid.charged else "refunded"
        body = {
            "amount_fen": fen,
            "allocations": parts(row),
            "state": paid.state,
            "captured_fen": paid.captured,
            "refunded_fen": paid.captured - paid.charged,
            "psn_cash_pay_fen": paid.bill - paid.charged,
        }
        return Said("201", body, payment, len(paid.backs) - 1, undoes="refund")

    def reverse(self, key: str) -> Said:
        if key in self.undone:
            return self._outcome("already_reversed" if self.undone[key] else "tombstoned")
        if key not in self.keys:
            self.keys[key] = (None, Said("reversed-before-arrival"))
            self.undone[key] = False
            return self._outcome("tombstoned")
        _, original = self.keys[key]
        if not original.code.isdecimal():
            return self._outcome("nothing_to_reverse")
        if original.undoes == "nothing":
            return Said("reversal-not-possible")
        assert original.payment is not None
        if original.undoes == "refund":
            assert original.back is not None
            return self._retake(key, original.payment, original.back)
        return self._undo(key, original.payment)

    # What citizens ask, and what becomes of relations.

    def wish(self, share: int, fen: int, own: bool) -> Said:
        of = self.shares[share]
        more = fen - of.fen["available"]
        if not own:
            return Said("not-found")
        if of.over:
            return Said("relation-not-active")
        if of.state == "freezing":
            return Said("wrong-state")
        if more > 0 and of.suspended:
            return Said("relation-not-active")
        of.refusal = None
        of.state = "freezing" if more > 0 else "active"
        if more > 0:
            self.errands.append(Errand("freeze", share, more, self.now))
        if more < 0:
            self._return(share, -more, "available", None)
        names = {"available": "available_fen", "held": "held_fen", "spent": "spent_fen"}
        body: dict[str, Any] = {name: of.fen[place] for place, name in names.items()}
        return Said("202", body | {"state": of.state, "granted_fen": granted(of)})

    def order(self, shares: list[int]) -> Said:
        if len(shares) != len(set(shares)):
            return Said("invalid")
        if any(self.shares[number].over for number in shares):
            return Said("not-found")
        for of in self.shares:
            if not of.over:
                of.rank = shares.index(of.number) if of.number in shares else None
        order = [of.number for of in self._in_order() if not of.over]
        return Said("200", {"shares": order})

    def end(self, share: int) -> Said:
        of = self.shares[share]
        if not of.over:
            of.state = "ended"
            if of.fen["available"]:
                self._return(share, of.fen["available"], "available", None)
        return Said("200")

    def suspend(self, share: int, suspended: bool) -> Said:
        if not self.shares[share].over:
            self.shares[share].suspended = suspended
        return Said("200")

    # What provinces answer.

    def answer(self, errand: int | None, yes: bool, own: bool, kind: str) -> Said:
        if errand is None or not own or self.errands[errand].kind != kind:
            return Said("not-found")
        asked = self.errands[errand]
        said = "confirmed" if yes else "refused"
        if asked.state not in ("sent", "given_up"):
            return Said("200" if asked.state == said else "wrong-state")
        given_up = asked.state == "given_up"
        asked.state = said
        if asked.kind == "freeze":
            self._frozen(self.shares[asked.share], asked.fen, yes, given_up)
        elif asked.kind == "credit":
            self._credited(self.shares[asked.share], asked, yes)
        return Said("200")

    # What time brings.

    def pass_time(self, seconds: int) -> None:
        self.now += seconds

    def sweep(self) -> None:
        for number, payment in enumerate(self.payments):
            if payment.late(self.now):
                self._let_go(number, "expired")

    def expire(self, payment: int, deadline: int) -> Said:
        held = self.payments[payment]
        if held.ends == deadline and held.late(self.now):
            self._let_go(payment, "expired")
        return Said("200")

    # The rest is how.

    def _in_order(self) -> list[Share]:
        ranked = [of for of in self.shares if of.rank is not None]
        others = [of for of in self.shares if of.rank is None]
        return [*sorted(ranked, key=lambda of: of.rank or 0), *others]

    def givers(self, fen: int) -> list[int]:
        """Who gives each of these fen; fewer where there are not so many."""
        usable = [of for of in self._in_order() if not of.over and not of.suspended]
        return [of.number for of in usable for _ in range(of.fen["available"])][:fen]

    def _row(self, fen: int, bill: int, partial: bool, present: bool) -> list[int] | Said:
        if not present:
            return Said("presence-expired")
        if fen > bill:
            return Said("exceeds-personal-burden")
        row = self.givers(fen)
        if len(row) < fen and not (partial and row):
            return Said("quota-insufficient")
        return row

    def _not_held(self, payment: Payment, own: bool) -> str | None:
        if not own or payment.purpose == "premium":
            return "not-found"
        if payment.state == "expired" or payment.late(self.now):
            return "hold-expired"
        return None if payment.state == "held" else "payment-not-held"

    def _take(self, row: Iterable[int], source: str, target: str) -> None:
        for number in row:
            self.shares[number].move(1, source, target)

    def _tell(
        self, kind: str, row: Iterable[int], payment: int, freezes: bool | None = None
    ) -> None:
        for number, fen in Counter(row).items():
            living = None if freezes is None else not self.shares[number].over
            self.errands.append(Errand(kind, number, fen, self.now, payment, living))

    def _return(self, share: int, fen: int, source: str, payment: int | None) -> None:
        self.shares[share].move(fen, source, "returned")
        self.errands.append(Errand("unfreeze", share, fen, self.now, payment))

    def _free(self, row: Iterable[int], source: str, payment: int) -> None:
        for number, fen in Counter(row).items():
            if self.shares[number].over:
                self._return(number, fen, source, payment)
            else:
                self.shares[number].move(fen, source, "available")

    def _let_go(self, payment: int, state: str) -> None:
        self.payments[payment].state = state
        self._free(self.payments[payment].giver, "held", payment)

    def _give_up(self, payment: int, fen: int) -> list[int]:
        paid = self.payments[payment]
        row = paid.giver[paid.charged - fen : paid.charged]
        paid.charged -= fen
        self._take(row, "spent", "restoring")
        self._tell("credit", row, payment, freezes=True)
        return row

    def _undo(self, key: str, payment: int) -> Said:
        paid = self.payments[payment]
        if paid.state == "reversed":
            return self._outcome("already_reversed")
        if paid.state == "captured":
            paid.backs.append(Back(paid.charged, None))
            self._give_up(payment, paid.charged)
            paid.state = "reversed"
        elif paid.state == "held" and not paid.late(self.now):
            self._let_go(payment, "released")
        else:
            return self._outcome("nothing_to_reverse")
        self.undone[key] = True
        return self._outcome("reversed")

    def _retake(self, key: str, payment: int, back: int) -> Said:
        paid = self.payments[payment]
        if paid.state == "reversed":
            return Said("reversal-not-possible")
        fen = paid.backs[back].fen
        row = paid.giver[paid.charged : paid.charged + fen]
        why = {self._why_not(self.shares[number], need) for number, need in Counter(row).items()}
        if why - {None}:
            return Said("not-yet" if why - {None} == {"yet"} else "reversal-not-possible")
        paid.backs[back].stands = False
        if paid.charged + fen > paid.bill:
            paid.backs[back].stands = True
            return Said("reversal-not-possible")
        paid.charged += fen
        paid.state = "captured"
        self._take(row, "available", "spent")
        self._tell("debit", row, payment)
        self.undone[key] = True
        return self._outcome("reversed")

    @staticmethod
    def _why_not(of: Share, need: int) -> str | None:
        if of.over:
            return "never"
        if of.fen["available"] >= need:
            return None
        return "yet" if of.fen["available"] + of.fen["restoring"] >= need else "never"

    def _frozen(self, of: Share, fen: int, yes: bool, given_up: bool) -> None:
        if not yes and given_up:
            return
        if not yes:
            of.refusal = "insufficient"
            if not of.over:
                of.state = "active" if granted(of) else "refused"
            return
        of.fen["available"] += fen
        if of.over or given_up:
            self._return(of.number, fen, "available", None)
        else:
            of.state, of.refusal = "active", None

    def _credited(self, of: Share, asked: Errand, yes: bool) -> None:
        if not yes or not asked.freezes:
            of.move(asked.fen, "restoring", "returned")
        else:
            assert asked.payment is not None
            self._free([of.number] * asked.fen, "restoring", asked.payment)

    def _payment(self, code: str, number: int, undoes: str = "nothing") -> Said:
        paid = self.payments[number]
        aid = len(paid.giver) if paid.state == "held" else paid.charged
        row = paid.giver[: paid.captured] if paid.captured else paid.giver
        body = {
            "state": paid.state,
            "requested_fen": paid.asked,
            "amount_fen": len(paid.giver),
            "captured_fen": paid.captured,
            "refunded_fen": paid.captured - paid.charged,
            "allocations": parts(row),
            "acct_mulaid_pay_fen": aid,
            "psn_cash_pay_fen": paid.bill - aid,
            "ends": paid.ends,
        }
        return Said(code, body, number, undoes=undoes)

    @staticmethod
    def _outcome(outcome: str) -> Said:
        return Said("200", {"outcome": outcome})
