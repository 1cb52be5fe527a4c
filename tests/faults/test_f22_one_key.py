"""F22: one key fifty times at once, with another body, after a restart: one effect, one answer."""

from __future__ import annotations

import json

import pytest

from tests.support.fault_evidence import Evidence
from tests.support.town import Site, Town
from tests.support.town_families import family_of
from tests.support.town_people import new_key
from tests.support.town_races import TIMES, at_once, one_key_fifty_times
from tests.support.town_volley import volley


@pytest.mark.fault("F22")
async def test_one_key_fifty_times_over_has_one_effect_for_ever(
    town: Town, site: Site, fault_evidence: Evidence
) -> None:
    family = await family_of(town, available_fen=10_000)
    await one_key_fifty_times(town, family, "gateway", "wallet")
    fault_evidence.tell("One key fifty times at once, with another body, and again after a kill.")
    fault_evidence.saw("killed in between", site.watchman.lost("gateway", "wallet"))
    fault_evidence.holds("one effect, one answer byte for byte, 422 for another body")


@pytest.mark.fault("F22")
async def test_a_refusal_is_replayed_as_it_was_although_money_came(
    town: Town, fault_evidence: Evidence
) -> None:
    family = await family_of(town, available_fen=500)
    counter, key = town.counter(), new_key()
    body = json.dumps(counter.payment(family.token, 700)).encode()
    first = await at_once(town, counter, [key] * TIMES, body)
    assert {said.code for said in first} == {"quota-insufficient"}
    fault_evidence.tell("A refused key fifty times at once, and again when there is money.")
    fault_evidence.saw("answers under one key", len(first))
    await family.sharer.raise_quota(family.relation_id, 5_000)
    again = await counter.send("POST", "/v1/payments", body, key)
    assert again.replayed
    assert again.body == first[0].body
    assert (await family.books())["spent"] == 0


@pytest.mark.fault("F22")
async def test_a_nonce_is_good_for_once_over_all_processes_and_restarts(
    town: Town, site: Site, fault_evidence: Evidence
) -> None:
    family = await family_of(town, available_fen=1_000)
    counter, messenger = town.counter(), town.messenger
    body = json.dumps(counter.payment(family.token, 100)).encode()
    letter = counter.letter("POST", "/v1/payments", body, new_key())
    answers = await volley([letter] * 10)
    assert sorted(said.code for said in answers) == ["", *["signature-replayed"] * 9]
    await site.watchman.kill("gateway")
    await site.watchman.ready_again("gateway")
    fault_evidence.tell("One signed request ten times at once, and again after a kill.")
    fault_evidence.saw("killed in between", site.watchman.lost("gateway"))
    assert (await messenger.ask(lambda: letter)).code == "signature-replayed"
    assert (await family.books())["spent"] == 100
