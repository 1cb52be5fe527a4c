"""What was charged too much goes back to where it came from (contract §2)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.blackbox.until import until
from tests.blackbox.world import (
    ALAR,
    GUANGDONG,
    Citizen,
    Counter,
    Family,
    World,
    bill,
    new_key,
)


def paid_by(counter: Counter, person: Citizen, amount_fen: int, **change: Any) -> dict[str, Any]:
    told: dict[str, Any] = counter.pay(counter.token(person), amount_fen, **change).of(201)
    return told


def refund(
    counter: Counter, paid: dict[str, Any], amount_fen: int, key: str | None = None, **more: Any
) -> Any:
    told = {"amount_fen": amount_fen, "reason": "退药", **more}
    return counter.post(f"/v1/payments/{paid['payment_id']}/refunds", told, key)


def read(counter: Counter, paid: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = counter.get(f"/v1/payments/{paid['payment_id']}").of(200)
    return told


def account_is(world: World, person: Citizen, *, balance_fen: int, frozen_fen: int) -> None:
    wanted = {
        "balance_fen": balance_fen,
        "frozen_fen": frozen_fen,
        "spendable_fen": balance_fen - frozen_fen,
    }
    until(
        lambda: world.account(GUANGDONG, person.psn_no) == wanted, f"the account of it is {wanted}"
    )


@pytest.mark.rule("R22")
@pytest.mark.rule("R31")
def test_a_refund_is_spendable_and_frozen_again(
    world: World, pharmacy: Counter, family: Family
) -> None:
    paid = paid_by(pharmacy, family.beneficiary, 40_000)
    account_is(world, family.sharer, balance_fen=460_000, frozen_fen=60_000)
    told = refund(pharmacy, paid, 15_000).of(201)
    assert (told["payment_id"], told["amount_fen"]) == (paid["payment_id"], 15_000)
    assert told["refund_id"]
    now = read(pharmacy, paid)
    assert (now["state"], now["captured_fen"], now["refunded_fen"]) == ("captured", 40_000, 15_000)
    until(lambda: family.available() == 75_000, "it may be spent again")
    assert family.beneficiary.quota(family.quota_id)["spent_fen"] == 25_000
    account_is(world, family.sharer, balance_fen=475_000, frozen_fen=75_000)

    refund(pharmacy, paid, 25_000).of(201)
    now = read(pharmacy, paid)
    assert (now["state"], now["captured_fen"], now["refunded_fen"]) == ("refunded", 40_000, 40_000)
    until(lambda: family.available() == 100_000, "all of it may be spent again")
    account_is(world, family.sharer, balance_fen=500_000, frozen_fen=100_000)


def test_no_more_than_was_captured_goes_back(hospital: Counter, family: Family) -> None:
    paid = paid_by(hospital, family.beneficiary, 40_000)
    refund(hospital, paid, 40_001).refused("refund-exceeds-capture", 422)
    refund(hospital, paid, 30_000).of(201)
    refund(hospital, paid, 10_001).refused("refund-exceeds-capture", 422)
    refund(hospital, paid, 10_000).of(201)
    last = refund(hospital, paid, 1)
    assert (last.status, last.code) in (
        (422, "refund-exceeds-capture"),
        (409, "payment-not-captured"),
    )
    assert read(hospital, paid)["refunded_fen"] == 40_000


def test_only_what_is_captured_is_refunded(hospital: Counter, family: Family) -> None:
    held = paid_by(hospital, family.beneficiary, 40_000, capture=False)
    refund(hospital, held, 1).refused("payment-not-captured", 409)
    hospital.post(f"/v1/payments/{held['payment_id']}/release", {}).of(200)
    refund(hospital, held, 1).refused("payment-not-captured", 409)
    held = paid_by(hospital, family.beneficiary, 40_000, capture=False)
    hospital.post(f"/v1/payments/{held['payment_id']}/capture", {"amount_fen": 5_000}).of(200)
    refund(hospital, held, 5_001).refused("refund-exceeds-capture", 422)
    refund(hospital, held, 5_000).of(201)
    assert read(hospital, held)["state"] == "refunded"


def test_fresh_keys_do_not_refund_twice(hospital: Counter, family: Family) -> None:
    paid = paid_by(hospital, family.beneficiary, 40_000)
    with ThreadPoolExecutor(8) as many:
        answers = list(many.map(lambda _: refund(hospital, paid, 40_000), range(8)))
    assert sorted(each.status for each in answers)[0] == 201
    refused = [each for each in answers if each.status != 201]
    assert len(refused) == 7
    assert {each.code for each in refused} <= {"refund-exceeds-capture", "payment-not-captured"}
    until(lambda: family.available() == 100_000, "it came back once")


def test_a_refund_is_replayed_byte_for_byte(hospital: Counter, family: Family) -> None:
    paid, key = paid_by(hospital, family.beneficiary, 40_000), new_key()
    first = refund(hospital, paid, 10_000, key)
    again = refund(hospital, paid, 10_000, key)
    assert (first.status, first.replayed, again.status) == (201, False, 201)
    assert (again.replayed, again.body) == (True, first.body)
    refund(hospital, paid, 10_001, key).refused("key-reused", 422)
    refund(hospital, paid, 10_000, key, reason="别的原因").refused("key-reused", 422)
    unkeyed = hospital.send("POST", f"/v1/payments/{paid['payment_id']}/refunds", b"{}")
    unkeyed.refused("key-required", 422)
    assert read(hospital, paid)["refunded_fen"] == 10_000


def test_another_institution_gives_nothing_back(
    hospital: Counter, pharmacy: Counter, family: Family
) -> None:
    paid = paid_by(hospital, family.beneficiary, 40_000)
    refund(pharmacy, paid, 1).refused("not-found", 404)
    assert read(hospital, paid)["refunded_fen"] == 0


def test_any_key_of_the_institution_refunds(hospital: Counter, family: Family) -> None:
    paid = paid_by(hospital, family.beneficiary, 40_000)
    refund(hospital.begun(), paid, 10_000).of(201)
    assert read(hospital, paid)["refunded_fen"] == 10_000


@pytest.mark.rule("R31")
def test_the_last_sharer_charged_is_restored_first(world: World, pharmacy: Counter) -> None:
    parent = world.citizen(ALAR, insutype="390")
    first, second = world.citizen(balance_fen=90_000), world.citizen(balance_fen=90_000)
    elder, younger = first.relate("sharer", parent), second.relate("sharer", parent)
    quotas = [first.raise_quota(elder, 30_000), second.raise_quota(younger, 30_000)]
    paid = paid_by(pharmacy, parent, 50_000)
    assert [each["quota_id"] for each in paid["allocations"]] == quotas

    refund(pharmacy, paid, 25_000).of(201)
    account_is(world, second, balance_fen=90_000, frozen_fen=30_000)
    account_is(world, first, balance_fen=65_000, frozen_fen=5_000)
    until(
        lambda: [parent.quota(each)["available_fen"] for each in quotas] == [5_000, 30_000],
        "the last one has all of it again, the first one the rest",
    )
    refund(pharmacy, paid, 25_000).of(201)
    account_is(world, first, balance_fen=90_000, frozen_fen=30_000)
    assert read(pharmacy, paid)["state"] == "refunded"


@pytest.mark.rule("R20")
def test_the_bill_after_a_refund_is_checked_and_replaces_the_first(
    hospital: Counter, family: Family
) -> None:
    paid = paid_by(hospital, family.beneficiary, 40_000)
    wrong = bill(30_000, purpose="outpatient", psn_part_fen=29_999)
    answer = refund(hospital, paid, 10_000, bill_after=wrong)
    answer.refused("bill-does-not-add-up", 422)
    small = bill(29_999, purpose="outpatient")
    answer = refund(hospital, paid, 10_000, bill_after=small)
    answer.refused("exceeds-personal-burden", 422)
    assert read(hospital, paid) == paid
    refund(hospital, paid, 10_000, bill_after=bill(31_000, purpose="outpatient")).of(201)
    receipt = read(hospital, paid)["receipt"]
    assert receipt == {
        "medfee_sumamt_fen": 31_000,
        "fund_pay_sumamt_fen": 0,
        "acct_pay_fen": 30_000,
        "acct_mulaid_pay_fen": 30_000,
        "psn_cash_pay_fen": 1_000,
    }


@pytest.mark.rule("R31")
def test_after_the_end_a_refund_goes_back_to_the_account(
    world: World, hospital: Counter, family: Family
) -> None:
    paid = paid_by(hospital, family.beneficiary, 40_000)
    family.beneficiary.ask("POST", f"/v1/me/relations/{family.relation_id}/end", {}).of(202)
    account_is(world, family.sharer, balance_fen=460_000, frozen_fen=0)
    refund(hospital, paid, 15_000).of(201)
    account_is(world, family.sharer, balance_fen=475_000, frozen_fen=0)


def test_a_refund_that_says_nothing_sensible_is_refused(hospital: Counter, family: Family) -> None:
    paid = paid_by(hospital, family.beneficiary, 1_000)
    changes: list[dict[str, Any]] = [
        *({"amount_fen": each} for each in (0, -1, "100", 1.0, None, True)),
        *({"reason": each} for each in (None, 7)),
        {"whatever": 1},
        {"bill_after": []},
    ]
    for change in changes:
        told = {"amount_fen": 100, "reason": "退药", **change}
        answer = hospital.post(f"/v1/payments/{paid['payment_id']}/refunds", told)
        answer.refused("invalid", 422)
    assert read(hospital, paid) == paid
