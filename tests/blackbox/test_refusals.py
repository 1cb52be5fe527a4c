"""What is refused, by which name (contract §4), and that it changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.blackbox.until import until
from tests.blackbox.world import (
    ALAR,
    GUANGDONG,
    SHENZHEN,
    XPCC,
    Answer,
    Counter,
    Family,
    World,
    bill,
)


def refused_payment(counter: Counter, family: Family, amount_fen: int, **change: Any) -> Any:
    before = family.beneficiary.quotas()
    answer = counter.pay(counter.token(family.beneficiary), amount_fen, **change)
    assert family.beneficiary.quotas() == before, "a refusal changes nothing"
    return answer


@pytest.mark.parametrize("kind", ["pharmacy", "hospital"])
def test_more_than_the_quota_is_refused(world: World, untouched: Family, kind: str) -> None:
    answer = refused_payment(world.counter(kind), untouched, 100_001)
    answer.refused("quota-insufficient", 422)


@pytest.mark.rule("R11")
@pytest.mark.parametrize(
    ("kind", "amount_fen", "owed"),
    [
        ("hospital", 5_001, bill(5_000, purpose="outpatient")),
        ("hospital", 4_001, bill(5_000, purpose="outpatient", own_acct_pay_fen=1_000)),
        ("pharmacy", 5_001, bill(5_000)),
        (
            "pharmacy",
            4_001,  # only 40.00 of the items are eligible
            bill(
                5_000,
                items=[
                    {"category": "drug", "amount_fen": 4_000, "eligible": True},
                    {"category": "drug", "amount_fen": 1_000, "eligible": False},
                ],
            ),
        ),
    ],
)
def test_more_than_the_personal_burden_is_refused(
    world: World, untouched: Family, kind: str, amount_fen: int, owed: dict[str, Any]
) -> None:
    answer = refused_payment(world.counter(kind), untouched, amount_fen, bill=owed)
    answer.refused("exceeds-personal-burden", 422)


@pytest.mark.rule("R10")
@pytest.mark.parametrize(
    ("kind", "purpose"),
    [("hospital", "pharmacy"), ("pharmacy", "outpatient"), ("pharmacy", "inpatient")],
)
def test_a_purpose_that_is_not_the_institutions_is_refused(
    world: World, untouched: Family, kind: str, purpose: str
) -> None:
    owed = bill(1_000, purpose=purpose)
    answer = refused_payment(world.counter(kind), untouched, 1_000, purpose=purpose, bill=owed)
    answer.refused("purpose-not-allowed", 422)


@pytest.mark.rule("R10")
def test_a_purpose_outside_the_list_is_refused(hospital: Counter, untouched: Family) -> None:
    answer = refused_payment(hospital, untouched, 1_000, purpose="fitness")
    assert answer.status == 422
    assert answer.code in ("purpose-not-allowed", "invalid")


@pytest.mark.rule("R20")
@pytest.mark.parametrize(
    "change",
    [
        {"medfee_sumamt_fen": 5_001},
        {"inscp_scp_fen": 4_999},
        {"psn_part_fen": 4_999},
        {"fund_pay_sumamt_fen": 1},
        {"hosp_part_fen": 1},
        {"overlmt_selfpay_fen": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_bill_that_does_not_add_up_is_refused(
    hospital: Counter, untouched: Family, change: dict[str, int]
) -> None:
    owed = bill(5_000, purpose="outpatient", **change)
    answer = refused_payment(hospital, untouched, 1, bill=owed)
    answer.refused("bill-does-not-add-up", 422)


def test_more_own_account_money_than_burden_is_refused(
    hospital: Counter, untouched: Family
) -> None:
    owed = bill(5_000, purpose="outpatient", own_acct_pay_fen=5_001)
    answer = refused_payment(hospital, untouched, 1, bill=owed)
    assert (answer.status, answer.code) in (
        (422, "bill-does-not-add-up"),
        (422, "exceeds-personal-burden"),
    )


def test_a_pharmacys_bill_without_items_is_refused(pharmacy: Counter, untouched: Family) -> None:
    owed = bill(1_000)
    del owed["items"]
    answer = refused_payment(pharmacy, untouched, 1_000, bill=owed)
    assert answer.status == 422
    assert answer.code in ("invalid", "bill-does-not-add-up", "purpose-not-allowed")


@pytest.mark.rule("R30")
def test_a_forged_or_foreign_presence_is_refused(
    hospital: Counter, pharmacy: Counter, untouched: Family
) -> None:
    token = hospital.token(untouched.beneficiary)
    pharmacy.pay(token, 100).refused("presence-expired", 401)
    for forged in ("x", token[:-4] + "AAAA", token[::-1], "令牌", token + "A"):
        hospital.pay(forged, 100).refused("presence-expired", 401)
    assert untouched.available() == 100_000


def test_an_unknown_person_has_no_presence(hospital: Counter, untouched: Family) -> None:
    told = untouched.beneficiary.told
    unknown = {"type": "id_card", "value": "990000197001010018", "psn_cert_type": "01"}
    misnamed = {
        "type": "id_card",
        "value": told["cert_no"],
        "psn_cert_type": told["psn_cert_type"],
        "name": "不是本人",
    }
    for credential in (unknown, misnamed, {"type": "e_certificate", "value": "no-such-code"}):
        answer = hospital.post("/v1/presences", {"credential": credential})
        assert 400 <= answer.status < 500, answer.body
        assert answer.code in ("not-found", "not-insured", "invalid", "presence-expired")
        assert told["name"] not in answer.body.decode()


@pytest.mark.rule("R1")
def test_only_an_employee_shares(world: World) -> None:
    resident, parent = world.citizen(SHENZHEN, insutype="390"), world.citizen(ALAR, insutype="390")
    resident.propose("sharer", parent).refused("not-insured", 422)
    parent.propose("beneficiary", resident).refused("not-insured", 422)


@pytest.mark.rule("R1")
def test_a_suspended_insurance_neither_proposes_nor_pays(world: World, hospital: Counter) -> None:
    family = world.family(available_fen=1_000)
    sharer = world.citizen(SHENZHEN, balance_fen=1_000)
    psn_no = family.beneficiary.psn_no
    world.sandbox(
        "POST", f"/provinces/{XPCC}/enrolments", {"psn_no": psn_no, "status": "suspended"}
    )
    token = until(lambda: not_insured_presence(hospital, family), "the platform knows")
    # Refused either way: there is less than that.
    until(lambda: hospital.pay(token, 1_001).code == "not-insured", "the wallet knows")
    sharer.propose("sharer", family.beneficiary).refused("not-insured", 422)
    assert family.available() == 1_000


def not_insured_presence(hospital: Counter, family: Family) -> str | None:
    told = hospital.presence(family.beneficiary).of(201)
    return None if told["person"]["insured"] else str(told["presence_token"])


@pytest.mark.rule("R29")
def test_both_have_to_have_opened_a_wallet(world: World, hospital: Counter) -> None:
    opened, closed = world.citizen(SHENZHEN), world.person(ALAR, insutype="390")
    opened.propose("sharer", closed).refused("wallet-not-open", 422)
    closed.propose("beneficiary", opened).refused("wallet-not-open", 422)
    assert hospital.presence(closed).of(201)["wallet"]["open"] is False
    hospital.pay(hospital.token(closed), 100).refused("wallet-not-open", 422)


@pytest.mark.rule("R2")
def test_a_kind_outside_the_list_is_refused(world: World) -> None:
    sharer, other = world.citizen(SHENZHEN), world.citizen(ALAR, insutype="390")
    sharer.propose("sharer", other, "cousin").refused("kind-not-eligible", 422)
    sharer.propose("sharer", other, "").refused("invalid", 422)


@pytest.mark.rule("R4")
def test_the_same_relation_is_made_once(world: World, untouched: Family) -> None:
    answer = untouched.sharer.propose("sharer", untouched.beneficiary)
    answer.refused("relation-exists", 409)
    answer = untouched.beneficiary.propose("beneficiary", untouched.sharer)
    answer.refused("relation-exists", 409)


def test_nobody_is_related_to_a_stranger_or_to_oneself(world: World) -> None:
    person = world.citizen(SHENZHEN)
    assert person.propose("sharer", person).status in (404, 409, 422)
    unknown = {"psn_cert_type": "01", "cert_no": "990000197001010018", "name": "无此人"}
    answer = person.propose("sharer", person, counterpart=unknown)
    assert (answer.status, answer.code) in ((404, "not-found"), (422, "not-insured"))


@pytest.mark.rule("R3")
def test_money_needs_an_active_relation(world: World) -> None:
    sharer, other = world.citizen(balance_fen=1_000), world.citizen(ALAR, insutype="390")
    relation_id = sharer.propose("sharer", other).of(201)["relation_id"]
    sharer.set_quota(relation_id, 1_000).refused("relation-not-active", 409)
    assert world.account(GUANGDONG, sharer.psn_no)["frozen_fen"] == 0


def test_only_the_sharer_sets_the_quota(untouched: Family) -> None:
    answer = untouched.beneficiary.set_quota(untouched.relation_id, 1)
    assert (answer.status, answer.code) in ((403, "forbidden"), (404, "not-found"))
    assert untouched.available() == 100_000


@pytest.mark.rule("R27")
def test_an_institution_that_is_not_enabled_takes_no_payments(
    world: World, untouched: Family
) -> None:
    enabled = {world.stack.institution(kind).code for kind in ("hospital", "pharmacy")}
    others = [key for key in world.stack.institutions() if key.code not in enabled]
    answers = [pay_nothing(Counter(world=world, key=key), untouched) for key in others]
    refused = [answer for answer in answers if answer.code == "institution-not-enabled"]
    if not refused:
        pytest.skip("this stack lists enabled institutions only")
    for answer in refused:
        answer.refused("institution-not-enabled", 422)
    assert untouched.available() == 100_000


def pay_nothing(counter: Counter, family: Family) -> Answer:
    """A payment that is refused anyway: for its institution, or for its amount."""
    presence = counter.presence(family.beneficiary)
    if presence.status != 201:
        return presence
    return counter.pay(presence.json["presence_token"], 100_001)


def test_citizens_need_a_good_token(world: World) -> None:
    person = world.person()
    gateway = world.stack.url("gateway")
    header, payload, signature = person.token.split(".")
    tampered = f"{header}.{payload[:-2]}xx.{signature}"
    none = "eyJhbGciOiJub25lIn0"
    for token in ("x", "a.b.c", tampered, f"{header}.{payload}.", f"{none}.{payload}."):
        answer = world.send(
            "GET", f"{gateway}/v1/me/wallet", headers={"authorization": f"Bearer {token}"}
        )
        assert answer.status == 401, answer.body
        assert answer.code
    assert world.send("GET", f"{gateway}/v1/me/quotas").status == 401


def test_unknown_addresses_and_methods_are_refused_by_name(world: World) -> None:
    gateway = world.stack.url("gateway")
    assert world.send("GET", f"{gateway}/v1/nothing").status == 404
    assert world.send("GET", f"{gateway}/v1/nothing").code == "not-found"
    assert world.send("DELETE", f"{gateway}/v1/payments").status in (401, 404, 405)
