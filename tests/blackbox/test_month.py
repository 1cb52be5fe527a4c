"""A month between provinces (contract §3, §5): cut, balanced, issued, confirmed, paid, closed.

Other stories pay meanwhile. What is told to the fen is of a pool that no other story is from.
"""

from __future__ import annotations

import pytest

from tests.blackbox.bus import Bus
from tests.blackbox.months import (
    CITIES,
    SECONDS,
    STATES,
    Life,
    Lines,
    Town,
    added,
    cut_before,
    following,
    lines_of,
    prefunds,
    province_of,
    records,
    until_used,
)
from tests.blackbox.until import until
from tests.blackbox.world import ALAR, XPCC, Answer, Clerk, Counter, World, new_key

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def clerk(world: World) -> Clerk:
    return world.clerk("clearing", name=world.stack.told["clerks"]["clearing"])


@pytest.fixture(scope="module")
def town(world: World, clerk: Clerk, pharmacy: Counter, hospital: Counter) -> Town:
    """40.00 at the pharmacy of which 5.00 are given back, 25.00 at the hospital."""
    known = {debtor for debtor, _ in prefunds(clerk)}
    pool = next(city for city in CITIES if province_of(city) not in known)
    sharer = world.citizen(pool, balance_fen=100_000)
    beneficiary = world.citizen(ALAR, insutype="390")
    sharer.raise_quota(sharer.relate("sharer", beneficiary), 10_000)
    first = pharmacy.pay(pharmacy.token(beneficiary), 4_000).of(201)
    told = {"amount_fen": 500, "reason": "退药"}
    pharmacy.post(f"/v1/payments/{first['payment_id']}/refunds", told).of(201)
    second = hospital.pay(hospital.token(beneficiary), 2_500).of(201)
    assert first["period"] == second["period"]
    return Town(pool=pool, beneficiary=beneficiary, first=first, second=second)


@pytest.fixture(scope="module")
def life(world: World, clerk: Clerk, town: Town, hospital: Counter) -> Life:
    month = str(town.first["period"])
    cut_before(clerk, month)
    said: dict[str, Answer] = {"open": clerk.ask("GET", f"/v1/periods/{month}")}
    for verb in ("issue", "close"):
        said[f"{verb} while open"] = clerk.step(month, verb)
    said["cut the next"] = clerk.step(following(month), "cut")
    used = {"open": until_used(clerk, town, 6_000)}

    key = new_key()
    said["cut"] = clerk.step(month, "cut", key=key)
    said["cut replayed"] = clerk.step(month, "cut", key=key)
    said["another step under the key"] = clerk.step(month, "issue", key=key)
    said["another month under the key"] = clerk.step(following(month), "cut", key=key)
    told = {"amount_fen": 1_000, "reason": "多收"}
    path = f"/v1/payments/{town.second['payment_id']}"
    hospital.post(f"{path}/refunds", told).of(201)

    clerk.becomes(month, "balanced", seconds=SECONDS)
    said["balanced"] = clerk.ask("GET", f"/v1/periods/{month}")
    said["close while balanced"] = clerk.step(month, "close")
    said["statement while balanced"] = clerk.statement(month, "national")
    said["issue"] = clerk.step(month, "issue")
    said["statement"] = clerk.statement(month, "national")
    clerk.becomes(month, "paid", seconds=SECONDS)
    used["paid"] = until_used(clerk, town, -1_000)
    said["issue again"] = clerk.step(month, "issue")
    said["close"] = clerk.step(month, "close")
    for verb in ("cut", "issue", "close"):
        said[f"{verb} while closed"] = clerk.step(month, verb)
    return Life(month=month, town=town, clerk=clerk, said=said, used=used)


@pytest.mark.rule("R15")
def test_a_month_goes_its_way(life: Life) -> None:
    assert life.said["open"].of(200)["state"] == "open"
    assert life.said["cut"].of(200)["state"] in ("cut", "balanced")
    assert life.said["balanced"].of(200)["state"] == "balanced"
    assert life.said["issue"].of(200)["state"] in ("issued", "confirmed", "paid")
    assert life.said["close"].of(200)["state"] == "closed"
    assert life.clerk.state(life.month) == "closed"
    for answer in life.said.values():
        if answer.status == 200 and "state" in answer.json:
            assert answer.json["period"] == life.month
            assert answer.json["state"] in STATES


@pytest.mark.parametrize(
    "what", ["issue while open", "close while open", "cut the next", "close while balanced"]
)
def test_the_wrong_order_is_refused(life: Life, what: str) -> None:
    life.said[what].refused("wrong-state", 409)


def test_there_is_no_statement_before_it_is_issued(life: Life) -> None:
    assert life.said["statement while balanced"].code in ("wrong-state", "not-found")


