"""Statements: four tiers of the same lines, gross, the same bytes each time (R15, I9)."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.vocabulary import PaidFor
from policy.areas import province_of
from tests.conftest import MigratedDatabase
from tests.support.settlements import Clearing, clearing_on
from tests.support.teller_wallet import (
    ALAR,
    AT,
    BEIJING,
    GUANGZHOU,
    HAIKOU,
    HOSPITAL,
    PHARMACY,
    SHENZHEN,
    URUMQI,
    Kept,
    TellerWallet,
)

POOLS = (SHENZHEN, GUANGZHOU, BEIJING, URUMQI, ALAR)
PLACES = (ALAR, HAIKOU, GUANGZHOU, BEIJING)
INSTITUTIONS = (HOSPITAL, PHARMACY)

Sums = tuple[int, int, int, int]
"""Lines, fen, adjusting lines, adjusting fen."""


@pytest.fixture
async def clearing(migrated_database: MigratedDatabase) -> AsyncIterator[Clearing]:
    async with clearing_on(migrated_database("settlement")) as one:
        yield one
        await one.audited()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """A payment and what is undone of it, and when."""

    gave: tuple[tuple[str, int], ...]
    at: str
    kind: PaidFor
    institution: str
    earlier: bool
    undone: str


amounts = st.integers(1, 10**9)
deeds = st.lists(
    st.builds(
        Deed,
        gave=st.lists(st.tuples(st.sampled_from(POOLS), amounts), min_size=1, max_size=2).map(
            tuple
        ),
        at=st.sampled_from(PLACES),
        kind=st.sampled_from(PaidFor),
        institution=st.sampled_from(INSTITUTIONS),
        earlier=st.booleans(),
        undone=st.sampled_from(("", "refund", "reverse", "retake")),
    ),
    max_size=14,
)
FEW = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
# Each example has a month of its own in one database, and one before it for what it undoes.
MONTHS = iter([f"20{year}-{month:02}" for year in range(27, 99) for month in (2, 4, 6, 8, 10, 12)])


def before(month: str) -> str:
    return f"{month[:5]}{int(month[5:]) - 1:02}"


def done(deeds: Iterable[Deed], month: str) -> TellerWallet:
    wallet = TellerWallet(cells=2)
    for deed in deeds:
        paid = wallet.capture(
            *deed.gave,
            at=deed.at,
            kind=deed.kind,
            institution=deed.institution,
            period=before(month) if deed.earlier else month,
        )
        fen = [amount for _, amount in deed.gave]
        match deed.undone:
            case "refund":
                wallet.refund(paid, *fen[:-1], 1, period=month)
            case "reverse":
                wallet.reverse(paid, *fen, period=month)
            case "retake":
                wallet.retake(paid, wallet.refund(paid, *fen, period=month), period=month)
    return wallet


def summed(lines: Iterable[Kept], key: Callable[[Kept], Any]) -> dict[Any, Sums]:
    """The lines added up by a key, in code of the test's own."""
    found: dict[Any, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for line in lines:
        adjusts = line.captured_period < line.period
        added = (1, line.amount, int(adjusts), line.amount * adjusts)
        found[key(line)] = [a + b for a, b in zip(found[key(line)], added, strict=True)]
    return {name: (sums[0], sums[1], sums[2], sums[3]) for name, sums in found.items()}


def rows(found: Iterable[dict[str, Any]]) -> dict[Any, Sums]:
    return {(each["debtor"], each["creditor"], each["kind"]): sums_of(each) for each in found}


def sums_of(row: dict[str, Any]) -> Sums:
    return row["count"], row["sum_fen"], row["adjustments_count"], row["adjustments_fen"]


def added(found: Iterable[Sums]) -> Sums:
    columns = list(zip(*found, strict=True)) or [(), (), (), ()]
    return sum(columns[0]), sum(columns[1]), sum(columns[2]), sum(columns[3])


def province(pool: str) -> str:
    return province_of(pool, AT.date())


def digest(month: str, lines: Iterable[Kept]) -> str:
    finest = summed(lines, lambda line: (line.debtor, line.creditor, line.kind, line.institution))
    texts = ["|".join(map(str, (*name, *sums))) for name, sums in finest.items()]
    whole = "\n".join([month, *sorted(texts, key=str.encode)])
    return hashlib.sha256(whole.encode()).hexdigest()


async def body(clearing: Clearing, tier: Any, month: str, **of: str) -> dict[str, Any]:
    given_ = await clearing.statement(tier, month, **of)
    assert given_.status == 200, given_.text
    found: dict[str, Any] = given_.body
    assert sums_of(found["totals"]) == added(map(sums_of, found["lines"]))
    return found


@pytest.mark.rule("R15")
@FEW
@given(deeds)
async def test_all_tiers_tie_out_with_the_lines_and_with_each_other(
    clearing: Clearing, deeds: list[Deed]
) -> None:
    month = next(MONTHS)
    wallet = done(deeds, month)
    await clearing.hear(wallet.take())
    await clearing.hear(wallet.cut(month))
    issued = await clearing.issue(month)
    assert issued.status == 200, issued.text
    lines = wallet.of_month(month)

    nation = await body(clearing, "national", month)
    assert nation["digest"] == digest(month, lines) == issued.body["digest"]
    ours = summed(lines, lambda line: (province(line.debtor), province(line.creditor), line.kind))
    crossing = {name: sums for name, sums in ours.items() if name[0] != name[1]}
    inside = {name: sums for name, sums in ours.items() if name[0] == name[1]}
    assert rows(nation["lines"]) == crossing
    assert rows(nation["diagonal"]) == inside
    assert added([sums_of(nation["totals"]), *inside.values()]) == added(ours.values())

    # Who nets out pays as much as others are paid, and as much as gross owes it.
    net: Counter[str] = Counter()
    gross: Counter[str] = Counter()
    for each in nation["net"]:
        net[each["payer"]] -= each["amount_fen"]
        net[each["payee"]] += each["amount_fen"]
    for name, sums in crossing.items():
        gross[name[0]] -= sums[1]
        gross[name[1]] += sums[1]
    assert sum(net.values()) == 0
    assert {name: fen for name, fen in net.items() if fen} == {
        name: fen for name, fen in gross.items() if fen
    }

    by_pool = summed(lines, lambda line: (line.debtor, line.creditor, line.kind))
    for each in {province(pool) for pool in (*POOLS, *PLACES)}:
        of_province = await body(clearing, "province", month, admdvs=each)
        assert rows(of_province["lines"]) == {
            name: sums
            for name, sums in by_pool.items()
            if each in (province(name[0]), province(name[1]))
        }
        assert of_province["digest"] == nation["digest"]
    for each in {*POOLS, *PLACES}:
        of_city = await body(clearing, "city", month, admdvs=each)
        assert rows(of_city["lines"]) == {
            name: sums for name, sums in by_pool.items() if each in name[:2]
        }
    for each in INSTITUTIONS:
        of_institution = await body(clearing, "institution", month, institution=each)
        assert rows(of_institution["lines"]) == summed(
            [line for line in lines if line.institution == each],
            lambda line: (line.debtor, line.institution, line.kind),
        )


@pytest.mark.rule("R15")
async def test_what_stays_inside_a_province_is_shown_apart(clearing: Clearing) -> None:
    wallet = TellerWallet()
    wallet.capture((SHENZHEN, 500), (GUANGZHOU, 20), at=GUANGZHOU)
    wallet.capture((SHENZHEN, 9))
    await clearing.hear_all(wallet)
    await clearing.issue()
    nation = await body(clearing, "national", "2026-11")
    assert rows(nation["lines"]) == {("440000", "660000", "pharmacy"): (1, 9, 0, 0)}
    assert rows(nation["diagonal"]) == {("440000", "440000", "pharmacy"): (2, 520, 0, 0)}
    assert nation["net"] == [{"payer": "440000", "payee": "660000", "amount_fen": 9}]


@pytest.mark.rule("R22")
async def test_an_adjustment_is_counted_in_the_later_month_and_shown_beside(
    clearing: Clearing,
) -> None:
    wallet = TellerWallet()
    paid = wallet.capture((SHENZHEN, 500))
    wallet.refund(paid, 30)
    wallet.refund(paid, 100, period="2026-12")
    wallet.capture((SHENZHEN, 7), period="2026-12")
    await clearing.hear(wallet.take())
    for month in ("2026-11", "2026-12"):
        await clearing.hear(wallet.cut(month))
        await clearing.issue(month)
    [first] = (await body(clearing, "city", "2026-11", admdvs=SHENZHEN))["lines"]
    [second] = (await body(clearing, "city", "2026-12", admdvs=SHENZHEN))["lines"]
    assert sums_of(first) == (2, 470, 0, 0)
    assert sums_of(second) == (2, -93, 1, -100)


async def test_bytes_never_change_once_issued(clearing: Clearing) -> None:
    wallet = TellerWallet(cells=2)
    wallet.capture((SHENZHEN, 500), (GUANGZHOU, 100), at=GUANGZHOU)
    paid = wallet.capture((BEIJING, 7))
    await clearing.hear_all(wallet)
    await clearing.issue()
    asked: list[tuple[Any, dict[str, str]]] = [
        ("national", {}),
        ("province", {"admdvs": "440000"}),
        ("city", {"admdvs": GUANGZHOU}),
        ("institution", {"institution": PHARMACY}),
    ]
    first = [await clearing.statement(tier, **of) for tier, of in asked]
    wallet.refund(paid, 7, period="2026-12")
    wallet.capture((SHENZHEN, 9), period="2026-12")
    await clearing.hear_all(wallet, "2026-12")
    await clearing.issue("2026-12")
    await clearing.issue()
    await clearing.close()
    assert [await clearing.statement(tier, **of) for tier, of in asked] == first


async def test_a_statement_is_there_once_it_was_issued(clearing: Clearing) -> None:
    assert (await clearing.statement("national")).code == "not-found"
    wallet = TellerWallet(cells=2)
    one, two = wallet.cut("2026-11")
    await clearing.hear([one])
    assert (await clearing.statement("national")).code == "wrong-state"
    await clearing.hear([two])
    found = await clearing.statement("national")
    assert (found.status, found.code) == (409, "wrong-state")
    await clearing.issue()
    found = await clearing.statement("national")
    assert found.body["lines"] == found.body["net"] == found.body["diagonal"] == []
    assert found.body["digest"] == hashlib.sha256(b"2026-11").hexdigest()


@pytest.mark.parametrize(
    ("tier", "of", "status", "code"),
    [
        ("national", {"admdvs": "440000"}, 422, "invalid"),
        ("national", {"institution": PHARMACY}, 422, "invalid"),
        ("province", {}, 422, "invalid"),
        ("province", {"admdvs": "440000", "institution": PHARMACY}, 422, "invalid"),
        ("province", {"admdvs": "999999"}, 404, "not-found"),
        ("province", {"admdvs": "460000"}, 200, None),
        ("city", {}, 422, "invalid"),
        ("city", {"institution": PHARMACY}, 422, "invalid"),
        ("city", {"admdvs": "440399"}, 404, "not-found"),
        ("city", {"admdvs": HAIKOU}, 200, None),
        ("institution", {}, 422, "invalid"),
        ("institution", {"admdvs": "440000"}, 422, "invalid"),
        ("institution", {"admdvs": "440000", "institution": PHARMACY}, 422, "invalid"),
        ("institution", {"institution": "H99999999999"}, 200, None),
    ],
)
async def test_each_tier_names_its_own(
    clearing: Clearing, tier: Any, of: dict[str, str], status: int, code: str | None
) -> None:
    await clearing.hear(TellerWallet().cut("2026-11"))
    await clearing.issue()
    found = await clearing.statement(tier, **of)
    assert (found.status, found.code) == (status, code)
    if status == 200:
        assert found.body["lines"] == []
