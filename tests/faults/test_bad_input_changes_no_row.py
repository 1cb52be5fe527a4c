"""Bad input, on every route: the refusal has its name, and no table has another row for it.

What comes over Kafka is `test_f13_poison.py`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from gm.message_signatures import sign_request
from gm.signing import generate_key_pair, signing_key
from tests.support.town import Site, Town
from tests.support.town_bus import Bus
from tests.support.town_internal import ask_internally, pay_command
from tests.support.town_people import JSON, Counter, Letter, Said, new_key
from tests.support.town_refusals import Place, calls_of
from tests.support.town_route import Route
from tests.support.town_rows import at_rest, changed, rows_of
from tests.support.town_spoiled import spoiled

GROUPS = ("signed", "with_a_token", "internal", "sandbox")


async def test_every_route_is_in_the_table(town: Town, place: Place) -> None:
    served = set()
    for service in ("gateway", "relations", "wallet", "settlement", "sandbox"):
        told = await town.messenger.http.get(f"{town.site.stack[service]}/openapi.json")
        served |= {
            f"{service} {method.upper()} {path}"
            for path, methods in told.json()["paths"].items()
            for method in methods
        }
    assert {route.name for route in place.routes.all()} == served


@pytest.mark.parametrize("group", GROUPS)
async def test_a_malformed_body_is_invalid_and_changes_no_row(
    place: Place, site: Site, bus: Bus, group: str
) -> None:
    await at_rest(site, bus)
    before = await rows_of(site)
    routes: list[Route] = getattr(place.routes, group)()
    asked = [
        (f"{route.name}, {what}", route.send(body))
        for route in routes
        if route.good is not None
        for what, body in spoiled(route.good)
    ]
    assert len(asked) > 50
    await place.refuses(asked, "invalid")
    await at_rest(site, bus)
    assert changed(before, await rows_of(site)) == []


async def test_a_body_beyond_the_limit_is_too_large_everywhere(
    place: Place, site: Site, bus: Bus
) -> None:
    await at_rest(site, bus)
    before = await rows_of(site)
    body = json.dumps({"x": "x" * (2 << 20)}).encode()
    asked = [
        (route.name, route.send(body))
        for route in place.routes.all()
        # The wallet's commands come in batches, which may be larger.
        if route.good is not None and not route.name.startswith("wallet POST /internal/")
    ]
    await place.refuses(asked, "too-large")
    assert changed(before, await rows_of(site)) == []


async def test_a_wrong_signature_gets_nowhere(place: Place, site: Site, bus: Bus) -> None:
    counter, messenger = place.town.counter(), place.town.messenger
    payment = counter.payment(place.family.token, 100)
    routes: Sequence[tuple[str, str, bytes]] = (
        ("POST", "/v1/payments", json.dumps(payment).encode()),
        ("POST", "/v1/presences", b'{"credential": {"type": "e_certificate", "value": "x"}}'),
        ("POST", "/v1/sessions", b"{}"),
        ("GET", f"/v1/payments/{place.payment['payment_id']}", b""),
    )
    await at_rest(site, bus)
    before = await rows_of(site)
    asked = []
    for method, path, body in routes:
        key = new_key() if method == "POST" else None
        for name, letter in wrong_letters(counter, method, path, body, key).items():
            asked.append((f"{method} {path} {name}", _asking(messenger.ask, letter)))
    assert len(asked) >= 20
    await place.refuses(asked, "signature-invalid")

    # A nonce is used up by whatever was asked with it.
    replayed = [counter.letter("POST", path, b"{}", new_key()) for _, path, _ in routes[:2]]
    for code in ("invalid", "signature-replayed"):
        await place.refuses(
            [(letter.url, _asking(messenger.ask, letter)) for letter in replayed], code
        )
    await at_rest(site, bus)
    assert changed(before, await rows_of(site)) == []


def _asking(
    ask: Callable[[Callable[[], Letter]], Awaitable[Said]], letter: Letter
) -> Awaitable[Said]:
    return ask(lambda: letter)


def wrong_letters(
    counter: Counter, method: str, path: str, body: bytes, key: str | None
) -> dict[str, Letter]:
    """A request of which one thing about its signature is wrong."""
    good = counter.letter(method, path, body, key)
    other = generate_key_pair("ed25519")
    stranger = replace(counter, key=signing_key(counter.key.keyid, "ed25519", other.private))
    nobody = replace(counter, key=signing_key("P00000000000-1", "ed25519", other.private))
    wrong = {
        "unsigned": replace(
            good, headers={n: v for n, v in good.headers.items() if "signature" not in n}
        ),
        "by a stranger's key": stranger.letter(method, path, body, key),
        "by an unknown key": nobody.letter(method, path, body, key),
        "stale": signed_at(counter, good, datetime.now(UTC) - timedelta(seconds=310)),
        "from the future": signed_at(counter, good, datetime.now(UTC) + timedelta(seconds=310)),
        "for another path": replace(
            counter.letter(method, "/v1/elsewhere", body, key), url=good.url
        ),
        "garbage": replace(good, headers={**good.headers, "signature": "sig1=:AAAA:"}),
        "no field at all": replace(good, headers={**good.headers, "signature-input": "x"}),
    }
    if body:
        wrong["another body"] = replace(good, body=body + b" ")
        wrong["another key"] = replace(good, headers={**good.headers, "idempotency-key": new_key()})
    return wrong


def signed_at(counter: Counter, letter: Letter, at: datetime) -> Letter:
    plain = {
        name: value
        for name, value in letter.headers.items()
        if name in ("content-type", "idempotency-key")
    }
    added = sign_request(
        counter.key,
        method=letter.method,
        target_uri=letter.url,
        headers=list(plain.items()),
        body=letter.body,
        now=at,
        nonce=uuid4().hex,
    )
    return replace(letter, headers={**plain, **added})


async def test_a_wrong_bearer_gets_nowhere(place: Place, site: Site, bus: Bus) -> None:
    await at_rest(site, bus)
    before = await rows_of(site)
    head, claims, _ = place.family.sharer.token.split(".")
    wrong = {
        "none": "",
        "no token": "Bearer",
        "another scheme": f"Basic {place.family.sharer.token}",
        "garbage": "Bearer garbage",
        "unsigned": f"Bearer {head}.{claims}.",
        "another's signature": f"Bearer {head}.{claims}.{'A' * 86}",
    }
    asked = []
    for method, path, body in (
        ("POST", "/v1/me/wallet", b"{}"),
        ("GET", "/v1/me/wallet", b""),
        ("GET", "/v1/me/quotas", b""),
        ("POST", "/v1/me/relations", b"{}"),
        ("POST", f"/v1/me/relations/{place.family.relation_id}/confirm", b"{}"),
        ("GET", f"/v1/me/relations/{place.family.relation_id}", b""),
        ("PUT", f"/v1/me/relations/{place.family.relation_id}/quota", b'{"available_fen": 1}'),
        ("GET", "/v1/periods/2026-11", b""),
        ("POST", "/v1/periods/2026-11/cut", b"{}"),
        ("GET", "/v1/periods/2026-11/statements?tier=national", b""),
        ("GET", "/v1/prefunds", b""),
    ):
        for name, bearer in wrong.items():
            headers = {"idempotency-key": new_key(), "content-type": JSON}
            if bearer:
                headers["authorization"] = bearer
            letter = Letter(
                method=method, url=place.town.world.gateway + path, headers=headers, body=body
            )
            asked.append((f"{method} {path} {name}", _asking(place.town.messenger.ask, letter)))
    await place.refuses(asked, "token-invalid")
    assert changed(before, await rows_of(site)) == []


async def test_a_wrong_service_token_gets_nowhere(place: Place, site: Site, bus: Bus) -> None:
    await at_rest(site, bus)
    before = await rows_of(site)
    person_id = place.payment["person_id"]
    pay = json.dumps(calls_of(pay_command(person_id), person_id)).encode()
    asked = [
        (what, ask_internally(place.town, what, pay if " POST " in what else b"", token=token))
        for what in (
            "wallet POST /internal/commands",
            "wallet POST /internal/periods/cut",
            "wallet POST /internal/periods/find",
            f"wallet GET /internal/wallets/{person_id}",
            f"wallet GET /internal/quotas?person_id={person_id}",
            f"wallet GET /internal/payments/{place.payment['payment_id']}",
            "relations POST /internal/commands",
            "relations POST /internal/persons/identify",
            "relations POST /internal/persons/find",
            f"relations GET /internal/relations?person_id={person_id}",
            f"relations GET /internal/relations/{place.family.relation_id}?person_id={person_id}",
        )
        for token in ("x", site.service_token[:-1], f"{site.service_token}x")
    ]
    await place.refuses(asked, "forbidden")
    assert changed(before, await rows_of(site)) == []
