"""What the model of the wallet keeps: sharers, payments, orders; what is asked and answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

LONGEST = {"outpatient": 7 * 86_400, "inpatient": 90 * 86_400}
A_DAY = 86_400
NOT_KEPT = frozenset({"invalid", "not-found", "presence-expired", "not-yet"})
PLACES = ("available", "held", "spent", "restoring", "returned")


@dataclass
class Share:
    """What one sharer lets the beneficiary spend: how many fen lie where."""

    number: int
    fen: Counter[str] = field(default_factory=Counter)
    state: str = "opened"
    refusal: str | None = None
    suspended: bool = False
    rank: int | None = None

    @property
    def over(self) -> bool:
        return self.state == "ended"

    def move(self, amount: int, source: str, target: str) -> None:
        self.fen[source] -= amount
        self.fen[target] += amount
        assert self.fen[source] >= 0, "the model itself overdraws"


@dataclass
class Errand:
    """What a province was asked, last at `asked`: freeze, unfreeze, debit or credit."""

    kind: str
    share: int
    fen: int
    asked: int
    payment: int | None = None
    freezes: bool | None = None
    state: str = "sent"
    asks: int = 1
    parked: bool = False


@dataclass
class Premium:
    """What the fund of a levy was asked about a payment, and when it is asked again."""

    payment: int
    levy: str
    due: int
    state: str = "asked"
    times: int = 1


@dataclass
class Back:
    """A refund: how much, and what the bill was made by it, if anything."""

    fen: int
    bill: int | None
    stands: bool = True


@dataclass
class Payment:
    """`giver` names a sharer for each fen; of these the first `captured` were ever charged."""

    giver: list[int]
    asked: int
    bills: list[int]
    purpose: str
    state: str
    begun: int
    ends: int | None
    captured: int = 0
    charged: int = 0
    backs: list[Back] = field(default_factory=list)

    @property
    def bill(self) -> int:
        """The personal burden, by the last bill that still counts."""
        later = [back.bill for back in self.backs if back.stands and back.bill is not None]
        return [*self.bills, *later][-1]

    def late(self, now: int) -> bool:
        return self.state == "held" and self.ends is not None and now >= self.ends


@dataclass
class Said:
    """An answer: `200` and the like or a refusal's code, and what has to stand in its body."""

    code: str
    body: dict[str, Any] = field(default_factory=dict)
    payment: int | None = None
    back: int | None = None
    undoes: str = "nothing"
    """What a reversal of its key is about: payment, refund or nothing."""


@dataclass
class Wish:
    """Something asked of the wallet: which method of the model, with what, and under which key."""

    kind: str
    args: dict[str, Any]
    key: str | None = None


def parts(row: Iterable[int]) -> list[tuple[int, int]]:
    """How much of each sharer, in the order of deduction."""
    return list(Counter(row).items())


def granted(of: Share) -> int:
    return sum(of.fen[place] for place in PLACES)
