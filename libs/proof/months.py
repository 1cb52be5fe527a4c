"""I9: months tie out: ledger = control totals = what settlement has = statements of every tier.

What one province pays is what another receives, gross; what was paid is what was owed; closing
again changes no byte. Everything is added up anew here, from the lines of the wallet.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from proof.rows import Line, Months, MonthSeen, StatementSeen

Key = tuple[str, str, str]
"""Debtor, creditor, kind."""

Sums = tuple[int, int, int, int]
"""Count and sum in fen, and of both what is of payments of earlier months."""

K = TypeVar("K")

ISSUED = ("issued", "confirmed", "paid", "closed")
BALANCED = ("balanced", *ISSUED)
PREMIUMS = ("premium_390", "premium_410")


def months_tie_out(months: Months) -> list[str]:
    """I9 for every month that anybody knows of."""
    violations = [
        *_ledger(months),
        *_control_totals(months),
        *_issued(months),
    ]
    for seen in months.seen:
        of_month = [line for line in months.lines if line.period == seen.period]
        violations += _month(seen, of_month, months)
        violations += _unchanged(seen)
        violations += _statements(seen, of_month)
    return violations


def _ledger(months: Months) -> Iterator[str]:
    """Entries, payments with their opposite rows, and settlement have the same lines."""
    yield from _different(
        _added(months.lines, _by_payment),
        _added(months.replayed, _by_payment),
        "the entries have {} of {}, its payment and opposite rows make it {}",
    )
    yield from _different(
        {_name(line): line for line in months.lines},
        {_name(line): line for line in months.recorded},
        "the ledger has {} of {}, settlement {}",
    )
    seen: set[tuple[str, str]] = set()
    for line in months.recorded:
        if _name(line) in seen:
            yield f"settlement has the line {_name(line)} twice"
        seen.add(_name(line))


def _name(line: Line) -> tuple[str, str]:
    return line.cause_id, line.quota_id


def _by_payment(line: Line) -> tuple[object, ...]:
    # Opposite rows of one instant have no order among them: only together they are determined.
    return (
        *(line.cell, line.payment_id, line.quota_id, line.period, line.captured_period),
        *(line.debtor, line.creditor, line.kind, line.institution),
    )


def _added(lines: Iterable[Line], by: Callable[[Line], K]) -> dict[K, int]:
    found: dict[K, int] = defaultdict(int)
    for line in lines:
        found[by(line)] += line.amount
    return {key: amount for key, amount in found.items() if amount}


def _different(ours: Mapping[K, Any], theirs: Mapping[K, Any], told: str) -> Iterator[str]:
    for key in sorted(ours.keys() | theirs.keys(), key=repr):
        if ours.get(key) != theirs.get(key):
            yield told.format(ours.get(key, "nothing"), key, theirs.get(key, "nothing"))


def _control_totals(months: Months) -> Iterator[str]:
    """What each cell told when it was cut is what its ledger has of that month, to the byte."""
    told: dict[tuple[str, int], Mapping[Key, tuple[int, int, str]]] = {}
    cells: dict[str, set[int]] = defaultdict(set)
    for cut in months.cuts:
        name = (cut.period, cut.cell)
        if told.setdefault(name, cut.totals) != cut.totals:
            yield f"cell {cut.cell} was cut in two ways for {cut.period}"
        cells[cut.period].add(cut.cells)
    for period, counts in cells.items():
        heard = {cell for month, cell in told if month == period}
        if [len(heard)] != list(counts):
            yield f"{period} was cut in cells {sorted(heard)} of {sorted(counts)}"
    ours: dict[tuple[str, int], dict[Key, tuple[int, int, str]]] = defaultdict(dict)
    groups: dict[tuple[str, int, str, str, str], list[Line]] = defaultdict(list)
    for line in months.lines:
        groups[line.period, line.cell, line.debtor, line.creditor, line.kind].append(line)
    for (period, cell, *key), lines in groups.items():
        debtor, creditor, kind = key
        ours[period, cell][debtor, creditor, kind] = _control(lines)
    for (period, cell), totals in sorted(told.items()):
        yield from _different(
            ours[period, cell],
            totals,
            f"{period} of cell {cell}: the ledger has {{}} for {{}}, it was cut with {{}}",
        )


def _control(lines: Iterable[Line]) -> tuple[int, int, str]:
    count = amount = total = 0
    for line in lines:
        text = f"{line.cause_id}|{line.quota_id}|{line.amount}".encode()
        count, amount = count + 1, amount + line.amount
        total += int(hashlib.sha256(text).hexdigest()[:16], 16)
    return count, amount, f"{total % (1 << 64):016x}"


def _issued(months: Months) -> Iterator[str]:
    """Each province is told once; what it pays another hears that it receives."""
    for told in (months.issued, months.closed):
        ids: dict[tuple[str, str, int], set[str]] = defaultdict(set)
        for each in told:
            ids[each.province, each.period, each.version].add(each.event_id)
        yield from (
            f"{name} was {type(told[0]).__name__.lower()} {len(found)} times"
            for name, found in sorted(ids.items())
            if len(found) > 1
        )
    pays: dict[tuple[object, ...], tuple[int, int]] = {}
    receives: dict[tuple[object, ...], tuple[int, int]] = {}
    for issued in months.issued:
        month, province = (issued.period, issued.version), issued.province
        for (counterpart, kind, direction), given in issued.lines.items():
            if direction == "pays":
                pays[*month, province, counterpart, kind] = given
            else:
                receives[*month, counterpart, province, kind] = given
    yield from _different(pays, receives, "issued to pay {} for {}, and to receive {}")


def _month(seen: MonthSeen, lines: list[Line], months: Months) -> Iterator[str]:
    """A month's own figures, whom it was issued to, and what was paid of it."""
    period = json.loads(seen.body)
    state, name = period["state"], seen.period
    cut = [each for each in months.cuts if each.period == name]
    if (state == "open") != (not cut):
        yield f"{name} is {state} and was cut in {len(cut)} cells"
    if state in BALANCED:
        figures = (len(lines), sum(line.amount for line in lines))
        if (period["count"], period["sum_fen"]) != figures:
            yield (
                f"{name} is {state} with {period['count']} lines of {period['sum_fen']},"
                f" the ledger has {figures}"
            )
    if state not in ISSUED:
        return
    issued = [
        each for each in months.issued if (each.period, each.version) == (name, period["version"])
    ]
    if any(each.digest != period["digest"] for each in issued):
        yield f"{name} was issued with another digest than its own"
    yield from _different(
        _to_issue(lines),
        {each.province: (dict(each.lines), dict(each.inside)) for each in issued},
        f"{name}: the ledger has {{}} to be issued to {{}}, it was {{}}",
    )
    owed, paid = transfers_of(lines), paid_of(months, name)
    yield from _different(
        {pair: (amount, paid[pair]) for pair, amount in owed.items()},
        {
            (each["payer"], each["payee"]): (each["amount_fen"], each["paid_fen"])
            for each in period["transfers"]
        },
        f"{name}: owed and paid are {{}} for {{}}, not {{}}",
    )
    told = {each.province for each in months.closed if each.period == name}
    if state == "closed" and told != {each.province for each in issued}:
        yield f"{name} was closed, of which {sorted(told)} were told"
    if state in ("paid", "closed"):
        yield from (
            f"{name} is {state}, and {pair} paid {paid[pair]} of {amount}"
            for pair, amount in owed.items()
            if paid[pair] != amount
        )


