"""I9, of prefunds: what provinces said they deposited, and what is owed and not yet paid (R16)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from proof.months import paid_of, province_of
from proof.rows import Months

Pair = tuple[str, str]
"""Debtor and creditor province."""


def prefunds_tie_out(months: Months) -> list[str]:
    """I9 for every pair of provinces that has or uses a prefund."""
    deposited: dict[Pair, int] = defaultdict(int)
    for told in {each.event_id: each for each in months.topped_up}.values():
        deposited[told.province, told.counterpart] += told.amount
    used = _used(months)
    seen = {(each.debtor, each.creditor): each for each in months.prefunds}
    violations = []
    for pair in sorted(deposited.keys() | used.keys() | seen.keys()):
        found = seen.get(pair)
        given = (found.deposited, found.used, found.ratio_percent) if found else (0, 0, 0)
        expected = (deposited[pair], used[pair], _ratio(deposited[pair], used[pair]))
        if given != expected:
            violations.append(
                f"the prefund {pair} has {given} deposited, used and in percent;"
                f" it should be {expected}"
            )
    return violations


def _ratio(deposited: int, used: int) -> int:
    if used <= 0:
        return 0
    return used * 100 // deposited if deposited else 100


def _used(months: Months) -> dict[Pair, int]:
    """Lines between provinces, less what was paid for them."""
    gross: dict[str, dict[Pair, int]] = defaultdict(lambda: defaultdict(int))
    for line in months.lines:
        debtor, creditor = province_of(line.debtor), province_of(line.creditor)
        if debtor != creditor:
            gross[line.period][debtor, creditor] += line.amount
    used: dict[Pair, int] = defaultdict(int)
    for period, owed in gross.items():
        for pair, amount in owed.items():
            used[pair] += amount
        for pair, freed in _freed(owed, paid_of(months, period)):
            used[pair] -= freed
    return used


def _freed(owed: Mapping[Pair, int], paid: Mapping[Pair, int]) -> Iterator[tuple[Pair, int]]:
    """What payments free: first what the payer owes, then what it gives back, which was less."""
    for (payer, payee), amount in paid.items():
        as_debtor = min(amount, max(owed.get((payer, payee), 0), 0))
        yield (payer, payee), as_debtor
        yield (payee, payer), as_debtor - amount
