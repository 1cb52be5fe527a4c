"""What happens in one beneficiary's life, by the chance of its seed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from tests.support.wallet_model_books import LONGEST, Said, Wish
from tests.support.wallet_model_waiting import Whole

SECONDS = (1_800, 3_600, *[86_400 * days for days in (1, 2, 3, 5, 6, 7, 8, 91)])
SHARERS = 3
LEVIES = ("L-2027", "M-2027")
EARLY = 3
"""At first sharers only say what shall be spendable, and provinces answer."""


class Life:
    """One beneficiary: the model of the wallet, and what is to be asked of the real one next."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.chance = Random(seed)
        self.model = Whole(self.chance.randint(1, SHARERS))
        self.ignored = self.chance.random() < 0.3
        """Whether provinces keep silent about raises, but to a clerk."""
        self.step = 0
        self.asked: list[Wish] = []
        self.deadlines: list[tuple[int, int]] = []
        self.keys: list[str] = []
        self.history: list[str] = []
        self._kinds: dict[str, tuple[int, Callable[[], dict[str, Any] | None]]] = {
            "pay": (8, self._pay),
            "hold": (10, self._hold),
            "capture": (9, self._capture),
            "extend": (3, self._extend),
            "release": (3, self._release),
            "expire": (2, self._expire),
            "refund": (9, self._refund),
            "reverse": (9, self._reverse),
            "wish": (7, self._wish),
            "order": (2, self._order),
            "end": (1, self._end),
            "suspend": (2, self._suspend),
            "answer": (22, self._answer),
            "premium": (4, self._premium),
            "fund": (5, self._fund),
            "repeat": (2, self._repeat),
            "give_up": (3, self._give_up),
        }

    def next(self) -> list[Wish]:
        """What is asked in this step: mostly one thing; two are of one kind and go together."""
        self.step += 1
        if self.step == 1:
            numbers = range(len(self.model.shares))
            return [Wish("wish", {"share": n, "fen": self._most(), "own": True}) for n in numbers]
        if self.chance.random() < 0.06 and self.asked:
            return [self._again()]
        wish = self._one(self._kind())
        wishes = [wish]
        if self.chance.random() < 0.15:
            wishes.append(self._one(wish.kind))
        if self.chance.random() < 0.05:
            wishes.append(wish)
        # A request and its reversal in one batch may come in either order: not decided here.
        keys = {each.key for each in wishes}
        return wishes[:1] if any(each.args.get("key") in keys for each in wishes) else wishes

    def told(self, wish: Wish, said: Said) -> None:
        """Remember what was asked and, as the model has it, answered."""
        self.history.append(
            f"{self.model.now:>8} {wish.kind} {wish.args} {wish.key or ''} → {said}"
        )
        if wish.key is not None:
            self.asked.append(wish)
        if said.body.get("ends") is not None and said.payment is not None:
            self.deadlines.append((said.payment, said.body["ends"]))

    def _kind(self) -> str:
        if self.step <= EARLY:
            return "answer"
        names = list(self._kinds)
        [kind] = self.chance.choices(names, [weight for weight, _ in self._kinds.values()])
        return kind

    def _one(self, kind: str) -> Wish:
        args = self._kinds[kind][1]()
        if args is None and self._rarely(0.5):
            kind, args = "hold", self._hold()
        elif args is None:
            kind, args = "pay", self._pay()
        keyed = kind in ("pay", "hold", "capture", "extend", "release", "refund", "reverse")
        key = None
        if keyed and args.get("own", True):
            key = f"k{len(self.keys)}"
            self.keys.append(key)
        return Wish(kind, args, key)

    def _again(self) -> Wish:
        """Asked before, under its key; or another thing under a key that was used."""
        wish = self.chance.choice(self.asked)
        if self.chance.random() < 0.2:
            other = self._one("pay")
            return Wish(other.kind, other.args, wish.key)
        return wish

    def _fen(self) -> int:
        have = sum(of.fen["available"] for of in self.model.shares if not of.suspended)
        if self._rarely(0.1):
            return have + self.chance.randint(0, 5) or 1
        return self.chance.randint(1, max(1, have // 2))

    def _most(self) -> int:
        return self.chance.randint(1, 80)

    def _rarely(self, probability: float = 0.04) -> bool:
        return self.chance.random() < probability

    def _pay(self) -> dict[str, Any]:
        fen = self._fen()
        bill = max(1, fen - 1) if self._rarely() else fen + self.chance.randint(0, 9)
        return {
            "fen": fen,
            "bill": bill,
            "partial": self._rarely(0.3),
            "present": not self._rarely(),
        }

    def _hold(self) -> dict[str, Any]:
        purpose = self.chance.choice(list(LONGEST))
        seconds = None if self._rarely(0.2) else self.chance.choice(SECONDS)
        return self._pay() | {"purpose": purpose, "seconds": seconds}

    def _some(self, *states: str) -> int | None:
        """A payment, mostly one in these states."""
        numbers = list(range(len(self.model.payments)))
        fitting = [n for n in numbers if self.model.payments[n].state in states]
        if fitting and not self._rarely(0.1):
            return self.chance.choice(fitting)
        return self.chance.choice(numbers) if numbers and self._rarely(0.4) else None

    def _held(self) -> dict[str, Any] | None:
        number = self._some("held")
        return None if number is None else {"payment": number, "own": not self._rarely()}

    def _capture(self) -> dict[str, Any] | None:
        args = self._held()
        if args is None:
            return None
        most = len(self.model.payments[args["payment"]].giver)
        fen = most if self._rarely(0.4) else self.chance.randint(1, most + self._rarely(0.1))
        bill = max(1, fen - self._rarely(0.1)) + self.chance.randint(0, 3)
        return args | {"fen": fen, "bill": bill if self._rarely(0.3) else None}

    def _extend(self) -> dict[str, Any] | None:
        args = self._held()
        return None if args is None else args | {"seconds": self.chance.choice(SECONDS)}

    def _release(self) -> dict[str, Any] | None:
        return self._held()

    def _expire(self) -> dict[str, Any] | None:
        if not self.deadlines:
            return None
        payment, deadline = self.chance.choice(self.deadlines)
        return {"payment": payment, "deadline": deadline}

    def _refund(self) -> dict[str, Any] | None:
        number = self._some("captured")
        if number is None:
            return None
        left = self.model.payments[number].charged
        fen = max(1, left) if self._rarely(0.3) else self.chance.randint(1, left + 1)
        bill = None
        if self._rarely(0.3):
            bill = max(1, left - fen - self._rarely(0.1)) + self.chance.randint(0, 3)
        return {"payment": number, "fen": fen, "bill": bill, "own": not self._rarely()}

    def _reverse(self) -> dict[str, Any]:
        if self._rarely(0.08) or not self.asked:
            # Not asked yet; the next wish of all is given this key, and comes too late.
            return {"key": f"k{len(self.keys) + 1}"}
        refunds = [wish for wish in self.asked if wish.kind == "refund"]
        if refunds and self._rarely(0.4):
            return {"key": self.chance.choice(refunds).key}
        return {"key": self.chance.choice(self.asked).key}

    def _share(self) -> int:
        return self.chance.randrange(len(self.model.shares))

    def _wish(self) -> dict[str, Any]:
        share = self._share()
        have = self.model.shares[share].fen["available"]
        fen = have + self._most() if self._rarely(0.6) else self.chance.randint(0, have)
        return {"share": share, "fen": fen, "own": not self._rarely()}

    def _order(self) -> dict[str, Any]:
        numbers = list(range(len(self.model.shares)))
        named = self.chance.sample(numbers, self.chance.randint(0, len(numbers)))
        return {"shares": named + named[:1] * self._rarely()}

    def _end(self) -> dict[str, Any]:
        return {"share": self._share()}

    def _suspend(self) -> dict[str, Any]:
        return {"share": self._share(), "suspended": self._rarely(0.4)}

    def _premium(self) -> dict[str, Any]:
        levy = self.chance.choice(LEVIES)
        return {"fen": self._fen(), "levy": levy, "entitled": not self._rarely()}

    def _fund(self) -> dict[str, Any] | None:
        """Of the premiums not answered, one; sometimes one that was, or another levy's."""
        premiums = self.model.premiums
        if not premiums:
            return None
        waiting = [n for n, each in enumerate(premiums) if each.state == "asked"]
        again = self._rarely(0.3) or not waiting
        number = self.chance.choice(range(len(premiums)) if again else waiting)
        says = self.chance.choice(("accepted", "accepted", "refused", "refunded"))
        levy = "no such levy" if self._rarely() else premiums[number].levy
        unknown = self._rarely(0.02)
        own = not self._rarely()
        return {"premium": None if unknown else number, "says": says, "own": own, "levy": levy}

    def _repeat(self) -> dict[str, Any] | None:
        return self._in_hand("freeze", "unfreeze", "debit", "credit")

    def _give_up(self) -> dict[str, Any] | None:
        return self._in_hand("freeze")

    def _in_hand(self, *kinds: str) -> dict[str, Any] | None:
        """Mostly something of these kinds that a clerk has in hand."""
        errands = self.model.errands
        if not errands:
            return None
        parked = [
            n
            for n, each in enumerate(errands)
            if each.parked and each.state == "sent" and each.kind in kinds
        ]
        other = self._rarely(0.1) or not parked
        number = self.chance.choice(range(len(errands)) if other else parked)
        return {"errand": None if self._rarely(0.02) else number}

    def _answer(self) -> dict[str, Any] | None:
        """Of those not answered, one; sometimes one that was, or from where nobody asked."""
        errands = self.model.errands
        if not errands:
            return None
        ignored = self.ignored and self.step > EARLY
        waiting = [
            n
            for n, each in enumerate(errands)
            if each.state == "sent" and (each.parked or not (ignored and each.kind == "freeze"))
        ]
        again = self._rarely(0.15) or not waiting
        number = self.chance.choice(range(len(errands)) if again else waiting)
        kind = errands[number].kind
        yes = kind in ("debit", "unfreeze") or not self._rarely(0.2)
        if self._rarely(0.02):
            kind = self.chance.choice([each for each in ("debit", "unfreeze") if each != kind])
            yes = True
        unknown = self._rarely(0.02)
        own = not self._rarely()
        return {"errand": None if unknown else number, "yes": yes, "own": own, "kind": kind}
