"""The rest of the model of the wallet: premiums, and what becomes of those who keep silent.

Who is asked and does not answer is asked again after a while, and then after twice as long each
time: the fund of a premium for ever, a province a few times, then a clerk has it in hand.
"""

from __future__ import annotations

from tests.support.wallet_model import Model
from tests.support.wallet_model_books import Back, Payment, Premium, Said, granted

HALF_AN_HOUR = 1_800
FUND_FIRST, FUND_LONGEST = 2 * HALF_AN_HOUR, 48 * HALF_AN_HOUR
"""Seconds after which a fund is asked again, and the longest it is left alone."""

PROVINCE_FIRST, PROVINCE_LONGEST, MOST_ASKS = HALF_AN_HOUR, 48 * HALF_AN_HOUR, 3
"""The same of a province, and how often it is asked before a clerk has to look."""

UNSAID = {
    # known         what the fund may still say, and what it may say again
    "asked": ({"accepted", "refused", "refunded"}, set()),
    "accepted": ({"refunded"}, {"accepted"}),
    "refused": (set(), {"refused"}),
    "refunded": (set(), {"accepted", "refunded"}),
}  # fmt: skip


def patience(first: int, longest: int, asks: int) -> int:
    """Seconds that somebody who was asked so often may keep silent."""
    wait = first
    for _ in range(asks - 1):
        wait = min(2 * wait, longest)
    return wait


class Whole(Model):
    """The whole model of a beneficiary's wallet."""

    def __init__(self, sharers: int) -> None:
        super().__init__(sharers)
        self.premiums: list[Premium] = []

    def premium(self, fen: int, levy: str, entitled: bool) -> Said:
        if not entitled:
            return Said("relation-not-active")
        if any(each.levy == levy and each.state in ("asked", "accepted") for each in self.premiums):
            return Said("wrong-state")
        row = self.givers(fen)
        if len(row) < fen:
            return Said("quota-insufficient")
        number = len(self.payments)
        self.payments.append(Payment(row, fen, [fen], "premium", "held", self.now, None))
        due = self.now + patience(FUND_FIRST, FUND_LONGEST, 1)
        self.premiums.append(Premium(number, levy, due))
        self._take(row, "available", "held")
        return self._payment("202", number)

    def fund(self, premium: int | None, says: str, own: bool, levy: str) -> Said:
        if premium is None or not own or self.premiums[premium].levy != levy:
            return Said("not-found")
        of = self.premiums[premium]
        new, again = UNSAID[of.state]
        if says not in new:
            return Said("200" if says in again else "wrong-state")
        paid = self.payments[of.payment]
        if says == "accepted":
            paid.state, paid.captured, paid.charged = "captured", paid.asked, paid.asked
            self._take(paid.giver, "held", "spent")
            self._tell("debit", paid.giver, of.payment)
        elif of.state == "asked":
            self._let_go(of.payment, "released")
        else:
            paid.backs.append(Back(paid.charged, None))
            self._give_up(of.payment, paid.charged)
            paid.state = "refunded"
        of.state = says
        return Said("200")

    def ask_again(self) -> None:
        """The sweeps ask everybody whose time has come, once."""
        for of in self.premiums:
            if of.state == "asked" and self.now >= of.due:
                of.times += 1
                of.due = self.now + patience(FUND_FIRST, FUND_LONGEST, of.times)
        for errand in self.errands:
            if errand.state != "sent" or errand.parked:
                continue
            wait = patience(PROVINCE_FIRST, PROVINCE_LONGEST, min(errand.asks, MOST_ASKS))
            if self.now < errand.asked + wait:
                continue
            if errand.asks >= MOST_ASKS:
                errand.parked = True
            else:
                errand.asks, errand.asked = errand.asks + 1, self.now

    def repeat(self, errand: int | None) -> Said:
        if errand is None:
            return Said("not-found")
        asked = self.errands[errand]
        if asked.state != "sent" or not asked.parked:
            return Said("wrong-state")
        asked.parked, asked.asks, asked.asked = False, asked.asks + 1, self.now
        return Said("200")

    def give_up(self, errand: int | None) -> Said:
        if errand is None:
            return Said("not-found")
        asked = self.errands[errand]
        if asked.kind != "freeze" or asked.state != "sent" or not asked.parked:
            return Said("wrong-state")
        asked.state = "given_up"
        of = self.shares[asked.share]
        of.refusal = "silent"
        if not of.over:
            of.state = "active" if granted(of) else "refused"
        return Said("200")
