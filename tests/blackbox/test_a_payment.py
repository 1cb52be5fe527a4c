"""The story: an employee in Shenzhen lets a parent in Alar pay there from a frozen quota."""

from __future__ import annotations

from typing import Any

import pytest

from tests.blackbox.until import until
from tests.blackbox.world import ALAR, GUANGDONG, SHENZHEN, XPCC, Counter, Family, World, bill

# E1 of the interface standard's worked examples: the personal burden is 2 685.99.
E1 = {
    "medfee_sumamt_fen": 579_253,
    "fulamt_ownpay_fen": 29_620,
    "overlmt_selfpay_fen": 0,
    "preselfpay_fen": 52_261,
    "inscp_scp_fen": 497_372,
    "fund_pay_sumamt_fen": 310_654,
    "hosp_part_fen": 0,
    "psn_part_fen": 268_599,
    "own_acct_pay_fen": 0,
    "med_type": "11",
}


def test_sandbox_people_are_enrolled_and_have_accounts(world: World) -> None:
    person = world.person(SHENZHEN, balance_fen=12_345)
    assert person.told["insutype"] == "310"
    assert person.told["insuplc_admdvs"] == SHENZHEN
    assert person.told["cert_no"][:6] == "990000"
    account = world.account(GUANGDONG, person.psn_no)
    assert account == {"balance_fen": 12_345, "frozen_fen": 0, "spendable_fen": 12_345}
    known = {each["psn_no"] for each in world.sandbox("GET", "/world")["people"]}
    assert person.psn_no in known


def test_a_wallet_is_opened_once_and_stays_open(world: World) -> None:
    person = world.person()
    assert person.wallet()["open"] is False
    first = person.open_wallet().json
    again = person.open_wallet().json
    assert first["person_id"] == again["person_id"] == person.wallet()["person_id"]
    empty = {"open": True, "given_fen": 0, "received_fen": 0, "available_fen": 0}
    assert {name: person.wallet()[name] for name in empty} == empty


@pytest.mark.rule("R3")
@pytest.mark.parametrize("proposer", ["sharer", "beneficiary"])
def test_either_side_proposes_and_the_other_side_confirms(world: World, proposer: str) -> None:
    sharer, beneficiary = world.citizen(SHENZHEN), world.citizen(ALAR, insutype="390")
    first, second = (sharer, beneficiary) if proposer == "sharer" else (beneficiary, sharer)
    proposed = first.propose(proposer, second).of(201)
    relation_id = proposed["relation_id"]
    confirm = f"/v1/me/relations/{relation_id}/confirm"

    assert first.ask("POST", confirm, {}).status in (403, 404, 409), "nobody confirms alone"
    assert first.relation(relation_id)["state"] == "proposed"
    assert second.ask("POST", confirm, {}).of(202)["state"] in ("activating", "active")
    until(lambda: first.relation(relation_id)["state"] == "active", "the relation is active")

    assert sharer.relation(relation_id)["role"] == "sharer"
    assert beneficiary.relation(relation_id)["role"] == "beneficiary"
    quota = next(each for each in sharer.quotas() if each["relation_id"] == relation_id)
    assert quota["state"] == "opened"
    assert quota["available_fen"] == quota["granted_fen"] == 0


def test_strangers_do_not_see_a_relation(world: World, untouched: Family) -> None:
    stranger = world.person()
    path = f"/v1/me/relations/{untouched.relation_id}"
    stranger.ask("GET", path).refused("not-found", 404)
    stranger.ask("POST", f"{path}/confirm", {}).refused("not-found", 404)
    stranger.set_quota(untouched.relation_id, 1).refused("not-found", 404)


