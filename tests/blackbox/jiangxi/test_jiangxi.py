"""Jiangxi comes to the platform: a province and a client that somebody else wrote."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from tests.blackbox.jiangxi.people import (
    ALAR,
    GANZHOU,
    NANCHANG,
    SHENZHEN,
    Bearer,
    Counter,
    Person,
    Platform,
    enrol,
    ok,
    refused,
)
from tests.blackbox.jiangxi.province import Province
from tests.blackbox.jiangxi.waiting import comes_true

pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """An employee of Nanchang with 5 000.00 yuan, a parent at Alar, 1 000.00 of it spendable."""

    province: Province
    sharer: Person
    parent: Person
    relation_id: str
    quota_id: str

    def become(self, *, balance_fen: int, frozen_fen: int, spent_fen: int) -> None:
        """Wait until account and quota say this, each to the fen."""

        def so() -> bool:
            state, available, held, spent = self.sharer.stands(self.quota_id)
            return (
                state in ("active", "ended")
                and (available + held, spent) == (frozen_fen, spent_fen)
                and self.province.books(self.sharer.psn_no) == (balance_fen, frozen_fen)
            )

        comes_true(so, f"{balance_fen} there, {frozen_fen} frozen, {spent_fen} spent")


@pytest.fixture
def family(province: Province, platform: Platform) -> Family:
    sharer = enrol(province, platform, balance_fen=500_000)
    parent = platform.elsewhere(ALAR, "390")
    relation_id = sharer.share(parent)
    quota_id = sharer.gives(relation_id, 100_000)
    return Family(
        province=province, sharer=sharer, parent=parent, relation_id=relation_id, quota_id=quota_id
    )


def refund(counter: Counter, payment_id: str, amount_fen: int, key: str | None = None) -> Any:
    told = {"amount_fen": amount_fen, "reason": "退药"}
    return ok(counter.ask("POST", f"/v1/payments/{payment_id}/refunds", told, key), 201)


def reverse(counter: Counter, key: str, person_id: str) -> str:
    told = {"original_key": key, "person_id": person_id}
    return str(ok(counter.ask("POST", "/v1/reversals", told))["outcome"])


def test_the_sandbox_leaves_the_province_alone(platform: Platform) -> None:
    body = {"insutype": "310", "insuplc_admdvs": NANCHANG, "balance_fen": 1}
    url = platform.told["sandbox"] + "/people"
    refused(platform.http.post(url, json=body, timeout=30), 422, "province-not-played")


@pytest.mark.rule("R7")
@pytest.mark.rule("R22")
def test_a_parent_elsewhere_pays_from_an_account_of_jiangxi(
    family: Family, province: Province, pharmacy: Counter, hospital: Counter
) -> None:
    (asked,) = province.of("account.freeze-requested.v1", quota_id=family.quota_id)
    assert (asked.body["amount_fen"], asked.key) == (100_000, family.quota_id)
    told = {"relation_id": family.relation_id, "state": "active", "kind": "parent"}
    comes_true(lambda: province.of("relation.changed.v1", **told), "the province hears of it")

    paid = ok(pharmacy.pay(family.parent, 20_000), 201)
    assert [each["sharer_admdvs"] for each in paid["allocations"]] == [NANCHANG]
    family.become(balance_fen=480_000, frozen_fen=80_000, spent_fen=20_000)
    (order,) = province.of("account.debit-ordered.v1", payment_id=paid["payment_id"])
    assert (order.body["mdtrtarea_admvs"], order.body["purpose"]) == (ALAR, "pharmacy")

    held = ok(hospital.pay(family.parent, 30_000, capture=False), 201)
    assert held["state"] == "held"
    family.become(balance_fen=480_000, frozen_fen=80_000, spent_fen=20_000)
    path = f"/v1/payments/{held['payment_id']}/capture"
    charged = ok(hospital.ask("POST", path, {"amount_fen": 25_000}))
    assert (charged["state"], charged["captured_fen"]) == ("captured", 25_000)
    family.become(balance_fen=455_000, frozen_fen=55_000, spent_fen=45_000)
    refused(hospital.ask("POST", path, {"amount_fen": 25_000}), 409, "payment-not-held")

    refund(pharmacy, paid["payment_id"], 5_000)
    family.become(balance_fen=460_000, frozen_fen=60_000, spent_fen=40_000)
    now = ok(pharmacy.ask("GET", f"/v1/payments/{paid['payment_id']}"))
    assert (now["state"], now["refunded_fen"]) == ("captured", 5_000)


@pytest.mark.rule("R23")
def test_what_nobody_knows_the_end_of_is_reversed_by_its_key(
    family: Family, pharmacy: Counter
) -> None:
    key, late = f"jx-{uuid.uuid4()}", f"jx-{uuid.uuid4()}"
    body = pharmacy.payment(family.parent, 30_000)
    paid = pharmacy.ask("POST", "/v1/payments", body, key)
    again = pharmacy.ask("POST", "/v1/payments", body, key)
    assert (again.content, again.headers["Idempotency-Replayed"]) == (paid.content, "true")
    person_id = ok(paid, 201)["person_id"]
    family.become(balance_fen=470_000, frozen_fen=70_000, spent_fen=30_000)
    asked = pharmacy.ask("GET", f"/v1/requests/{key}?person_id={person_id}")
    assert ok(asked)["state"] == "answered"

    assert reverse(pharmacy, key, person_id) == "reversed"
    assert reverse(pharmacy, key, person_id) == "already_reversed"
    family.become(balance_fen=500_000, frozen_fen=100_000, spent_fen=0)
    assert reverse(pharmacy, late, person_id) == "tombstoned"
    refused(pharmacy.ask("POST", "/v1/payments", body, late), 409, "reversed-before-arrival")
    refused(pharmacy.ask("POST", "/v1/payments", {**body, "amount_fen": 1}, key), 422, "key-reused")


@pytest.mark.rule("R8")
def test_what_the_account_does_not_have_is_not_frozen(family: Family, province: Province) -> None:
    family.sharer.wants(family.relation_id, 500_001)
    comes_true(lambda: family.sharer.quota(family.quota_id).get("refusal"), "it was refused")
    assert family.sharer.quota(family.quota_id)["refusal"] == "账户余额不足"
    family.become(balance_fen=500_000, frozen_fen=100_000, spent_fen=0)
    family.sharer.gives(family.relation_id, 500_000)
    family.become(balance_fen=500_000, frozen_fen=500_000, spent_fen=0)
    family.sharer.gives(family.relation_id, 40_000)
    family.become(balance_fen=500_000, frozen_fen=40_000, spent_fen=0)
    (order,) = province.of("account.unfreeze-ordered.v1", quota_id=family.quota_id)
    assert order.body["amount_fen"] == 460_000


@pytest.mark.rule("R7")
def test_late_answers_count_when_they_come_and_only_once(
    family: Family, province: Province, pharmacy: Counter
) -> None:
    province.silent = True
    family.sharer.wants(family.relation_id, 150_000)
    comes_true(
        lambda: len(province.of("account.freeze-requested.v1", quota_id=family.quota_id)) == 2,
        "the raise is asked",
    )
    assert family.sharer.stands(family.quota_id)[:2] == ("freezing", 100_000)
    refused(pharmacy.pay(family.parent, 100_001), 422, "quota-insufficient")
    paid = ok(pharmacy.pay(family.parent, 100_000), 201)
    comes_true(
        lambda: province.of("account.debit-ordered.v1", payment_id=paid["payment_id"]), "debit"
    )
    province.speak_again()
    family.become(balance_fen=400_000, frozen_fen=50_000, spent_fen=100_000)

    # Each answer once more, then the contrary; a last raise is answered after all of them.
    for asked in province.of("account.freeze-requested.v1", quota_id=family.quota_id):
        answer = province.answer_to(asked.body["freeze_id"])
        assert answer is not None
        province.say(answer)
        contrary = {**answer.body, "reason": "改口"}
        province.tell("account.freeze-refused.v1", answer.key, contrary)
    unasked = {"freeze_id": str(uuid.uuid4())}
    province.tell("account.freeze-confirmed.v1", family.sharer.psn_no, unasked)
    family.sharer.gives(family.relation_id, 60_000)
    family.become(balance_fen=400_000, frozen_fen=60_000, spent_fen=100_000)
    assert not family.sharer.quota(family.quota_id).get("refusal")


@pytest.mark.rule("R6")
@pytest.mark.rule("R31")
def test_after_the_end_money_goes_back_or_is_parked(
    family: Family, province: Province, pharmacy: Counter
) -> None:
    paid = ok(pharmacy.pay(family.parent, 30_000), 201)
    family.become(balance_fen=470_000, frozen_fen=70_000, spent_fen=30_000)
    ok(family.parent.ask("POST", f"/v1/me/relations/{family.relation_id}/end"), 202)
    family.become(balance_fen=470_000, frozen_fen=0, spent_fen=30_000)
    told = {"relation_id": family.relation_id, "state": "ended"}
    comes_true(lambda: province.of("relation.changed.v1", **told), "the province hears of it")
    late = pharmacy.pay(family.parent, 1)
    assert (late.status_code, late.json()["code"]) in (
        (409, "relation-not-active"),
        (422, "quota-insufficient"),
    )

    refund(pharmacy, paid["payment_id"], 10_000)
    family.become(balance_fen=480_000, frozen_fen=0, spent_fen=20_000)
    (order,) = province.of("account.credit-ordered.v1", payment_id=paid["payment_id"])
    assert order.body["freeze"] is False

    province.accounts[family.sharer.psn_no].gone = "closed"
    refund(pharmacy, paid["payment_id"], 20_000)
    family.become(balance_fen=480_000, frozen_fen=0, spent_fen=0)
    rest = {"payment_id": paid["payment_id"], "amount_fen": 20_000}
    comes_true(lambda: province.of("account.credit-ordered.v1", **rest), "it is to be credited")
    (order,) = province.of("account.credit-ordered.v1", **rest)
    comes_true(lambda: province.answer_to(order.body["order_id"]), "it cannot be")
    answer = province.answer_to(order.body["order_id"])
    assert answer is not None
    assert answer.type == "account.credit-refused.v1"


@pytest.mark.rule("R10")
@pytest.mark.rule("R12")
def test_somebody_of_jiangxi_pays_from_an_account_elsewhere(
    province: Province, platform: Platform, hospital: Counter
) -> None:
    child = platform.elsewhere(SHENZHEN, "310", 300_000)
    parent = enrol(province, platform, born_on="1951-02-03")
    quota_id = child.gives(child.share(parent), 100_000)
    told = {"beneficiary": {"psn_no": parent.psn_no, "pool_admdvs": NANCHANG}}
    comes_true(lambda: province.of("relation.changed.v1", **told), "the province hears of it")

    held = ok(hospital.pay(parent, 40_000, capture=False), 201)
    assert held["insuplc_admdvs"] == NANCHANG
    path = f"/v1/payments/{held['payment_id']}"
    assert ok(hospital.ask("POST", f"{path}/release", {}))["state"] == "released"
    paid = ok(hospital.pay(parent, 40_000), 201)
    assert [each["sharer_admdvs"] for each in paid["allocations"]] == [SHENZHEN]
    refund(hospital, paid["payment_id"], 10_000)
    comes_true(lambda: parent.stands(quota_id)[1:] == (70_000, 0, 30_000), "it is credited")

    for levy_no, open_, state, left in (
        ("JX-2027-1", True, "captured", 50_000),
        ("JX-2027-2", False, "released", 50_000),
        ("JX-2027-3", True, "captured", 30_000),
    ):
        if open_:
            province.levies[levy_no] = parent.psn_no
        payment_id = premium(parent, levy_no)
        wanted = {"payment_id": payment_id, "state": state}
        comes_true(partial(on_timeline, parent, wanted), f"{levy_no} is {state}")
        assert parent.quota(quota_id)["available_fen"] == left
    (asked,) = province.of("premium.requested.v1", levy_no="JX-2027-3")
    body = {"payment_id": asked.body["payment_id"], "levy_no": "JX-2027-3", "reason": "重复缴费"}
    given_back = province.tell("premium.refunded.v1", parent.psn_no, body)
    province.say(given_back)
    comes_true(lambda: parent.stands(quota_id)[1:] == (50_000, 0, 50_000), "it is given back")


def premium(person: Person, levy_no: str) -> str:
    person_id = ok(person.ask("GET", "/v1/me/wallet"))["person_id"]
    levy = {"insutype": "390", "year": 2027, "levy_no": levy_no, "amount_fen": 20_000}
    held = ok(person.ask("POST", "/v1/me/premiums", {"person_id": person_id, **levy}), 202)
    assert held["state"] == "held"
    return str(held["payment_id"])


def on_timeline(person: Person, wanted: dict[str, str]) -> bool:
    items = ok(person.ask("GET", "/v1/me/timeline"))["items"]
    return any(wanted.items() <= each.items() for each in items)


@pytest.mark.rule("R13")
@pytest.mark.parametrize(("answer", "state"), [("yes", "active"), ("no", "declined")])
def test_the_province_says_who_is_kin(
    province: Province, platform: Platform, answer: str, state: str
) -> None:
    sharer = enrol(province, platform, balance_fen=1_000, pool=GANZHOU)
    parent = platform.elsewhere(ALAR, "390")
    province.kin[(sharer.psn_no, parent.psn_no)] = answer
    relation_id = sharer.propose(parent, "parent")
    comes_true(lambda: sharer.relation(relation_id) == state, f"{answer}: {state}")
    pair = {"sharer": {"psn_no": sharer.psn_no, "pool_admdvs": GANZHOU}, "kind": "parent"}
    assert province.of("kinship.asked.v1", **pair)


@pytest.mark.rule("R28")
def test_another_hand_s_signatures_are_checked(family: Family, hospital: Counter) -> None:
    path = "/v1/payments"
    refused(
        hospital.signing(nonce="jx-once").ask("GET", "/v1/payments/" + "0" * 8), 404, "not-found"
    )
    replayed = hospital.signing(nonce="jx-once").ask("GET", path)
    refused(replayed, 401, "signature-replayed")
    early = hospital.signing(created=int(time.time()) - 3_600)
    refused(early.ask("GET", path), 401, "signature-invalid")
    stranger = hospital.signing(key_id="H00000000000-1")
    body = hospital.payment(family.parent, 100)
    refused(stranger.ask("POST", path, body), 401, "signature-invalid")
    family.become(balance_fen=500_000, frozen_fen=100_000, spent_fen=0)


@pytest.mark.rule("R15")
def test_a_month_of_jiangxi(
    family: Family, province: Province, clerk: Bearer, pharmacy: Counter, hospital: Counter
) -> None:
    before = ok(pharmacy.pay(family.parent, 10_000), 201)
    ok(clerk.ask("POST", f"/v1/periods/{before['period']}/cut"))
    family.become(balance_fen=490_000, frozen_fen=90_000, spent_fen=10_000)
    bought = ok(pharmacy.pay(family.parent, 20_000), 201)
    month = bought["period"]
    assert month > before["period"], "from the cut on all falls into a later month"
    treated = ok(hospital.pay(family.parent, 30_000), 201)
    refund(hospital, treated["payment_id"], 5_000)
    refund(pharmacy, before["payment_id"], 4_000)
    family.become(balance_fen=449_000, frozen_fen=49_000, spent_fen=51_000)

    period = f"/v1/periods/{month}"
    ok(clerk.ask("POST", f"{period}/cut"))

    def becomes(state: str) -> None:
        comes_true(lambda: ok(clerk.ask("GET", period))["state"] == state, f"{month} is {state}")

    becomes("balanced")
    ok(clerk.ask("POST", f"{period}/issue"))
    issued = {"period": month, "version": 1}
    comes_true(lambda: province.of("clearing.issued.v1", **issued), "the statement has come")
    (statement,) = province.of("clearing.issued.v1", **issued)
    sums = {
        (each["counterpart"], each["kind"], each["direction"]): each["sum_fen"]
        for each in statement.body["lines"]
    }
    assert sums == {("660000", "pharmacy", "pays"): 16_000, ("660000", "inpatient", "pays"): 25_000}
    assert statement.key == month

    disputed = {**issued, "answer": "disputed", "lines": [{"kind": "inpatient", "sum_fen": 24_000}]}
    confirmed = {**issued, "answer": "confirmed"}
    province.tell("clearing.answered.v1", month, disputed)
    comes_true(lambda: answered(clerk, month) == "disputed", "the dispute has come")
    assert ok(clerk.ask("GET", period))["state"] == "issued"
    refused(clerk.ask("POST", f"{period}/close"), 409, "wrong-state")
    province.tell("clearing.answered.v1", month, confirmed)
    becomes("confirmed")

    transfer = {**issued, "tier": "interprovince", "payer": "360000", "payee": "660000"}
    part = province.tell(
        "clearing.paid.v1", month, {**transfer, "amount_fen": 40_000, "paid_on": "2026-12-10"}
    )
    province.say(part)
    # The dispute that comes too late is read after both: the part counted once.
    province.tell("clearing.answered.v1", month, disputed)
    rest = {**transfer, "amount_fen": 1_000, "paid_on": "2026-12-11"}
    province.tell("clearing.paid.v1", month, rest)
    becomes("paid")
    ok(clerk.ask("POST", f"{period}/close"))
    comes_true(lambda: province.of("clearing.closed.v1", **issued), "it is told that it is over")


def answered(clerk: Bearer, month: str) -> str:
    """What Jiangxi is shown to have answered."""
    told = ok(clerk.ask("GET", f"/v1/periods/{month}"))
    return next((each["answer"] for each in told["answers"] if each["province"] == "360000"), "")


def test_all_orders_once_more_change_nothing(family: Family, province: Province) -> None:
    """As after the loss of the offsets: the topic is read anew, and answered anew."""
    count = len(province.heard)
    accounts = {psn_no: account.books for psn_no, account in province.accounts.items()}
    province.hear(lambda: len(province.heard) >= 2 * count)
    assert {psn_no: each.books for psn_no, each in province.accounts.items()} == accounts
    family.sharer.gives(family.relation_id, 90_000)
    family.become(balance_fen=500_000, frozen_fen=90_000, spent_fen=0)


def test_nothing_is_amiss(family: Family, province: Province) -> None:
    """Every record fitted the contract, no order was wrong, and nothing that we said is parked."""
    family.become(balance_fen=500_000, frozen_fen=100_000, spent_fen=0)
    assert province.faults == []
    sequences: dict[tuple[str, str], list[int]] = {}
    for each in province.heard:
        seen = sequences.setdefault((each.source, each.key), [])
        if each.sequence not in seen:
            seen.append(each.sequence)
    assert any(family.quota_id == key for _, key in sequences)
    for name, seen in sequences.items():
        assert seen == list(range(1, len(seen) + 1)), name
    assert province.parked() == []
