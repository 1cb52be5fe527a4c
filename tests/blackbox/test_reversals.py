"""Nobody knows what became of a request: its key is reversed (contract §2)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.blackbox.until import until
from tests.blackbox.world import GUANGDONG, Answer, Counter, Family, World, new_key

pytestmark = pytest.mark.rule("R23")


def person_id(family: Family) -> str:
    return str(family.beneficiary.wallet()["person_id"])


def reverse(counter: Counter, family: Family, original: str, key: str | None = None) -> Answer:
    told = {"original_key": original, "person_id": person_id(family)}
    return counter.post("/v1/reversals", told, key)


def outcome(counter: Counter, family: Family, original: str) -> dict[str, Any]:
    told: dict[str, Any] = reverse(counter, family, original).of(200)
    return told


def known(counter: Counter, family: Family, key: str) -> Answer:
    return counter.get(f"/v1/requests/{key}?person_id={person_id(family)}")


def state(counter: Counter, paid: dict[str, Any]) -> str:
    return str(counter.get(f"/v1/payments/{paid['payment_id']}").of(200)["state"])


def account_is(world: World, family: Family, *, balance_fen: int, frozen_fen: int) -> None:
    wanted = {
        "balance_fen": balance_fen,
        "frozen_fen": frozen_fen,
        "spendable_fen": balance_fen - frozen_fen,
    }
    until(
        lambda: world.account(GUANGDONG, family.sharer.psn_no) == wanted, f"the account is {wanted}"
    )


@pytest.mark.parametrize("kind", ["pharmacy", "hospital"])
def test_a_payment_is_reversed_once(world: World, family: Family, kind: str) -> None:
    counter, key = world.counter(kind), new_key()
    paid = counter.pay(counter.token(family.beneficiary), 40_000, key=key).of(201)
    first = outcome(counter, family, key)
    assert (first["outcome"], first["payment_id"]) == ("reversed", paid["payment_id"])
    assert state(counter, paid) == "reversed"
    second = outcome(counter, family, key)
    assert second["outcome"] == "already_reversed"
    assert second.get("payment_id") in (None, paid["payment_id"])
    until(lambda: family.available() == 100_000, "it came back once")
    account_is(world, family, balance_fen=500_000, frozen_fen=100_000)
    path = f"/v1/payments/{paid['payment_id']}/refunds"
    again = counter.post(path, {"amount_fen": 1, "reason": "退药"})
    again.refused("payment-not-captured", 409)


def test_a_hold_is_released(world: World, hospital: Counter, family: Family) -> None:
    key = new_key()
    token = hospital.token(family.beneficiary)
    held = hospital.pay(token, 40_000, key=key, capture=False).of(201)
    assert outcome(hospital, family, key)["outcome"] == "reversed"
    assert state(hospital, held) in ("released", "reversed")
    assert family.available() == 100_000
    path = f"/v1/payments/{held['payment_id']}/capture"
    hospital.post(path, {"amount_fen": 1}).refused("payment-not-held", 409)
    assert outcome(hospital, family, key)["outcome"] == "already_reversed"
    account_is(world, family, balance_fen=500_000, frozen_fen=100_000)


def test_a_captures_key_is_reversed(world: World, hospital: Counter, family: Family) -> None:
    held = hospital.pay(hospital.token(family.beneficiary), 40_000, capture=False).of(201)
    key, path = new_key(), f"/v1/payments/{held['payment_id']}/capture"
    hospital.post(path, {"amount_fen": 30_000}, key).of(200)
    told = outcome(hospital, family, key)
    assert (told["outcome"], told["payment_id"]) == ("reversed", held["payment_id"])
    assert state(hospital, held) == "reversed"
    until(lambda: family.available() == 100_000, "all of it came back")
    account_is(world, family, balance_fen=500_000, frozen_fen=100_000)


def test_what_was_refunded_is_not_given_back_again(
    world: World, hospital: Counter, family: Family
) -> None:
    key = new_key()
    paid = hospital.pay(hospital.token(family.beneficiary), 40_000, key=key).of(201)
    path = f"/v1/payments/{paid['payment_id']}/refunds"
    hospital.post(path, {"amount_fen": 15_000, "reason": "退药"}).of(201)
    assert outcome(hospital, family, key)["outcome"] == "reversed"
    until(lambda: family.available() == 100_000, "the rest came back")
    account_is(world, family, balance_fen=500_000, frozen_fen=100_000)
    assert family.beneficiary.quota(family.quota_id)["spent_fen"] == 0


def test_a_late_original_is_refused(hospital: Counter, family: Family) -> None:
    key = new_key()
    assert outcome(hospital, family, key) == {"outcome": "tombstoned", "payment_id": None} or (
        outcome(hospital, family, key)["outcome"] == "tombstoned"
    )
    assert known(hospital, family, key).of(200)["state"] == "tombstoned"
    token = hospital.token(family.beneficiary)
    for _ in range(2):
        late = hospital.pay(token, 40_000, key=key)
        late.refused("reversed-before-arrival", 409)
        assert late.json["retryable"] is False
    assert family.available() == 100_000
    assert outcome(hospital, family, key)["outcome"] in ("tombstoned", "already_reversed")
    hospital.pay(token, 40_000).of(201)


def test_what_was_refused_leaves_nothing_to_reverse(hospital: Counter, family: Family) -> None:
    key, token = new_key(), hospital.token(family.beneficiary)
    first = hospital.pay(token, 100_001, key=key)
    first.refused("quota-insufficient", 422)
    told = outcome(hospital, family, key)
    assert (told["outcome"], told.get("payment_id")) == ("nothing_to_reverse", None)
    assert hospital.pay(token, 100_001, key=key).body == first.body
    assert family.available() == 100_000


def test_a_release_leaves_nothing_to_reverse(hospital: Counter, family: Family) -> None:
    held = hospital.pay(hospital.token(family.beneficiary), 40_000, capture=False).of(201)
    key = new_key()
    hospital.post(f"/v1/payments/{held['payment_id']}/release", {}, key).of(200)
    answer = reverse(hospital, family, key)
    if answer.status == 200:
        assert answer.json["outcome"] == "nothing_to_reverse"
    else:
        answer.refused("reversal-not-possible", 409)
    assert family.available() == 100_000


def test_a_refunds_key_reversed_retakes_the_amount(
    world: World, hospital: Counter, family: Family
) -> None:
    paid = hospital.pay(hospital.token(family.beneficiary), 40_000).of(201)
    key, path = new_key(), f"/v1/payments/{paid['payment_id']}"
    hospital.post(f"{path}/refunds", {"amount_fen": 40_000, "reason": "退药"}, key).of(201)
    until(lambda: family.available() == 100_000, "it was refunded")
    told = outcome(hospital, family, key)
    assert (told["outcome"], told["payment_id"]) == ("reversed", paid["payment_id"])
    now = hospital.get(path).of(200)
    assert (now["state"], now["captured_fen"], now["refunded_fen"]) == ("captured", 40_000, 0)
    assert family.available() == 60_000
    account_is(world, family, balance_fen=460_000, frozen_fen=60_000)
    assert outcome(hospital, family, key)["outcome"] == "already_reversed"
    assert family.available() == 60_000


def test_a_refund_that_was_spent_again_is_not_retaken(hospital: Counter, family: Family) -> None:
    token = hospital.token(family.beneficiary)
    paid, key = hospital.pay(token, 40_000).of(201), new_key()
    path = f"/v1/payments/{paid['payment_id']}/refunds"
    hospital.post(path, {"amount_fen": 40_000, "reason": "退药"}, key).of(201)
    until(lambda: family.available() == 100_000, "it was refunded")
    hospital.pay(token, 100_000).of(201)
    reverse(hospital, family, key).refused("reversal-not-possible", 409)
    assert family.available() == 0


def test_another_institutions_key_is_another_key(
    hospital: Counter, pharmacy: Counter, family: Family
) -> None:
    key = new_key()
    paid = hospital.pay(hospital.token(family.beneficiary), 40_000, key=key).of(201)
    known(pharmacy, family, key).refused("not-found", 404)
    assert outcome(pharmacy, family, key)["outcome"] == "tombstoned"
    assert state(hospital, paid) == "captured"
    assert family.available() == 60_000
    assert outcome(hospital, family, key)["outcome"] == "reversed"


def test_a_reversal_is_replayed_byte_for_byte(hospital: Counter, family: Family) -> None:
    original, key = new_key(), new_key()
    hospital.pay(hospital.token(family.beneficiary), 40_000, key=original).of(201)
    first = reverse(hospital, family, original, key)
    again = reverse(hospital, family, original, key)
    assert (first.status, first.replayed, again.status) == (200, False, 200), first.body
    assert (again.replayed, again.body) == (True, first.body)
    reverse(hospital, family, new_key(), key).refused("key-reused", 422)
    told = {"original_key": original, "person_id": person_id(family)}
    body = str(told).replace("'", '"').encode()
    hospital.send("POST", "/v1/reversals", body).refused("key-required", 422)


def test_a_request_is_known_by_its_key(hospital: Counter, family: Family) -> None:
    key, token = new_key(), hospital.token(family.beneficiary)
    known(hospital, family, key).refused("not-found", 404)
    hospital.pay(token, 40_000, key=key).of(201)
    assert known(hospital, family, key).of(200) == {"state": "answered"}
    refused = new_key()
    hospital.pay(token, 100_000, key=refused).refused("quota-insufficient", 422)
    assert known(hospital, family, refused).of(200) == {"state": "answered"}
    for query in ("", "?person_id=x", f"?person_id={person_id(family)}&more=1"):
        answer = hospital.get(f"/v1/requests/{key}{query}")
        answer.refused("invalid", 422)


def test_a_request_is_known_of_the_person_it_was_about(
    world: World, hospital: Counter, family: Family
) -> None:
    key = new_key()
    hospital.pay(hospital.token(family.beneficiary), 100, key=key).of(201)
    other = world.citizen().wallet()["person_id"]
    hospital.get(f"/v1/requests/{key}?person_id={other}").refused("not-found", 404)


def test_payment_and_reversal_at_once_agree(hospital: Counter, world: World) -> None:
    family = world.family(available_fen=1_000)
    token, whose = hospital.token(family.beneficiary), person_id(family)
    for _ in range(6):
        key = new_key()
        told = {"original_key": key, "person_id": whose}
        with ThreadPoolExecutor(2) as both:
            paying = both.submit(hospital.pay, token, 1_000, key=key)
            undoing = both.submit(hospital.post, "/v1/reversals", told)
        paid, undone = paying.result(), undoing.result()
        if undone.status == 409:
            undone.refused("in-progress", 409)
            undone = hospital.post("/v1/reversals", told)
        if undone.of(200)["outcome"] == "tombstoned":
            paid.refused("reversed-before-arrival", 409)
        else:
            assert undone.json["outcome"] == "reversed"
            paid.of(201)
        until(lambda: family.available() == 1_000, "nothing was spent")


def test_a_reversal_of_nothing_sensible_is_refused(hospital: Counter, untouched: Family) -> None:
    changes: list[dict[str, Any]] = [
        *({"original_key": each} for each in ("", "k" * 256, 7, None)),
        *({"person_id": each} for each in ("x", 7, None)),
        {"whatever": 1},
    ]
    whose = person_id(untouched)
    for change in changes:
        told = {"original_key": new_key(), "person_id": whose, **change}
        hospital.post("/v1/reversals", told).refused("invalid", 422)


def test_a_person_nobody_knows_has_nothing_reversed(hospital: Counter) -> None:
    told = {"original_key": new_key(), "person_id": "01890a5d-ac96-774b-bcce-b302099a8057"}
    answer = hospital.post("/v1/reversals", told)
    if answer.status == 200:
        assert answer.json["outcome"] == "tombstoned"
    else:
        answer.refused("not-found", 404)
