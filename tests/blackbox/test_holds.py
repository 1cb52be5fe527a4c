"""A hospital holds what a stay may cost, and charges it, part of it or none of it (contract §2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.blackbox.until import until
from tests.blackbox.world import ALAR, GUANGDONG, Counter, Family, World, bill, new_key

SWEPT_SECONDS = 30.0
"""Expired holds are swept within this on a local stack (contract §1)."""
PAYMENT = {
    "payment_id",
    "state",
    "requested_fen",
    "amount_fen",
    "captured_fen",
    "refunded_fen",
    "allocations",
    "person_id",
    "institution",
    "mdtrtarea_admvs",
    "insuplc_admdvs",
    "purpose",
    "business_date",
    "period",
    "held_at",
    "captured_at",
    "expires_at",
    "receipt",
}


def hold(counter: Counter, family: Family, amount_fen: int, **change: Any) -> dict[str, Any]:
    told = {"capture": False, "purpose": "inpatient", "bill": stay(amount_fen), **change}
    held: dict[str, Any] = counter.pay(counter.token(family.beneficiary), amount_fen, **told).of(
        201
    )
    return held


def stay(burden_fen: int, **change: Any) -> dict[str, Any]:
    return bill(burden_fen, purpose="inpatient", **{"med_type": "21", **change})


def path(held: dict[str, Any], what: str = "") -> str:
    return f"/v1/payments/{held['payment_id']}{what}"


def books(family: Family) -> tuple[int, int, int]:
    """What is available, held and spent; both sides are told the same."""
    told = [person.quota(family.quota_id) for person in (family.sharer, family.beneficiary)]
    seen = [(each["available_fen"], each["held_fen"], each["spent_fen"]) for each in told]
    assert seen[0] == seen[1]
    return seen[0]


def instant(text: str) -> datetime:
    """An RFC 3339 instant in UTC."""
    at = datetime.fromisoformat(text)
    assert at.utcoffset() == timedelta(0), text
    return at


def account_is(world: World, family: Family, *, balance_fen: int, frozen_fen: int) -> None:
    wanted = {
        "balance_fen": balance_fen,
        "frozen_fen": frozen_fen,
        "spendable_fen": balance_fen - frozen_fen,
    }
    until(
        lambda: world.account(GUANGDONG, family.sharer.psn_no) == wanted,
        f"the sharer's account is {wanted}",
    )


def test_a_hold_reserves_and_charges_nothing(
    world: World, hospital: Counter, family: Family
) -> None:
    before = datetime.now(UTC)
    held = hold(hospital, family, 60_000, admission_id="ZY-2026-0001")
    assert (held["state"], held["captured_fen"], held["refunded_fen"]) == ("held", 0, 0)
    assert (held["requested_fen"], held["amount_fen"]) == (60_000, 60_000)
    assert (held["purpose"], held["admission_id"]) == ("inpatient", "ZY-2026-0001")
    assert held["captured_at"] is None
    assert held["person_id"] == family.beneficiary.wallet()["person_id"]
    assert (held["institution"], held["insuplc_admdvs"]) == (hospital.key.code, ALAR)
    assert [each["amount_fen"] for each in held["allocations"]] == [60_000]
    lives = instant(held["expires_at"]) - instant(held["held_at"])
    assert lives == timedelta(seconds=86_400), "the default"
    assert before - timedelta(seconds=5) <= instant(held["held_at"]) <= datetime.now(UTC)
    assert set(held) - {"admission_id"} >= PAYMENT
    assert hospital.get(path(held)).of(200) == held
    assert books(family) == (40_000, 60_000, 0)
    account_is(world, family, balance_fen=500_000, frozen_fen=100_000)


@pytest.mark.parametrize("captured_fen", [60_000, 1])
def test_a_capture_spends_and_gives_the_rest_back(
    world: World, hospital: Counter, family: Family, captured_fen: int
) -> None:
    held = hold(hospital, family, 60_000)
    charged = hospital.post(path(held, "/capture"), {"amount_fen": captured_fen}).of(200)
    assert (charged["state"], charged["captured_fen"]) == ("captured", captured_fen)
    assert charged["requested_fen"] == 60_000
    assert [each["amount_fen"] for each in charged["allocations"]] == [captured_fen]
    assert instant(charged["captured_at"]) >= instant(charged["held_at"])
    assert charged["receipt"] == {
        "medfee_sumamt_fen": 60_000,
        "fund_pay_sumamt_fen": 0,
        "acct_pay_fen": captured_fen,
        "acct_mulaid_pay_fen": captured_fen,
        "psn_cash_pay_fen": 60_000 - captured_fen,
    }
    assert set(charged) >= PAYMENT
    assert hospital.get(path(held)).of(200) == charged
    assert books(family) == (100_000 - captured_fen, 0, captured_fen)
    account_is(world, family, balance_fen=500_000 - captured_fen, frozen_fen=100_000 - captured_fen)


def test_more_than_is_held_is_not_captured(hospital: Counter, family: Family) -> None:
    held = hold(hospital, family, 60_000)
    large: dict[str, Any] = {"amount_fen": 60_001}
    hospital.post(path(held, "/capture"), large).refused("capture-exceeds-hold", 422)
    large["bill"] = stay(90_000)
    hospital.post(path(held, "/capture"), large).refused("capture-exceeds-hold", 422)
    assert books(family) == (40_000, 60_000, 0)
    hospital.post(path(held, "/capture"), {"amount_fen": 60_000}).of(200)


@pytest.mark.rule("R11")
@pytest.mark.rule("R20")
def test_a_final_bill_is_checked_again_and_stays(hospital: Counter, family: Family) -> None:
    held = hold(hospital, family, 60_000)
    capture = path(held, "/capture")
    wrong = stay(50_000, inscp_scp_fen=49_999)
    told = {"amount_fen": 50_000, "bill": wrong}
    hospital.post(capture, told).refused("bill-does-not-add-up", 422)
    told["bill"] = stay(49_999)
    hospital.post(capture, told).refused("exceeds-personal-burden", 422)
    assert books(family) == (40_000, 60_000, 0)
    final = stay(50_000, medfee_sumamt_fen=80_000, inscp_scp_fen=80_000, fund_pay_sumamt_fen=30_000)
    charged = hospital.post(
        capture, {"amount_fen": 45_000, "bill": {**final, "own_acct_pay_fen": 2_000}}
    ).of(200)
    assert charged["receipt"] == {
        "medfee_sumamt_fen": 80_000,
        "fund_pay_sumamt_fen": 30_000,
        "acct_pay_fen": 47_000,
        "acct_mulaid_pay_fen": 45_000,
        "psn_cash_pay_fen": 3_000,
    }
    assert books(family) == (55_000, 0, 45_000)


def test_a_partial_hold_takes_what_there_is(hospital: Counter, family: Family) -> None:
    held = hold(hospital, family, 130_000, partial="allow")
    assert (held["requested_fen"], held["amount_fen"]) == (130_000, 100_000)
    assert books(family) == (0, 100_000, 0)
    capture = path(held, "/capture")
    hospital.post(capture, {"amount_fen": 100_001}).refused("capture-exceeds-hold", 422)
    charged = hospital.post(capture, {"amount_fen": 100_000}).of(200)
    assert charged["receipt"]["psn_cash_pay_fen"] == 30_000


def test_a_release_gives_all_of_it_back(world: World, hospital: Counter, family: Family) -> None:
    held = hold(hospital, family, 60_000)
    given = hospital.post(path(held, "/release"), {}).of(200)
    assert (given["state"], given["captured_fen"]) == ("released", 0)
    assert hospital.get(path(held)).of(200) == given
    assert books(family) == (100_000, 0, 0)
    account_is(world, family, balance_fen=500_000, frozen_fen=100_000)


@pytest.mark.parametrize("first", ["capture", "release"])
def test_what_is_no_longer_held_is_refused(hospital: Counter, family: Family, first: str) -> None:
    held = hold(hospital, family, 60_000)
    told: dict[str, dict[str, Any]] = {
        "capture": {"amount_fen": 10_000},
        "release": {},
        "extend": {"hold_seconds": 100_000},
    }
    hospital.post(path(held, f"/{first}"), told[first]).of(200)
    for what, body in told.items():
        hospital.post(path(held, f"/{what}"), body).refused("payment-not-held", 409)
    spent = 10_000 if first == "capture" else 0
    assert books(family) == (100_000 - spent, 0, spent)


def test_a_one_step_payment_was_never_held(hospital: Counter, family: Family) -> None:
    paid = hospital.pay(hospital.token(family.beneficiary), 1_000).of(201)
    hospital.post(path(paid, "/capture"), {"amount_fen": 1}).refused("payment-not-held", 409)
    hospital.post(path(paid, "/release"), {}).refused("payment-not-held", 409)


def test_a_hold_lives_as_long_as_it_was_asked_for(hospital: Counter, family: Family) -> None:
    held = hold(hospital, family, 60_000, hold_seconds=3_600)
    assert instant(held["expires_at"]) - instant(held["held_at"]) == timedelta(seconds=3_600)
    longer = hospital.post(path(held, "/extend"), {"hold_seconds": 7_200}).of(200)
    assert longer["state"] == "held"
    assert instant(longer["expires_at"]) - instant(held["held_at"]) >= timedelta(seconds=7_200)
    assert instant(longer["expires_at"]) <= datetime.now(UTC) + timedelta(seconds=7_205)
    assert longer["held_at"] == held["held_at"]
    assert hospital.get(path(held)).of(200) == longer
    assert books(family) == (40_000, 60_000, 0)


def test_a_hold_is_extended_up_to_the_maximum_of_its_purpose(
    hospital: Counter, family: Family
) -> None:
    held = hold(hospital, family, 60_000)
    answer = hospital.post(path(held, "/extend"), {"hold_seconds": 91 * 86_400})
    if answer.status == 200:
        lives = instant(answer.json["expires_at"]) - instant(held["held_at"])
        assert lives == timedelta(days=90)
    else:
        answer.refused("invalid", 422)
    long = hospital.post(path(held, "/extend"), {"hold_seconds": 89 * 86_400}).of(200)
    lives = instant(long["expires_at"]) - instant(held["held_at"])
    assert timedelta(days=89) <= lives <= timedelta(days=90)
    for seconds in (0, -1, 1.5, "60", True, None):
        hospital.post(path(held, "/extend"), {"hold_seconds": seconds}).refused("invalid", 422)


def test_past_its_deadline_a_hold_is_expired_swept_or_not(
    world: World, hospital: Counter, family: Family
) -> None:
    held = hold(hospital, family, 60_000, hold_seconds=1)
    until(lambda: datetime.now(UTC) > instant(held["expires_at"]), "the deadline is past")
    hospital.post(path(held, "/capture"), {"amount_fen": 1}).refused("hold-expired", 409)
    hospital.post(path(held, "/extend"), {"hold_seconds": 60}).refused("hold-expired", 409)
    until(
        lambda: hospital.get(path(held)).of(200)["state"] == "expired", "it is swept", SWEPT_SECONDS
    )
    assert books(family) == (100_000, 0, 0)
    hospital.post(path(held, "/capture"), {"amount_fen": 1}).refused("hold-expired", 409)
    hospital.post(path(held, "/extend"), {"hold_seconds": 60}).refused("hold-expired", 409)
    hospital.post(path(held, "/release"), {}).refused("hold-expired", 409)
    account_is(world, family, balance_fen=500_000, frozen_fen=100_000)


def test_nobody_else_sees_or_touches_a_hold(
    hospital: Counter, pharmacy: Counter, family: Family
) -> None:
    held = hold(hospital, family, 60_000)
    pharmacy.get(path(held)).refused("not-found", 404)
    pharmacy.post(path(held, "/capture"), {"amount_fen": 1}).refused("not-found", 404)
    pharmacy.post(path(held, "/extend"), {"hold_seconds": 60}).refused("not-found", 404)
    pharmacy.post(path(held, "/release"), {}).refused("not-found", 404)
    unknown = {"payment_id": "01890a5d-ac96-774b-bcce-b302099a8057"}
    hospital.post(path(unknown, "/release"), {}).refused("not-found", 404)
    assert hospital.get(path(held)).of(200) == held


@pytest.mark.parametrize("what", ["capture", "extend", "release"])
def test_what_becomes_of_a_hold_is_replayed_byte_for_byte(
    hospital: Counter, family: Family, what: str
) -> None:
    held, key = hold(hospital, family, 60_000), new_key()
    bodies: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "capture": ({"amount_fen": 1_000}, {"amount_fen": 1_001}),
        "extend": ({"hold_seconds": 90_000}, {"hold_seconds": 90_001}),
        "release": ({}, {}),
    }
    told, other = bodies[what]
    first = hospital.post(path(held, f"/{what}"), told, key)
    again = hospital.post(path(held, f"/{what}"), told, key)
    assert (first.status, first.replayed, again.status) == (200, False, 200), first.body
    assert (again.replayed, again.body) == (True, first.body)
    if told != other:
        hospital.post(path(held, f"/{what}"), other, key).refused("key-reused", 422)
    wrong = hospital.post(path(held, "/capture"), {"amount_fen": 2_000}, key)
    wrong.refused("key-reused", 422)
    unkeyed = hospital.send("POST", path(held, f"/{what}"), b"{}")
    unkeyed.refused("key-required", 422)


def test_a_refused_capture_is_final_for_its_key(hospital: Counter, family: Family) -> None:
    held, key = hold(hospital, family, 60_000), new_key()
    first = hospital.post(path(held, "/capture"), {"amount_fen": 60_001}, key)
    first.refused("capture-exceeds-hold", 422)
    again = hospital.post(path(held, "/capture"), {"amount_fen": 60_001}, key)
    assert (again.replayed, again.body) == (True, first.body)


@pytest.mark.rule("R32")
def test_a_hold_outlives_its_relation(world: World, hospital: Counter, family: Family) -> None:
    held = hold(hospital, family, 60_000)
    family.sharer.ask("POST", f"/v1/me/relations/{family.relation_id}/end", {}).of(202)
    until(lambda: family.sharer.relation(family.relation_id)["state"] == "ended", "it has ended")
    account_is(world, family, balance_fen=500_000, frozen_fen=60_000)
    token = hospital.token(family.beneficiary)
    assert hospital.pay(token, 1).status in (409, 422)
    hospital.post(path(held, "/capture"), {"amount_fen": 20_000}).of(200)
    account_is(world, family, balance_fen=480_000, frozen_fen=0)
