"""An institution's list of a day and a citizen's timeline (contract §2 and §3): they may lag."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from tests.blackbox.until import until
from tests.blackbox.world import Citizen, Counter, Family, World, bill

BEIJING = timezone(timedelta(hours=8))


def today() -> str:
    return datetime.now(BEIJING).date().isoformat()


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def listed(counter: Counter, query: str = "") -> dict[str, Any]:
    told: dict[str, Any] = counter.get(f"/v1/payments{query}").of(200)
    assert set(told) == {"items", "next_cursor", "as_of"}
    return told


def finds(counter: Counter, payment_id: str, query: str = "") -> dict[str, Any]:
    """The payment in the first 200 of a list, as soon as it is there."""

    def look() -> dict[str, Any] | None:
        items = listed(counter, query or f"?date={today()}&limit=200")["items"]
        return next((each for each in items if each["payment_id"] == payment_id), None)

    found: dict[str, Any] = until(look, "the payment is listed")
    return found


@pytest.mark.rule("R33")
def test_a_payment_is_listed_under_its_day_as_it_is_now(world: World, pharmacy: Counter) -> None:
    family = world.family(available_fen=10_000)
    paid = pharmacy.pay(pharmacy.token(family.beneficiary), 4_000).of(201)
    assert finds(pharmacy, paid["payment_id"]) == paid
    assert finds(pharmacy, paid["payment_id"], "?limit=200") == paid, "today is the default"
    refund = {"amount_fen": 1_000, "reason": "returned"}
    pharmacy.post(f"/v1/payments/{paid['payment_id']}/refunds", refund).of(201)
    now = finds(pharmacy, paid["payment_id"])
    assert (now["state"], now["refunded_fen"]) == ("captured", 1_000)
    assert now == pharmacy.get(f"/v1/payments/{paid['payment_id']}").of(200)
    yesterday = (datetime.now(BEIJING) - timedelta(days=1)).date().isoformat()
    there = [each["payment_id"] for each in listed(pharmacy, f"?date={yesterday}")["items"]]
    assert paid["payment_id"] not in there


def test_another_institutions_payments_are_not_in_the_list(
    world: World, hospital: Counter, pharmacy: Counter
) -> None:
    family = world.family(available_fen=10_000)
    paid = pharmacy.pay(pharmacy.token(family.beneficiary), 100).of(201)
    held = hospital.pay(hospital.token(family.beneficiary), 100, capture=False).of(201)
    finds(pharmacy, paid["payment_id"])
    finds(hospital, held["payment_id"])
    for counter in (hospital, pharmacy):
        items = listed(counter, "?limit=200")["items"]
        assert {each["institution"] for each in items} == {counter.key.code}


def test_pages_are_newest_first_and_leave_nothing_out(world: World, pharmacy: Counter) -> None:
    family = world.family(available_fen=10_000)
    token = pharmacy.token(family.beneficiary)
    made = [pharmacy.pay(token, 100 + n).of(201)["payment_id"] for n in range(5)]
    finds(pharmacy, made[-1])
    seen: list[dict[str, Any]] = []
    query = f"?date={today()}&limit=2"
    told = listed(pharmacy, query)
    while True:
        assert len(told["items"]) <= 2
        seen += told["items"]
        if told["next_cursor"] is None or {*made} <= {each["payment_id"] for each in seen}:
            break
        told = listed(pharmacy, f"{query}&cursor={told['next_cursor']}")
    ids = [each["payment_id"] for each in seen]
    assert len(ids) == len(set(ids))
    assert [each for each in ids if each in made] == made[::-1]
    times = [instant(each["held_at"]) for each in seen]
    assert times == sorted(times, reverse=True)


def test_what_happened_before_as_of_is_there(world: World, pharmacy: Counter) -> None:
    family = world.family(available_fen=10_000)
    paid = pharmacy.pay(pharmacy.token(family.beneficiary), 100).of(201)

    def caught_up() -> dict[str, Any] | None:
        told = listed(pharmacy, "?limit=200")
        return told if instant(told["as_of"]) >= instant(paid["held_at"]) else None

    told = until(caught_up, "the list is read up to the payment")
    assert paid["payment_id"] in {each["payment_id"] for each in told["items"]}
    assert instant(told["as_of"]) <= datetime.now(UTC) + timedelta(seconds=1)


@pytest.mark.parametrize(
    "query",
    ["date=2026-13-01", "date=today", "limit=0", "limit=201", "limit=x", "cursor=x", "unknown=1"],
)
def test_a_query_that_makes_no_sense_is_invalid(
    pharmacy: Counter, untouched: Family, query: str
) -> None:
    pharmacy.get(f"/v1/payments?{query}").refused("invalid", 422)
    if "date" not in query:
        untouched.sharer.ask("GET", f"/v1/me/timeline?{query}").refused("invalid", 422)


def timeline(person: Citizen) -> list[dict[str, Any]]:
    told = person.ask("GET", "/v1/me/timeline?limit=200").of(200)
    assert set(told) == {"items", "next_cursor", "as_of"}
    assert all({"type", "at"} <= set(each) for each in told["items"])
    items: list[dict[str, Any]] = told["items"]
    return items


def test_both_look_back_on_their_relation_and_quota(world: World) -> None:
    family = world.family(available_fen=10_000)
    for person in (family.sharer, family.beneficiary):

        def granted(person: Citizen = person) -> bool:
            return any(
                each.get("quota_id") == family.quota_id and each.get("amount_fen") == 10_000
                for each in timeline(person)
            )

        until(granted, "the grant is on the timeline")
        of_relation = [
            each for each in timeline(person) if each.get("relation_id") == family.relation_id
        ]
        assert of_relation
    stranger = world.person()
    assert timeline(stranger) == []


def test_the_sharer_sees_amount_and_day_and_never_what_was_bought(
    world: World, pharmacy: Counter
) -> None:
    family = world.family(available_fen=10_000)
    before = today()
    owed = bill(4_321, mdtrt_id="VISIT-77")
    paid = pharmacy.pay(pharmacy.token(family.beneficiary), 4_321, bill=owed).of(201)

    def mine() -> dict[str, Any] | None:
        items = timeline(family.beneficiary)
        return next((each for each in items if each.get("payment_id") == paid["payment_id"]), None)

    item = until(mine, "the beneficiary sees the payment")
    assert (item["amount_fen"], item["state"]) == (4_321, "captured")
    assert item["at"] == paid["captured_at"]

    def theirs() -> dict[str, Any] | None:
        items = timeline(family.sharer)
        return next((each for each in items if each.get("amount_fen") == 4_321), None)

    share = until(theirs, "the sharer sees what was given")
    assert set(share) == {"type", "at", "amount_fen"}
    assert share["at"] in (before, today())
    whole = json.dumps(timeline(family.sharer))
    for hidden in (paid["payment_id"], pharmacy.key.code, "pharmacy", "VISIT-77", "659002"):
        assert hidden not in whole
    wallet = family.beneficiary.wallet()
    assert wallet["person_id"] not in whole


def test_a_timeline_is_for_citizens(world: World) -> None:
    clerk = world.sandbox("POST", "/tokens", {"clerk": "auditor", "roles": ["audit"]})["token"]
    nobody = Citizen(world=world, told={}, token=clerk)
    nobody.ask("GET", "/v1/me/timeline").refused("forbidden", 403)
    assert Citizen(world=world, told={}, token="x").ask("GET", "/v1/me/timeline").status == 401