@pytest.mark.rule("R9")
@pytest.mark.rule("R7")
def test_a_raise_freezes_money_in_the_sharers_province(world: World) -> None:
    family = world.family(available_fen=30_000, balance_fen=100_000)
    account = world.account(GUANGDONG, family.sharer.psn_no)
    assert account == {"balance_fen": 100_000, "frozen_fen": 30_000, "spendable_fen": 70_000}
    family.sharer.raise_quota(family.relation_id, 50_000)
    account = world.account(GUANGDONG, family.sharer.psn_no)
    assert account == {"balance_fen": 100_000, "frozen_fen": 50_000, "spendable_fen": 50_000}
    given, received = family.sharer.wallet(), family.beneficiary.wallet()
    assert given["given_fen"] == received["received_fen"] == received["available_fen"] == 50_000


@pytest.mark.rule("R8")
def test_a_province_that_cannot_freeze_refuses_and_the_quota_says_so(world: World) -> None:
    sharer, beneficiary = world.citizen(balance_fen=10_000), world.citizen(ALAR, insutype="390")
    relation_id = sharer.relate("sharer", beneficiary)
    quota_id = sharer.set_quota(relation_id, 50_000).of(202)["quota_id"]
    until(lambda: sharer.quota(quota_id)["state"] == "refused", "the province refused")
    assert sharer.quota(quota_id)["refusal"]
    assert sharer.quota(quota_id)["granted_fen"] == 0

    sharer.raise_quota(relation_id, 4_000)
    assert not sharer.quota(quota_id).get("refusal")
    sharer.set_quota(relation_id, 50_000).of(202)
    until(lambda: sharer.quota(quota_id).get("refusal"), "the raise was refused")
    quota = sharer.quota(quota_id)
    assert (quota["state"], quota["available_fen"]) == ("active", 4_000), "what was there stays"
    assert world.account(GUANGDONG, sharer.psn_no)["frozen_fen"] == 4_000


@pytest.mark.rule("R30")
def test_presence_is_proved_by_e_certificate_or_id_card(
    hospital: Counter, pharmacy: Counter, untouched: Family
) -> None:
    person = untouched.beneficiary.told
    proved = pharmacy.presence(untouched.beneficiary).of(201)
    card = {
        "type": "id_card",
        "value": person["cert_no"],
        "psn_cert_type": person["psn_cert_type"],
        "name": person["name"],
    }
    shown = hospital.post("/v1/presences", {"credential": card}).of(201)
    for told in (proved, shown):
        assert told["presence_token"]
        assert told["wallet"] == {"open": True, "available_fen": 100_000}
        seen = told["person"]
        assert (seen["psn_no"], seen["insutype"]) == (person["psn_no"], "390")
        assert (seen["insuplc_admdvs"], seen["insured"]) == (ALAR, True)
        assert person["name"] not in seen["name_masked"]
        assert person["cert_no"] not in str(told)


@pytest.mark.rule("R18")
@pytest.mark.parametrize("kind", ["pharmacy", "hospital"])
def test_a_one_step_payment_takes_from_the_quota_and_debits_the_account(
    world: World, kind: str
) -> None:
    counter = world.counter(kind)
    family = world.family(available_fen=300_000, balance_fen=400_000)
    purpose = "pharmacy" if kind == "pharmacy" else "outpatient"
    owed = {**E1, "own_acct_pay_fen": 8_599}
    if kind == "pharmacy":
        owed["items"] = [
            {"category": "drug", "amount_fen": 500_000, "eligible": True},
            {"category": "device", "amount_fen": 79_253, "eligible": True},
        ]
    token = counter.token(family.beneficiary)
    paid = counter.pay(token, 260_000, purpose=purpose, bill=owed).of(201)

    assert (paid["state"], paid["captured_fen"], paid["refunded_fen"]) == ("captured", 260_000, 0)
    assert paid["requested_fen"] == paid["amount_fen"] == 260_000
    assert paid["institution"] == counter.key.code
    assert paid["mdtrtarea_admvs"] == counter.key.mdtrtarea_admvs
    assert paid["insuplc_admdvs"] == ALAR
    assert paid["allocations"] == [
        {
            "quota_id": family.quota_id,
            "kind": "parent",
            "sharer_admdvs": SHENZHEN,
            "amount_fen": 260_000,
        }
    ]
    assert paid["receipt"] == {
        "medfee_sumamt_fen": 579_253,
        "fund_pay_sumamt_fen": 310_654,
        "acct_pay_fen": 268_599,
        "acct_mulaid_pay_fen": 260_000,
        "psn_cash_pay_fen": 0,
    }
    assert paid["business_date"][:7] == paid["period"] or paid["period"] > paid["business_date"]
    assert counter.get(f"/v1/payments/{paid['payment_id']}").of(200) == paid
    assert_books(family, {"available_fen": 40_000, "held_fen": 0, "spent_fen": 260_000})
    until(
        lambda: (
            world.account(GUANGDONG, family.sharer.psn_no)
            == {"balance_fen": 140_000, "frozen_fen": 40_000, "spendable_fen": 100_000}
        ),
        "the sharer's account was debited",
    )


