"""What a province deposits with another, so that the other can pay its institutions (R16).

How much, nobody has told us: a rule of this world, made up, and a setting.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

PrefundName = tuple[str, str]
"""The province that deposits, and its counterpart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The first deposit, in fen, and how many times what is used shall be deposited."""

    first_fen: int = 1_000_000
    times: int = 2

    def lacking(self, deposited_fen: int, ratio_percent: int) -> int:
        """What to deposit when this much of a deposit is used, in fen; perhaps nothing."""
        if deposited_fen == 0:
            return self.first_fen
        used_fen = -(-deposited_fen * ratio_percent // 100)
        return max(self.times * used_fen - deposited_fen, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefund:
    """`unanswered_percent` is the last warning that the province has kept silent about."""

    province: str
    counterpart: str
    deposited_fen: int = 0
    unanswered_percent: int | None = None

    @property
    def name(self) -> PrefundName:
        return self.province, self.counterpart


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    prefund: PrefundName
    amount_fen: int


@dataclass(slots=True, kw_only=True)
class Prefunds:
    """The mutable copy of the prefunds that one batch works on, and what it has to write."""

    known: dict[PrefundName, Prefund]
    changed: set[PrefundName] = field(default_factory=set)
    deposits: list[Deposit] = field(default_factory=list)

    def warned(self, name: PrefundName, ratio_percent: int) -> Prefund:
        """A warning came; it waits until it is answered."""
        before = self.known.get(name) or Prefund(province=name[0], counterpart=name[1])
        return self._becomes(replace(before, unanswered_percent=ratio_percent))

    def answer(self, prefund: Prefund, rule: Rule) -> Deposit | None:
        """Deposit what is lacking; None where nothing is."""
        assert prefund.unanswered_percent is not None
        lacking = rule.lacking(prefund.deposited_fen, prefund.unanswered_percent)
        deposited = prefund.deposited_fen + lacking
        self._becomes(replace(prefund, deposited_fen=deposited, unanswered_percent=None))
        if not lacking:
            return None
        self.deposits.append(Deposit(prefund=prefund.name, amount_fen=lacking))
        return self.deposits[-1]

    def _becomes(self, prefund: Prefund) -> Prefund:
        self.known[prefund.name] = prefund
        self.changed.add(prefund.name)
        return prefund