def test_each_step_may_be_repeated(life: Life) -> None:
    assert life.said["issue again"].of(200)["state"] == "paid"
    for verb in ("cut", "issue", "close"):
        told = life.said[f"{verb} while closed"]
        assert told.of(200)["state"] == "closed", verb
        assert not told.replayed


def test_a_step_is_replayed_byte_for_byte(life: Life) -> None:
    again = life.said["cut replayed"]
    assert (again.status, again.body) == (200, life.said["cut"].body)
    assert (life.said["cut"].replayed, again.replayed) == (False, True)
    life.said["another step under the key"].refused("key-reused", 422)
    life.said["another month under the key"].refused("key-reused", 422)


@pytest.mark.rule("R22")
def test_what_happens_after_the_cut_falls_into_the_next_month(
    life: Life, hospital: Counter, world: World
) -> None:
    family = world.family(available_fen=1_000)
    paid = hospital.pay(hospital.token(family.beneficiary), 1_000).of(201)
    assert paid["period"] > life.month


@pytest.mark.rule("R15")
def test_all_four_tiers_tell_a_payment_to_the_fen(life: Life) -> None:
    pool, province = life.town.pool, life.town.province
    at_pharmacy, at_hospital = (
        str(life.town.first["institution"]),
        str(life.town.second["institution"]),
    )

    def sums(lines: Lines, debtor: str, creditor: str, kind: str) -> tuple[int, ...]:
        return lines[debtor, creditor, kind][1:]

    given = {"pharmacy": 3_500, "outpatient": 2_500}
    national = lines_of(life, life.month, "national")
    own = lines_of(life, life.month, "province", admdvs=province)
    city = lines_of(life, life.month, "city", admdvs=pool)
    for kind, fen in given.items():
        assert sums(national, province, XPCC, kind) == (fen, 0, 0)
        for lines in (own, city):
            assert sums(lines, pool, ALAR, kind) == (fen, 0, 0)
    assert national[province, XPCC, "outpatient"][0] == 1
    assert {line for line in national if province in line} == {
        (province, XPCC, kind) for kind in given
    }
    assert own.keys() == city.keys() == {(pool, ALAR, kind) for kind in given}
    for code, kind in ((at_pharmacy, "pharmacy"), (at_hospital, "outpatient")):
        lines = lines_of(life, life.month, "institution", institution=code)
        assert sums(lines, pool, code, kind) == (given[kind], 0, 0)


@pytest.mark.rule("R15")
def test_the_tiers_tie_out(life: Life, world: World) -> None:
    national = lines_of(life, life.month, "national")
    assert all(debtor != creditor for debtor, creditor, _ in national), "the diagonal is apart"
    provinces = {each for debtor, creditor, _ in national for each in (debtor, creditor)}
    assert {life.town.province, XPCC} <= provinces
    for province in provinces:
        own = lines_of(life, life.month, "province", admdvs=province)
        across = [
            ((province_of(debtor), province_of(creditor), kind), sums)
            for (debtor, creditor, kind), sums in own.items()
            if province_of(debtor) != province_of(creditor)
        ]
        assert all(province in name for name, _ in across), "every line touches the province"
        assert added(across) == {name: each for name, each in national.items() if province in name}
        pools = {pool for line in own for pool in line[:2] if province_of(pool) == province}
        for pool in pools:
            city = lines_of(life, life.month, "city", admdvs=pool)
            assert city == {line: sums for line, sums in own.items() if pool in line}


@pytest.mark.rule("R15")
def test_institutions_tie_out_with_their_places(life: Life, world: World) -> None:
    places: dict[str, list[str]] = {}
    for code, told in world.stack.told["institutions"].items():
        places.setdefault(told["mdtrtarea_admvs"], []).append(code)
    assert ALAR in places
    for place, codes in places.items():
        city = lines_of(life, life.month, "city", admdvs=place)
        owed = {
            (debtor, kind): sums
            for (debtor, creditor, kind), sums in city.items()
            if creditor == place and not kind.startswith("premium")
        }
        theirs = [
            ((debtor, kind), sums)
            for code in codes
            for (debtor, creditor, kind), sums in lines_of(
                life, life.month, "institution", institution=code
            ).items()
            if creditor == code
        ]
        assert added(theirs) == owed, place


def test_closing_changes_no_byte_of_a_statement(life: Life) -> None:
    assert life.said["statement"].status == 200
    now = life.clerk.statement(life.month, "national")
    assert now.body == life.said["statement"].body


def test_an_institution_sees_its_own_statement_alone(
    life: Life, pharmacy: Counter, hospital: Counter
) -> None:
    path = f"/v1/periods/{life.month}/statements"
    code = pharmacy.key.code
    own = pharmacy.get(f"{path}?tier=institution&institution={code}").of(200)
    assert own == life.clerk.statement(life.month, "institution", institution=code).of(200)
    assert {line["creditor"] for line in own["lines"]} == {code}
    others = hospital.get(f"{path}?tier=institution&institution={code}")
    others.refused("not-found", 404)
    for query in ("tier=national", f"tier=province&admdvs={XPCC}", f"tier=city&admdvs={ALAR}"):
        assert pharmacy.get(f"{path}?{query}").code in ("forbidden", "not-found"), query