def paid_of(months: Months, period: str) -> dict[tuple[str, str], int]:
    """What counts of what provinces say they paid: each fact once, and never more than is owed."""
    owed = transfers_of(line for line in months.lines if line.period == period)
    paid = dict.fromkeys(owed, 0)
    for event in {each.event_id: each for each in months.paid}.values():
        pair = (event.payer, event.payee)
        if event.period == period and paid.get(pair, 0) + event.amount <= owed.get(pair, 0):
            paid[pair] += event.amount
    return paid


def _to_issue(lines: list[Line]) -> dict[str, tuple[dict[Any, Any], dict[Any, Any]]]:
    """Province → its lines by counterpart, kind and direction, and those inside by pool."""
    found: dict[str, tuple[dict[Any, Any], dict[Any, Any]]] = defaultdict(lambda: ({}, {}))
    for key, (count, amount, *_) in _sums(lines, _provinces).items():
        debtor, creditor, kind = key
        if debtor != creditor:
            found[debtor][0][creditor, kind, "pays"] = (count, amount)
            found[creditor][0][debtor, kind, "receives"] = (count, amount)
    for key, (count, amount, *_) in _sums(lines, _pools).items():
        province = province_of(key[0])
        if province == province_of(key[1]):
            found[province][1][key] = (count, amount)
    return dict(found)


def transfers_of(lines: Iterable[Line]) -> dict[tuple[str, str], int]:
    """Payer, payee → fen: gross of each direction; who was charged less than nothing receives."""
    gross: dict[tuple[str, str], int] = defaultdict(int)
    for line in lines:
        gross[province_of(line.debtor), province_of(line.creditor)] += line.amount
    owed: dict[tuple[str, str], int] = defaultdict(int)
    for (debtor, creditor), amount in gross.items():
        if debtor != creditor and amount:
            pair = (debtor, creditor) if amount > 0 else (creditor, debtor)
            owed[pair] += abs(amount)
    return dict(owed)


def _unchanged(seen: MonthSeen) -> Iterator[str]:
    for text in seen.repeated:
        if text != seen.body:
            yield f"a step of {seen.period} done again answers {text}, before it was {seen.body}"
    for each in seen.statements:
        if each.body != each.again:
            yield f"the {each.tier} statement {each.whose} of {seen.period} has changed"


