"""Prefunds: what a debtor province deposited with a creditor, and how much is used (R16).

used = lines the debtor's pools owe the creditor's places of care − what was transferred for them

Below 0 where more was given back than charged. A prefund is green, from `warn_percent` of use on
yellow, from `red_percent` on red: both are policy of the debtor's region.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from contracts import events, topics
from contracts.vocabulary import PrefundLevel
from kit.answers import render
from kit.work import Event
from policy.calendar import beijing_day
from policy.settings import Prefund as Thresholds

Pair = tuple[str, str]
"""Debtor and creditor province."""

ThresholdsOf = Callable[[str, date], Thresholds]
"""What holds for a debtor province on a Beijing day."""

LEVELS: tuple[PrefundLevel, ...] = ("green", "yellow", "red")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefund:
    """One pair of provinces; fen. `used` may be below 0."""

    debtor: str
    creditor: str
    deposited: int = 0
    used: int = 0
    level: PrefundLevel = "green"

    def __post_init__(self) -> None:
        assert self.debtor != self.creditor, "the diagonal has no prefund"
        assert self.deposited >= 0

    @property
    def pair(self) -> Pair:
        return self.debtor, self.creditor

    @property
    def ratio_percent(self) -> int:
        """How much is used, in whole percent; of nothing deposited all is, as soon as any is."""
        if self.used <= 0:
            return 0
        return self.used * 100 // self.deposited if self.deposited else 100

    def levelled(self, thresholds: Thresholds) -> Prefund:
        """This prefund with the level that its use amounts to."""
        ratio = self.ratio_percent
        level: PrefundLevel = "green"
        if ratio >= thresholds.red_percent:
            level = "red"
        elif ratio >= thresholds.warn_percent:
            level = "yellow"
        return replace(self, level=level)


@dataclass(slots=True, kw_only=True)
class Prefunds:
    """The batch's one mutable copy of the prefunds that it changes."""

    before: Mapping[Pair, Prefund]
    thresholds_of: ThresholdsOf
    now: datetime
    _after: dict[Pair, Prefund] = field(default_factory=dict)

    def use(self, amounts: Mapping[Pair, int]) -> None:
        """Count these fen as used or, below 0, as free again."""
        for pair, amount in amounts.items():
            found = self._of(pair)
            self._after[pair] = replace(found, used=found.used + amount)

    def deposit(self, pair: Pair, amount: int) -> None:
        assert amount > 0
        found = self._of(pair)
        self._after[pair] = replace(found, deposited=found.deposited + amount)

    def _of(self, pair: Pair) -> Prefund:
        return self._after.get(pair) or self._before(pair)

    def _before(self, pair: Pair) -> Prefund:
        return self.before.get(pair) or Prefund(debtor=pair[0], creditor=pair[1])

    def changed(self) -> list[Prefund]:
        """What became of those that the batch changed, by pair."""
        day = beijing_day(self.now)
        after = [
            found.levelled(self.thresholds_of(found.debtor, day))
            for _, found in sorted(self._after.items())
        ]
        return [found for found in after if found != self._before(found.pair)]

    def told(self, changed: Iterable[Prefund]) -> tuple[Event, ...]:
        """Of what became of them, each once a batch; the debtor is warned when the level rises,
        once a rise.
        """
        found = []
        for prefund in changed:
            found.append(_changed(prefund, self.now))
            level = self._before(prefund.pair).level
            if LEVELS.index(prefund.level) > LEVELS.index(level):
                found.append(_warned(prefund))
        return tuple(found)


def _changed(prefund: Prefund, now: datetime) -> Event:
    # Plain content, because a busy batch tells of every pair of provinces.
    pair = f"{prefund.debtor}-{prefund.creditor}"
    content = {
        "debtor": prefund.debtor,
        "creditor": prefund.creditor,
        "amount_fen": prefund.deposited,
        "used_fen": prefund.used,
        "level": prefund.level,
        "at": now,
    }
    return Event(
        topic=topics.PREFUND.name,
        key=pair,
        type=events.PrefundChanged.TYPE,
        subject=pair,
        data=render(content).encode(),
    )


def _warned(prefund: Prefund) -> Event:
    assert prefund.level != "green"
    body = events.PrefundWarned(
        counterpart=prefund.creditor, level=prefund.level, ratio_percent=prefund.ratio_percent
    )
    topic = topics.to_province(prefund.debtor)
    return events.event(topic, prefund.creditor, f"{prefund.debtor}-{prefund.creditor}", body)