def assert_books(family: Family, books: dict[str, int]) -> None:
    for person in (family.sharer, family.beneficiary):
        quota: dict[str, Any] = person.quota(family.quota_id)
        assert {name: quota[name] for name in books} == books
        assert quota["granted_fen"] == 300_000


@pytest.mark.rule("R12")
def test_two_sharers_are_charged_in_the_order_of_their_relations(
    world: World, pharmacy: Counter
) -> None:
    parent = world.citizen(ALAR, insutype="390")
    first, second = world.citizen(balance_fen=90_000), world.citizen(balance_fen=90_000)
    elder = first.relate("sharer", parent)
    younger = second.relate("sharer", parent)
    # The younger relation gets its money first: only the relations' age counts.
    second_quota = second.raise_quota(younger, 50_000)
    first_quota = first.raise_quota(elder, 30_000)

    paid = pharmacy.pay(pharmacy.token(parent), 45_000).of(201)
    taken = [(each["quota_id"], each["amount_fen"]) for each in paid["allocations"]]
    assert taken == [(first_quota, 30_000), (second_quota, 15_000)]
    until(
        lambda: (
            [world.account(GUANGDONG, sharer.psn_no)["balance_fen"] for sharer in (first, second)]
            == [60_000, 75_000]
        ),
        "both accounts were debited",
    )


def test_partial_allow_takes_what_there_is(hospital: Counter, family: Family) -> None:
    token = hospital.token(family.beneficiary)
    paid = hospital.pay(token, 130_000, partial="allow").of(201)
    assert (paid["requested_fen"], paid["amount_fen"]) == (130_000, 100_000)
    assert paid["receipt"]["acct_mulaid_pay_fen"] == 100_000
    assert paid["receipt"]["psn_cash_pay_fen"] == 30_000
    assert family.available() == 0
    hospital.pay(token, 1, partial="allow").refused("quota-insufficient", 422)


def test_a_payment_is_seen_by_its_own_institution_only(
    hospital: Counter, pharmacy: Counter, family: Family
) -> None:
    paid = hospital.pay(hospital.token(family.beneficiary), 100).of(201)
    path = f"/v1/payments/{paid['payment_id']}"
    assert hospital.get(path).of(200)["payment_id"] == paid["payment_id"]
    pharmacy.get(path).refused("not-found", 404)
    hospital.get("/v1/payments/01890a5d-ac96-774b-bcce-b302099a8057").refused("not-found", 404)


def test_a_presence_token_serves_more_than_once(hospital: Counter, family: Family) -> None:
    token = hospital.token(family.beneficiary)
    for _ in range(3):
        hospital.pay(token, 1_000, bill=bill(1_000, purpose="outpatient")).of(201)
    assert family.available() == 97_000


@pytest.mark.rule("R4")
def test_the_other_direction_is_a_relation_of_its_own(world: World) -> None:
    one, other = world.citizen(SHENZHEN), world.citizen(ALAR)
    there = one.relate("sharer", other, "sibling")
    back = other.relate("sharer", one, "sibling")
    assert there != back
    roles = {each["relation_id"]: each["role"] for each in one.quotas()}
    assert roles == {there: "sharer", back: "beneficiary"}
    assert world.account(XPCC, other.psn_no)["frozen_fen"] == 0