def test_the_provinces_are_told_and_answer(life: Life, bus: Bus) -> None:
    province, month = life.town.province, life.month
    [issued] = records(bus, f"to.{province}", "clearing.issued.v1", month)
    told = issued.json
    statement = life.said["statement"].json
    assert (told["version"], told["digest"]) == (statement["version"], statement["digest"])
    owed = {
        (each["counterpart"], each["kind"], each["direction"]): each["sum_fen"]
        for each in told["lines"]
    }
    assert owed == {
        (XPCC, "pharmacy", "pays"): 3_500,
        (XPCC, "outpatient", "pays"): 2_500,
    }
    [theirs] = records(bus, f"to.{XPCC}", "clearing.issued.v1", month)
    received = {
        each["kind"]: each["sum_fen"]
        for each in theirs.json["lines"]
        if (each["counterpart"], each["direction"]) == (province, "receives")
    }
    assert received == {"pharmacy": 3_500, "outpatient": 2_500}
    answers = records(bus, f"from.{province}", "clearing.answered.v1", month)
    assert {each.json["answer"] for each in answers} == {"confirmed"}
    paid = [
        each.json
        for each in records(bus, f"from.{province}", "clearing.paid.v1", month)
        if each.json["tier"] == "interprovince"
    ]
    assert {(each["payer"], each["payee"]) for each in paid} == {(province, XPCC)}
    assert sum(each["amount_fen"] for each in paid) == 6_000


def test_it_is_told_that_a_month_was_cut_and_closed(life: Life, bus: Bus) -> None:
    cut = records(bus, "wallet.period", "period.cut.v1", life.month)
    assert 0 in {each.json["cell"] for each in cut}
    assert any(line["debtor"] == life.town.pool for each in cut for line in each.json["lines"])

    def closed() -> bool:
        return all(
            len(records(bus, f"to.{province}", "clearing.closed.v1", life.month)) == 1
            for province in (life.town.province, XPCC)
        )

    until(closed, "both provinces are told that it is closed")
    changes = [
        each for each in bus.read("settlement.clearing") if each.json["period"] == life.month
    ]
    assert {each.key for each in changes} == {life.month.encode()}


@pytest.mark.rule("R16")
def test_a_prefund_is_used_and_replenished(life: Life) -> None:
    assert life.used == {"open": 6_000, "paid": -1_000}
    for (debtor, creditor), each in prefunds(life.clerk).items():
        assert debtor != creditor, "inside a province there is none"
        wanted = {"debtor", "creditor", "amount_fen", "used_fen", "ratio_percent", "level"}
        assert wanted <= set(each)
        assert each["level"] in ("green", "yellow", "red")
        if each["amount_fen"] > 0:
            ratio = max(0, each["used_fen"]) * 100 / each["amount_fen"]
            assert abs(each["ratio_percent"] - ratio) <= 1


@pytest.mark.rule("R22")
def test_a_refund_after_the_cut_is_an_adjustment_of_the_next_month(life: Life) -> None:
    month, pool, province = following(life.month), life.town.pool, life.town.province
    life.clerk.step(month, "cut").of(200)
    life.clerk.becomes(month, "balanced", seconds=SECONDS)
    life.clerk.step(month, "issue").of(200)
    code = str(life.town.second["institution"])
    given_back = (1, -1_000, 1, -1_000)
    national = lines_of(life, month, "national")
    assert national[province, XPCC, "outpatient"] == given_back
    for lines in (
        lines_of(life, month, "province", admdvs=province),
        lines_of(life, month, "city", admdvs=pool),
    ):
        assert lines == {(pool, ALAR, "outpatient"): given_back}
    of_hospital = lines_of(life, month, "institution", institution=code)
    assert of_hospital[pool, code, "outpatient"] == given_back
    life.clerk.becomes(month, "paid", seconds=SECONDS)
    assert life.clerk.step(month, "close").of(200)["state"] == "closed"


QUERIES = ("", "tier=region", "tier=province", "tier=city", "tier=institution&admdvs=659002")


@pytest.mark.parametrize("query", [*QUERIES, "tier=city&admdvs=x", "tier=national&x=1"])
def test_a_statement_of_nothing_is_invalid(life: Life, query: str) -> None:
    path = f"/v1/periods/{life.month}/statements"
    life.clerk.ask("GET", f"{path}?{query}").refused("invalid", 422)


def test_a_pool_that_was_in_nothing_has_an_empty_statement(life: Life) -> None:
    assert lines_of(life, life.month, "city", admdvs="330200") == {}
