"""What is well-formed and may not be: refused by its name, and no table has another row for it."""

from __future__ import annotations

import json
from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from cryptography.fernet import Fernet

from gateway.domain.presence import PresenceSeal, ProvedPresence
from kit.ids import new_id
from tests.support.town import Site, Town
from tests.support.town_bus import Bus
from tests.support.town_clerks import clerk_of
from tests.support.town_families import ALAR, SHENZHEN
from tests.support.town_internal import ask_internally, pay_command
from tests.support.town_people import Counter, Said, new_key
from tests.support.town_refusals import Place, calls_of
from tests.support.town_rows import at_rest, changed, rows_of

NOVEMBER = "/v1/periods/2026-11"

OF_A_HOLD: dict[str, dict[str, Any]] = {
    "capture": {"amount_fen": 1},
    "extend": {"hold_seconds": 9},
    "release": {},
}
OF_A_PAYMENT = {**OF_A_HOLD, "refunds": {"amount_fen": 1, "reason": "too much"}}


def holds_of_others(place: Place) -> list[tuple[str, Awaitable[Said]]]:
    """What nobody may do to a payment that is another's, or nobody's."""
    pharmacy, hospital = place.town.counter(), place.town.counter("hospital")
    payment_id, nobodys = place.payment["payment_id"], str(new_id())
    return [
        (
            "a hold too long → invalid",
            pharmacy.pay(place.family.token, 1, capture=False, hold_seconds=86_401),
        ),
        *(
            (f"{verb} another's → not-found", hospital.about(payment_id, verb, told))
            for verb, told in OF_A_PAYMENT.items()
        ),
        *(
            (f"{verb} nobody's → not-found", pharmacy.about(nobodys, verb, told))
            for verb, told in OF_A_PAYMENT.items()
        ),
    ]


async def test_what_is_for_clerks_alone_is_refused_to_others(
    place: Place, site: Site, bus: Bus
) -> None:
    """Whoever is not let in moves no month: citizens, clerks of another role, institutions."""
    auditor = await clerk_of(place.town.world, "audit")
    citizen, hospital = place.family.sharer, place.town.counter("hospital")
    own = f"{NOVEMBER}/statements?tier=institution"
    another = f"{own}&institution={place.town.counter().code}"
    await at_rest(site, bus)
    before = await rows_of(site)
    await place.refuses(
        [
            *(
                (f"{who} {method} {path} → forbidden", ask(method, path, told))
                for who, ask in (("an auditor", auditor.ask), ("a citizen", citizen.ask))
                for method, path, told in of_clerks()
            ),
            ("another tier → forbidden", hospital.send("GET", f"{NOVEMBER}/statements?tier=city")),
            ("another's statement → not-found", hospital.send("GET", another)),
            *(
                (f"{method} {path} → not-found", place.clerk.ask(method, path, told))
                for month in ("2026-13", "x")
                for method, path, told in of_clerks(f"/v1/periods/{month}")
                if month in path
            ),
        ]
    )
    await at_rest(site, bus)
    assert changed(before, await rows_of(site)) == []


def of_clerks(period: str = NOVEMBER) -> list[tuple[str, str, dict[str, Any] | None]]:
    """What clerks for clearing ask."""
    return [
        ("GET", period, None),
        ("GET", f"{period}/statements?tier=national", None),
        ("GET", "/v1/prefunds", None),
        *(("POST", f"{period}/{step}", {}) for step in ("cut", "issue", "close")),
    ]


def after_the_capture(place: Place) -> list[tuple[str, Awaitable[Said]]]:
    """What a captured payment is not: a hold, or more than it is."""
    pharmacy, payment_id = place.town.counter(), place.payment["payment_id"]
    more = {"amount_fen": place.payment["amount_fen"] + 1, "reason": "too much"}
    return [
        *(
            (f"{verb} → payment-not-held", pharmacy.about(payment_id, verb, told))
            for verb, told in OF_A_HOLD.items()
        ),
        ("too much → refund-exceeds-capture", pharmacy.about(payment_id, "refunds", more)),
    ]


