"""Provinces that misbehave: silent, late, refusing, repeating themselves, out of order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.blackbox.until import until
from tests.blackbox.world import ALAR, Citizen, Counter, World

# Of no other story: whoever changes how a province behaves changes it for everybody in it.
HAIKOU, HAINAN = "460100", "460000"

GOOD = {"freeze": "confirm", "late_ms": 0, "duplicate": False, "reorder": False}

Behave = Callable[..., None]


@pytest.fixture
def behave(world: World) -> Iterator[Behave]:
    def behave(**how: object) -> None:
        world.sandbox("PUT", f"/provinces/{HAINAN}/behaviour", {**GOOD, **how})

    yield behave
    behave()


@pytest.fixture
def pair(world: World) -> tuple[Citizen, Citizen, str]:
    sharer = world.citizen(HAIKOU, balance_fen=100_000)
    beneficiary = world.citizen(ALAR, insutype="390")
    return sharer, beneficiary, sharer.relate("sharer", beneficiary)


@pytest.mark.rule("R7")
def test_while_a_province_is_silent_nothing_is_spendable(
    world: World, hospital: Counter, behave: Behave, pair: tuple[Citizen, Citizen, str]
) -> None:
    sharer, beneficiary, relation_id = pair
    behave(freeze="silent")
    asked = sharer.set_quota(relation_id, 5_000).of(202)
    assert (asked["state"], asked["available_fen"], asked["granted_fen"]) == ("freezing", 0, 0)
    sharer.set_quota(relation_id, 6_000).refused("wrong-state", 409)
    hospital.pay(hospital.token(beneficiary), 1).refused("quota-insufficient", 422)
    assert world.account(HAINAN, sharer.psn_no)["frozen_fen"] == 0

    behave()
    until(lambda: sharer.quota(asked["quota_id"])["state"] == "active", "it has answered at last")
    assert sharer.quota(asked["quota_id"])["available_fen"] == 5_000
    hospital.pay(hospital.token(beneficiary), 1).of(201)


def test_a_refusing_province_is_heard(behave: Behave, pair: tuple[Citizen, Citizen, str]) -> None:
    sharer, _, relation_id = pair
    behave(freeze="refuse")
    quota_id = sharer.set_quota(relation_id, 5_000).of(202)["quota_id"]
    until(lambda: sharer.quota(quota_id)["state"] == "refused", "the province refused")
    assert sharer.quota(quota_id)["refusal"]


def test_a_province_may_be_late_repeat_itself_and_mix_things_up(
    world: World, hospital: Counter, behave: Behave, pair: tuple[Citizen, Citizen, str]
) -> None:
    sharer, beneficiary, relation_id = pair
    behave(late_ms=300, duplicate=True, reorder=True)
    quota_id = sharer.raise_quota(relation_id, 5_000)
    token = hospital.token(beneficiary)
    for _ in range(5):
        hospital.pay(token, 1_000).of(201)
    hospital.pay(token, 1).refused("quota-insufficient", 422)
    settled = {"balance_fen": 95_000, "frozen_fen": 0, "spendable_fen": 95_000}
    until(lambda: world.account(HAINAN, sharer.psn_no) == settled, "all was debited once")
    quota = beneficiary.quota(quota_id)
    assert (quota["granted_fen"], quota["spent_fen"]) == (5_000, 5_000)