def _statements(seen: MonthSeen, lines: list[Line]) -> Iterator[str]:
    """Every statement is what its lines add up to, and all of them tell of the same month."""
    period = json.loads(seen.body)
    parsed = [(each, json.loads(each.body)) for each in seen.statements]
    for each, told in parsed:
        named = f"{seen.period} {each.tier} {each.whose}".rstrip()
        if (told["version"], told["digest"]) != (period["version"], period["digest"]):
            yield f"{named} is of another version than its month"
        if (told["period"], told["tier"]) != (seen.period, each.tier):
            yield f"{named} calls itself {told['period']} {told['tier']}"
        expected = _expected(each, lines)
        yield from _different(expected, _told(told["lines"]), f"{named}: {{}} for {{}}, not {{}}")
        totals = tuple(map(sum, zip(*expected.values(), strict=True))) or (0, 0, 0, 0)
        if totals != _sums_of(told["totals"]):
            yield f"{named} adds up to {totals}, it says {told['totals']}"
        if each.tier == "national":
            diagonal = {
                key: value for key, value in _sums(lines, _provinces).items() if key[0] == key[1]
            }
            yield from _different(
                diagonal, _told(told["diagonal"]), f"{named} inside: {{}} for {{}}, not {{}}"
            )
            yield from _net(named, told, lines)
    yield from _tiers(seen.period, parsed)


def _net(named: str, told: Mapping[str, Any], lines: list[Line]) -> Iterator[str]:
    net: dict[tuple[str, str], int] = defaultdict(int)
    for line in lines:
        debtor, creditor = province_of(line.debtor), province_of(line.creditor)
        if debtor < creditor:
            net[debtor, creditor] += line.amount
        elif creditor < debtor:
            net[creditor, debtor] -= line.amount
    expected = {
        (pair if amount > 0 else pair[::-1]): abs(amount) for pair, amount in net.items() if amount
    }
    given = {
        (each["payer"], each["payee"]): each["amount_fen"]
        for each in told["net"]
        if each["amount_fen"]
    }
    yield from _different(expected, given, f"{named} net: {{}} for {{}}, not {{}}")


def _tiers(period: str, parsed: list[tuple[StatementSeen, dict[str, Any]]]) -> Iterator[str]:
    """What debtors owe is the same in every tier: once by provinces, pools, and institutions."""
    owed: dict[str, int] = defaultdict(int)
    for each, told in parsed:
        for line in (*told["lines"], *told["diagonal"]):
            fen, debtor = line["sum_fen"], line["debtor"]
            match each.tier:
                case "national":
                    owed["national"] += fen
                case "province":
                    owed["province"] += fen if province_of(debtor) == each.whose else 0
                case "city":
                    owed["city"] += fen if debtor == each.whose else 0
                    # Nobody has taken care of a premium: it is in no institution's statement.
                    if debtor == each.whose and line["kind"] in PREMIUMS:
                        owed["institution"] += fen
                case _:
                    owed["institution"] += fen
    if len({owed[tier] for tier in ("national", "province", "city", "institution")}) > 1:
        yield f"{period}: the tiers do not tie out: {dict(owed)}"


def _expected(statement: StatementSeen, lines: list[Line]) -> dict[Key, Sums]:
    whose = statement.whose
    match statement.tier:
        case "national":
            sums = _sums(lines, _provinces)
            return {key: value for key, value in sums.items() if key[0] != key[1]}
        case "province":
            sums = _sums(lines, _pools)
            return {key: value for key, value in sums.items() if whose in map(province_of, key[:2])}
        case "city":
            return {key: value for key, value in _sums(lines, _pools).items() if whose in key[:2]}
        case _:
            sums = _sums(lines, lambda line: (line.debtor, line.institution, line.kind))
            return {key: value for key, value in sums.items() if key[1] == whose}


def _sums(lines: Iterable[Line], by: Callable[[Line], Key]) -> dict[Key, Sums]:
    found: dict[Key, Sums] = {}
    for line in lines:
        late = line.captured_period < line.period
        count, fen, late_count, late_fen = found.get(by(line), (0, 0, 0, 0))
        found[by(line)] = (
            count + 1,
            fen + line.amount,
            late_count + late,
            late_fen + late * line.amount,
        )
    return found


def _pools(line: Line) -> Key:
    return line.debtor, line.creditor, line.kind


def _provinces(line: Line) -> Key:
    return province_of(line.debtor), province_of(line.creditor), line.kind


def _told(lines: Iterable[Mapping[str, Any]]) -> dict[Key, Sums]:
    return {(each["debtor"], each["creditor"], each["kind"]): _sums_of(each) for each in lines}


def _sums_of(told: Mapping[str, Any]) -> Sums:
    return (
        *(told["count"], told["sum_fen"]),
        *(told["adjustments_count"], told["adjustments_fen"]),
    )


def province_of(pool: str) -> str:
    """The province of a pool, by a rule of the proof's own: its table is what is to be proved."""
    return "660000" if pool.startswith("6590") else f"{pool[:2]}0000"