async def test_what_is_not_ones_own_or_nobodys_is_refused_by_name(
    place: Place, site: Site, bus: Bus
) -> None:
    town, family = place.town, place.family
    pharmacy, hospital = town.counter(), town.counter("hospital")
    stranger = await town.world.citizen(SHENZHEN, employee=True)
    nobody = replace(stranger, token=(await token_of_nobody(town)))
    relation = f"/v1/me/relations/{family.relation_id}"
    payment = f"/v1/payments/{place.payment['payment_id']}"
    key = new_key()
    await at_rest(site, bus)
    before = await rows_of(site)
    await place.refuses(
        [
            ("another's payment → not-found", hospital.send("GET", payment)),
            ("no payment → not-found", pharmacy.send("GET", f"/v1/payments/{uuid4()}")),
            ("no id → not-found", pharmacy.send("GET", "/v1/payments/x")),
            ("another's relation → not-found", stranger.ask("GET", relation)),
            (
                "another's quota → not-found",
                stranger.ask("PUT", f"{relation}/quota", {"available_fen": 1}),
            ),
            (
                "a gift to oneself → forbidden",
                family.beneficiary.ask("PUT", f"{relation}/quota", {"available_fen": 1}),
            ),
            ("nobody's wallet → not-found", nobody.ask("GET", "/v1/me/wallet")),
            ("nobody opens one → not-found", nobody.ask("POST", "/v1/me/wallet", {})),
            (
                "a guardian not known → consent-required",
                stranger.ask("POST", "/v1/me/wallet", {"on_behalf_of": family.beneficiary.psn_no}),
            ),
            ("an unknown code → not-found", presence(pharmacy, "e_certificate", "0" * 28)),
            ("no checksum → invalid", presence(pharmacy, "id_card", "110101199003070000")),
            ("no key → key-required", pharmacy.send("POST", "/v1/payments", b"{}")),
            (
                "a key too long → invalid",
                pharmacy.send("POST", "/v1/payments", b"{}", "k" * 256),
            ),
            *holds_of_others(place),
            ("no quote → not-found", pharmacy.pay(family.token, 1, quote_id=str(uuid4()))),
            *(
                (f"{name} → presence-expired", pharmacy.pay(token, 1, key=key))
                for name, token in wrong_presences(place).items()
            ),
        ]
    )
    await at_rest(site, bus)
    assert changed(before, await rows_of(site)) == []


async def test_a_quote_is_refused_as_the_payment_would_be_and_leaves_no_row(
    place: Place, site: Site, bus: Bus
) -> None:
    pharmacy, token = place.town.counter(), place.family.token
    good = pharmacy.question(token, 100)
    asked = {
        "too much → quota-insufficient": pharmacy.question(token, 10_001),
        "beyond the burden → exceeds-personal-burden": good | {"amount_fen": 101},
        "a lie → bill-does-not-add-up": good | {"bill": good["bill"] | {"medfee_sumamt_fen": 9}},
        "no drugs → invalid": good | {"bill": good["bill"] | {"items": None}},
        "a stay at a pharmacy → purpose-not-allowed": good | {"purpose": "inpatient"},
        **{
            f"{name} → presence-expired": good | {"presence_token": wrong}
            for name, wrong in wrong_presences(place).items()
        },
    }
    no_quote = pharmacy.pay(token, 1, quote_id=str(uuid4()))
    await at_rest(site, bus)
    before = await rows_of(site)
    await place.refuses(
        [
            ("no such quote → not-found", no_quote),
            *(
                (what, pharmacy.send("POST", "/v1/quotes", json.dumps(told).encode(), key))
                for what, told in asked.items()
                for key in (None, new_key())
            ),
        ]
    )
    await at_rest(site, bus)
    assert changed(before, await rows_of(site)) == []


async def test_what_no_service_has_is_refused_inside_too(
    place: Place, site: Site, bus: Bus
) -> None:
    relation = f"relations GET /internal/relations/{place.family.relation_id}"
    asked = {
        f"wallet GET /internal/payments/{uuid4()}": "not-found",
        "wallet GET /internal/payments/x": "invalid",
        "wallet GET /internal/quotas": "invalid",
        "wallet GET /internal/wallets/x": "invalid",
        relation: "invalid",
        f"{relation}?person_id={uuid4()}": "not-found",
    }
    await at_rest(site, bus)
    before = await rows_of(site)
    await place.refuses(
        [(f"{what} → {code}", ask_internally(place.town, what)) for what, code in asked.items()]
    )
    await at_rest(site, bus)
    assert changed(before, await rows_of(site)) == []


