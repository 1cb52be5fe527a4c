"""Relations end, insurances change, children have guardians, sharers an order (contract §3)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.blackbox.until import until
from tests.blackbox.world import (
    ALAR,
    GUANGDONG,
    SHENZHEN,
    XPCC,
    Answer,
    Citizen,
    Counter,
    Family,
    World,
    bill,
    new_key,
)


def path(relation_id: str, what: str = "") -> str:
    return f"/v1/me/relations/{relation_id}{what}"


def ended(person: Citizen, relation_id: str) -> None:
    until(lambda: person.relation(relation_id)["state"] == "ended", "the relation has ended")


def account_is(world: World, person: Citizen, *, balance_fen: int, frozen_fen: int) -> None:
    wanted = {
        "balance_fen": balance_fen,
        "frozen_fen": frozen_fen,
        "spendable_fen": balance_fen - frozen_fen,
    }
    until(lambda: world.account(GUANGDONG, person.psn_no) == wanted, f"the account is {wanted}")


def tell(world: World, province: str, person: Citizen, status: str, **more: Any) -> None:
    told = {"psn_no": person.psn_no, "status": status, **more}
    world.sandbox("POST", f"/provinces/{province}/enrolments", told)


@pytest.mark.rule("R3")
@pytest.mark.rule("R6")
@pytest.mark.parametrize("who", ["sharer", "beneficiary"])
def test_either_one_ends_it_and_what_is_unused_returns(
    world: World, hospital: Counter, family: Family, who: str
) -> None:
    token = hospital.token(family.beneficiary)
    hospital.pay(token, 30_000).of(201)
    ender = family.sharer if who == "sharer" else family.beneficiary
    told = ender.ask("POST", path(family.relation_id, "/end"), {}).of(202)
    assert told["relation_id"] == family.relation_id
    assert told["state"] in ("ending", "ended")
    for person in (family.sharer, family.beneficiary):
        ended(person, family.relation_id)
    account_is(world, family.sharer, balance_fen=470_000, frozen_fen=0)
    assert family.beneficiary.wallet()["available_fen"] == 0
    assert family.sharer.wallet()["given_fen"] == 30_000, "what was spent was given"
    answer = hospital.pay(token, 1)
    assert (answer.status, answer.code) in (
        (422, "quota-insufficient"),
        (409, "relation-not-active"),
    )
    answer = family.sharer.set_quota(family.relation_id, 1)
    assert (answer.status, answer.code) in ((409, "relation-not-active"), (409, "wrong-state"))


def test_an_end_is_replayed_and_said_twice_without_harm(family: Family) -> None:
    key, end = new_key(), path(family.relation_id, "/end")
    first = family.sharer.ask("POST", end, {}, key=key)
    again = family.sharer.ask("POST", end, {}, key=key)
    assert (first.status, first.replayed) == (202, False)
    assert (again.status, again.replayed, again.body) == (202, True, first.body)
    ended(family.sharer, family.relation_id)
    late = family.sharer.ask("POST", end, {}, key=key)
    assert (late.replayed, late.body) == (True, first.body)
    other = family.beneficiary.ask("POST", end, {})
    assert other.status == 202 or (other.status, other.code) in (
        (409, "wrong-state"),
        (409, "relation-not-active"),
    )


def test_strangers_end_and_decline_nothing(world: World, untouched: Family) -> None:
    stranger = world.person()
    for what in ("/end", "/decline", "/confirm"):
        answer = stranger.ask("POST", path(untouched.relation_id, what), {})
        answer.refused("not-found", 404)
    unknown = "01890a5d-ac96-774b-bcce-b302099a8057"
    stranger.ask("POST", path(unknown, "/end"), {}).refused("not-found", 404)


@pytest.mark.rule("R3")
def test_a_proposal_is_declined_and_may_be_made_anew(world: World) -> None:
    sharer, other = world.citizen(SHENZHEN), world.citizen(ALAR, insutype="390")
    relation_id = sharer.propose("sharer", other).of(201)["relation_id"]
    key = new_key()
    first = other.ask("POST", path(relation_id, "/decline"), {}, key=key)
    assert first.status in (200, 202), first.body
    assert (first.json["relation_id"], first.json["state"]) == (relation_id, "declined")
    again = other.ask("POST", path(relation_id, "/decline"), {}, key=key)
    assert (again.replayed, again.body) == (True, first.body)
    for person in (sharer, other):
        assert person.relation(relation_id)["state"] == "declined"
    late = other.ask("POST", path(relation_id, "/confirm"), {})
    assert (late.status, late.code) == (409, "wrong-state")
    assert sharer.relate("sharer", other) != relation_id


def test_what_is_active_is_ended_not_declined(untouched: Family) -> None:
    for person in (untouched.sharer, untouched.beneficiary):
        answer = person.ask("POST", path(untouched.relation_id, "/decline"), {})
        answer.refused("wrong-state", 409)


def test_what_has_ended_may_be_made_anew(world: World, family: Family) -> None:
    family.sharer.ask("POST", path(family.relation_id, "/end"), {}).of(202)
    ended(family.sharer, family.relation_id)
    account_is(world, family.sharer, balance_fen=500_000, frozen_fen=0)
    anew = family.sharer.relate("sharer", family.beneficiary)
    assert anew != family.relation_id
    family.sharer.raise_quota(anew, 20_000)
    account_is(world, family.sharer, balance_fen=500_000, frozen_fen=20_000)


def test_a_relation_shows_what_the_contract_says(untouched: Family) -> None:
    told = untouched.beneficiary.relation(untouched.relation_id)
    assert told["relation_id"] == untouched.relation_id
    assert (told["role"], told["kind"], told["state"]) == ("beneficiary", "parent", "active")
    whole = str(told)
    assert untouched.sharer.told["cert_no"] not in whole
    quota = untouched.beneficiary.quota(untouched.quota_id)
    assert quota["role"] == "beneficiary"
    assert (quota["available_fen"], quota["granted_fen"]) == (100_000, 100_000)
    assert (quota["held_fen"], quota["spent_fen"]) == (0, 0)


@pytest.mark.rule("R12")
def test_the_beneficiary_says_whose_quota_gives_first(world: World, hospital: Counter) -> None:
    parent = world.citizen(ALAR, insutype="390")
    sharers = [world.citizen(balance_fen=90_000) for _ in range(2)]
    relations = [each.relate("sharer", parent) for each in sharers]
    elder, younger = (
        each.raise_quota(relation, 30_000)
        for each, relation in zip(sharers, relations, strict=True)
    )

    def order(person: Citizen, *quotas: str) -> Answer:
        return person.ask("PUT", "/v1/me/quotas/order", {"quota_ids": quotas})

    told = order(parent, younger, elder)
    assert told.status in (200, 202, 204), told.body
    paid = hospital.pay(hospital.token(parent), 40_000).of(201)
    taken = [(each["quota_id"], each["amount_fen"]) for each in paid["allocations"]]
    assert taken == [(younger, 30_000), (elder, 10_000)]
    for bad in ([younger, younger], ["x"], [7], "x"):
        answer = parent.ask("PUT", "/v1/me/quotas/order", {"quota_ids": bad})
        answer.refused("invalid", 422)
    foreign = order(sharers[0], elder)
    assert (foreign.status, foreign.code) in (
        (403, "forbidden"),
        (404, "not-found"),
        (422, "invalid"),
    )
    unknown = order(parent, "01890a5d-ac96-774b-bcce-b302099a8057")
    assert (unknown.status, unknown.code) in ((404, "not-found"), (422, "invalid"))


@pytest.mark.rule("R5")
@pytest.mark.rule("R6")
@pytest.mark.parametrize("whose", ["sharer", "beneficiary"])
@pytest.mark.parametrize("how", [("ended", {}), ("ended", {"reason": "deceased"}), ("moved", {})])
def test_an_insurance_that_ends_ends_the_relation(
    world: World, hospital: Counter, whose: str, how: tuple[str, dict[str, str]]
) -> None:
    family = world.family()
    status, more = how
    token = hospital.token(family.beneficiary)
    if whose == "sharer":
        tell(world, GUANGDONG, family.sharer, status, **more)
    else:
        tell(world, XPCC, family.beneficiary, status, **more)
    for person in (family.sharer, family.beneficiary):
        ended(person, family.relation_id)
    account_is(world, family.sharer, balance_fen=500_000, frozen_fen=0)
    answer = hospital.pay(token, 1)
    assert (answer.status, answer.code) in (
        (422, "quota-insufficient"),
        (422, "not-insured"),
        (409, "relation-not-active"),
    )


@pytest.mark.rule("R5")
def test_a_suspended_sharer_gives_nothing_new_until_insured_again(
    world: World, hospital: Counter, family: Family
) -> None:
    token = hospital.token(family.beneficiary)
    held = hospital.pay(token, 20_000, capture=False).of(201)
    tell(world, GUANGDONG, family.sharer, "suspended")
    until(lambda: family.sharer.relation(family.relation_id)["state"] == "suspended", "suspended")
    asked = {
        "presence_token": token,
        "purpose": "outpatient",
        "bill": bill(1_000, purpose="outpatient"),
    }
    until(lambda: aid(hospital.post("/v1/quotes", asked)) == 0, "the wallet knows")
    refused = hospital.pay(token, 1)
    assert (refused.status, refused.code) in (
        (409, "relation-not-active"),
        (422, "quota-insufficient"),
    )
    account_is(world, family.sharer, balance_fen=500_000, frozen_fen=100_000)
    hospital.post(f"/v1/payments/{held['payment_id']}/capture", {"amount_fen": 20_000}).of(200)
    account_is(world, family.sharer, balance_fen=480_000, frozen_fen=80_000)

    tell(world, GUANGDONG, family.sharer, "active")
    until(lambda: family.sharer.relation(family.relation_id)["state"] == "active", "active again")
    until(lambda: hospital.pay(token, 1_000).status == 201, "it gives again")


def aid(quoted: Answer) -> int:
    """What a quote would let others pay; none where it is refused."""
    return int(quoted.json["mutual_aid_fen"]) if quoted.status == 200 else 0


def a_child(world: World, years: int) -> Citizen:
    born = datetime.now(UTC).date().replace(day=1)
    born = born.replace(year=born.year - years)
    return world.person(ALAR, insutype="390", born_on=born.isoformat())


@pytest.mark.rule("R13")
@pytest.mark.rule("R29")
@pytest.mark.parametrize("proposer", ["mother", "child"])
def test_a_guardian_opens_the_wallet_and_consents(
    world: World, hospital: Counter, proposer: str
) -> None:
    mother = world.citizen(SHENZHEN, balance_fen=50_000)
    child = a_child(world, 8)
    whom = child.psn_no
    opened = mother.ask("POST", "/v1/me/wallet", {"on_behalf_of": whom})
    assert opened.status in (200, 201), opened.body
    assert opened.json["open"] is True
    assert opened.json["person_id"] != mother.wallet()["person_id"]
    for_child = {"on_behalf_of": whom}
    if proposer == "mother":
        proposed = mother.propose("sharer", child, "child")
    else:
        proposed = mother.propose("beneficiary", mother, "child", **for_child)
    relation_id = proposed.of(201)["relation_id"]
    confirm = path(relation_id, "/confirm")
    if proposer == "child":
        answer = mother.ask("POST", confirm, for_child)
        answer.refused("consent-required", 403)
    mother.ask("POST", confirm, for_child if proposer == "mother" else {}).of(202)
    until(lambda: mother.relation(relation_id)["state"] == "active", "active")
    mother.raise_quota(relation_id, 10_000)
    paid = hospital.pay(hospital.token(child), 4_000).of(201)
    assert paid["allocations"][0]["kind"] == "child"
    account_is(world, mother, balance_fen=46_000, frozen_fen=6_000)


@pytest.mark.rule("R13")
def test_a_child_does_not_consent_alone(world: World) -> None:
    mother, child = world.citizen(SHENZHEN, balance_fen=50_000), a_child(world, 8)
    alone = child.ask("POST", "/v1/me/wallet", {})
    if alone.status < 400:
        answer = child.propose("beneficiary", mother, "child")
        answer.refused("consent-required", 403)
        relation_id = mother.propose("sharer", child, "child").of(201)["relation_id"]
        answer = child.ask("POST", path(relation_id, "/confirm"), {})
    else:
        answer = alone
    answer.refused("consent-required", 403)


@pytest.mark.rule("R13")
def test_nobody_is_the_guardian_of_an_adult(world: World) -> None:
    sharer, grown = world.citizen(SHENZHEN), a_child(world, 20)
    answer = sharer.ask("POST", "/v1/me/wallet", {"on_behalf_of": grown.psn_no})
    assert (answer.status, answer.code) in ((403, "consent-required"), (403, "forbidden"))
    assert grown.wallet()["open"] is False