def presence(counter: Counter, kind: str, value: str) -> Awaitable[Said]:
    told = {"credential": {"type": kind, "value": value}}
    return counter.send("POST", "/v1/presences", json.dumps(told).encode(), new_key())


async def token_of_nobody(town: Town) -> str:
    told = {"psn_no": "99999999999999999999", "pool_admdvs": SHENZHEN}
    return str((await town.world.ask("POST", "/tokens", told))["token"])


def wrong_presences(place: Place) -> dict[str, str]:
    """Tokens that prove nothing at this pharmacy, now."""
    ours = PresenceSeal(place.town.site.programs["gateway"].env["PRESENCE_KEY"].split(","))
    theirs = PresenceSeal([Fernet.generate_key().decode()])
    now = datetime.now(UTC)
    proved = ProvedPresence(
        person_id=UUID(place.payment["person_id"]),
        institution=place.town.counter().code,
        psn_no=place.family.beneficiary.psn_no,
        pool_admdvs=ALAR,
        insutype="390",
        expires_at=now + timedelta(minutes=10),
    )
    expired = replace(proved, expires_at=now - timedelta(seconds=1))
    token = place.family.token
    return {
        "an expired presence": ours.seal(expired, now - timedelta(minutes=30)),
        "a forged presence": theirs.seal(proved, now),
        "a presence elsewhere": ours.seal(replace(proved, institution="H65900200001"), now),
        "half a token": token[: len(token) // 2],
        "another letter": token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1],
        "no token": "x",
    }


async def test_what_the_ledger_refuses_only_its_receipts_remember(
    place: Place, site: Site, bus: Bus
) -> None:
    """Refused after validation and for good: the answer is kept, money and facts are not."""
    town, family = place.town, place.family
    hospital, pharmacy = town.counter("hospital"), town.counter()
    at_hospital = await hospital.token(family.beneficiary)
    stranger = await town.world.person(SHENZHEN, employee=True)
    cousin = await town.world.citizen(ALAR, employee=False)
    unknown = str(uuid4())
    await at_rest(site, bus)
    before = await rows_of(site)
    await place.refuses(
        [
            ("more than there is → quota-insufficient", pharmacy.pay(family.token, 10_001)),
            (
                "more than the burden → exceeds-personal-burden",
                pharmacy.pay(family.token, 101, bill=pharmacy.payment("x", 100)["bill"]),
            ),
            (
                "a bill that lies → bill-does-not-add-up",
                pharmacy.pay(
                    family.token,
                    1,
                    bill=pharmacy.payment("x", 100)["bill"] | {"medfee_sumamt_fen": 101},
                ),
            ),
            (
                "drugs at a hospital → purpose-not-allowed",
                hospital.send(
                    "POST",
                    "/v1/payments",
                    json.dumps(pharmacy.payment(at_hospital, 1)).encode(),
                    new_key(),
                ),
            ),
            *after_the_capture(place),
            ("no wallet → wallet-not-open", stranger.propose("sharer", family.beneficiary)),
            ("twice → relation-exists", family.sharer.propose("sharer", family.beneficiary)),
            (
                "no such kind → kind-not-eligible",
                family.sharer.propose("sharer", cousin, "cousin"),
            ),
            ("confirmed before → wrong-state", family.beneficiary.confirm(family.relation_id)),
            ("another's → not-found", stranger.confirm(family.relation_id)),
        ]
    )
    body = json.dumps(calls_of(pay_command(unknown), unknown)).encode()
    said = await ask_internally(town, "wallet POST /internal/commands", body)
    [given] = said.of(200)["answers"]
    assert json.loads(given["body"])["code"] == "wallet-not-open"
    await at_rest(site, bus)
    assert set(changed(before, await rows_of(site))) <= {
        "wallet.receipt",
        "wallet.anchor",
        "relations.receipt",
    }
