"""What the gateway may ask relations over HTTP, and how it is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import product
from typing import Any
from uuid import uuid4

import orjson
import pytest

from gm.identity_number import check_digit
from tests.conftest import MigratedDatabase
from tests.support.relations import (
    ALAR,
    BEIJING,
    SHENZHEN,
    TOKEN,
    Registry,
    Somebody,
    identity_number,
    proposal,
    registry_on,
    somebody,
)


@pytest.fixture
async def registry(migrated_database: MigratedDatabase) -> AsyncIterator[Registry]:
    async with registry_on(migrated_database("relations")) as one:
        yield one
        await one.audited()


async def test_a_person_is_identified_by_certificate_and_name(registry: Registry) -> None:
    person = await registry.known(somebody(ALAR, "390", name="买买提·阿不都"))
    found = await registry.identify(person)
    assert found.json() == {
        "person_id": str(person.id),
        "version": 1,
        "primary": {
            "psn_no": person.psn_no,
            "pool_admdvs": ALAR,
            "insutype": "390",
            "insured": True,
        },
        "employee": None,
        "name_masked": "买******",
        "born_on": f"{person.cert_no[6:10]}-{person.cert_no[10:12]}-{person.cert_no[12:14]}",
        "of_age": True,
    }
    for name in ("买买提•阿不都", " 买买提 · 阿不都", None):
        assert (await registry.identify(person, name=name)).status_code == 200, name
    for name in ("买买提", "阿不都", "张三"):
        assert (await registry.identify(person, name=name)).status_code == 404, name


async def test_a_check_digit_may_be_typed_small(registry: Registry) -> None:
    number = next(n for n in iter(identity_number, None) if n is not None and n.endswith("X"))
    person = await registry.known(somebody(cert_no=number))
    found = await registry.identify(person, cert_no=number.lower())
    assert found.json()["person_id"] == str(person.id)


async def test_a_person_is_found_by_number(registry: Registry) -> None:
    person = await registry.known(somebody(SHENZHEN))
    for pool in (None, SHENZHEN):
        assert (await registry.find(person.psn_no, pool)).json()["person_id"] == str(person.id)
    assert (await registry.find(person.psn_no, BEIJING)).status_code == 404
    assert (await registry.find("nobody")).json()["code"] == "not-found"


async def test_an_unknown_certificate_is_not_found(registry: Registry) -> None:
    found = await registry.identify(somebody())
    assert (found.status_code, found.json()["code"]) == (404, "not-found")
    assert found.headers["content-type"] == "application/problem+json"


def wrong_digit() -> str:
    number = identity_number()
    return number[:17] + next(c for c in "0123456789" if c != check_digit(number[:17]))


async def test_what_is_asked_badly_is_invalid(registry: Registry) -> None:
    changes: list[dict[str, Any]] = [
        {"cert_no": wrong_digit()},
        {"cert_no": "990000198013320010"},
        {"cert_no": ""},
        {"cert_no": 5},
        {"cert_no": None},
        {"psn_cert_type": "1"},
        {"psn_cert_type": None},
        {"name": ""},
        {"name": "名" * 51},
        {"name": "名\x00"},
        {"more": 1},
    ]
    for change in changes:
        person = somebody()
        found = await registry.identify(person, **change)
        assert (found.status_code, found.json()["code"]) == (422, "invalid"), change
        assert person.cert_no not in found.text
        assert "名" not in found.json()["detail"]
        assert not change.get("cert_no") or str(change["cert_no"]) not in found.text


async def test_a_relation_is_shown_to_its_two_persons_alone(registry: Registry) -> None:
    child = await registry.known(somebody(SHENZHEN, "310"))
    parent = await registry.known(somebody(ALAR, "390"))
    stranger = await registry.known(somebody(BEIJING, "310"))
    relation_id = (await registry.propose(child, parent)).json["relation_id"]

    async def read(person: Somebody) -> Any:
        path = f"/internal/relations/{relation_id}"
        return await registry.http.get(path, params={"person_id": str(person.id)})

    seen = (await read(parent)).json()
    assert seen == {
        "relation_id": relation_id,
        "role": "beneficiary",
        "kind": "parent",
        "state": "proposed",
        "sharer_id": str(child.id),
        "beneficiary_id": str(parent.id),
    }
    assert (await read(child)).json()["role"] == "sharer"
    assert (await read(stranger)).status_code == 404


async def test_relations_are_listed_newest_first(registry: Registry) -> None:
    child = await registry.known(somebody(SHENZHEN, "310"))
    others = [await registry.known(somebody(ALAR, "310")) for _ in range(2)]
    first = await registry.propose(child, others[0])
    second = await registry.propose(others[1], child, kind="sibling")
    given = await registry.http.get("/internal/relations", params={"person_id": str(child.id)})
    items = [(item["relation_id"], item["role"]) for item in given.json()["items"]]
    assert items == [
        (second.json["relation_id"], "beneficiary"),
        (first.json["relation_id"], "sharer"),
    ]
    nobody = await registry.http.get("/internal/relations", params={"person_id": str(uuid4())})
    assert nobody.json() == {"items": []}


async def test_ids_that_are_none_are_invalid(registry: Registry) -> None:
    for path in (
        "/internal/relations/7?person_id=7",
        "/internal/relations?person_id=%00",
        "/internal/relations",
    ):
        given = await registry.http.get(path)
        assert (given.status_code, given.json()["code"]) == (422, "invalid"), path


async def test_only_services_may_ask(registry: Registry) -> None:
    tokens = ("", "Bearer", "Bearer wrong", TOKEN, f"Basic {TOKEN}")
    asked = (
        ("POST", "/internal/commands"),
        ("POST", "/internal/persons/identify"),
        ("POST", "/internal/persons/find"),
        ("GET", f"/internal/relations/{uuid4()}"),
        ("GET", "/internal/relations"),
    )
    for token, (method, path) in product(tokens, asked):
        given = await registry.http.request(
            method, path, content=b"{", headers={"authorization": token}
        )
        assert (given.status_code, given.json()["code"]) == (403, "forbidden"), (token, path)


async def test_malformed_commands_change_nothing(registry: Registry) -> None:
    child = await registry.known(somebody(SHENZHEN, "310"))
    parent = await registry.known(somebody(ALAR, "390"))
    good = proposal(child, parent)
    before = await registry.everything()
    bad: list[Any] = [
        b"{",
        b"\xff",
        {"calls": []},
        {"calls": [good | {"more": 1}]},
        {"calls": [good | {"key": ""}]},
        {"calls": [good | {"key": "k" * 256}]},
        {"calls": [good | {"fingerprint": "0"}]},
        {"calls": [proposal(child, parent, role="uncle")]},
        {"calls": [proposal(child, parent, kind="")]},
        {"calls": [proposal(child, parent, kind="a\x00b")]},
        {"calls": [proposal(child, parent, proposer_wallet_open=1)]},
        {"calls": [proposal(child, parent, counterpart_id="me")]},
        {"calls": [proposal(child, parent, type="end_relation")]},
    ]
    for body in bad:
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        given = await registry.http.post("/internal/commands", content=content)
        assert (given.status_code, given.json()["code"]) == (422, "invalid"), body
    assert await registry.everything() == before


async def test_without_a_connection_everybody_is_told_to_come_again(
    migrated_database: MigratedDatabase,
) -> None:
    async with registry_on(migrated_database("relations"), size=1) as registry:
        child = await registry.known(somebody(SHENZHEN, "310"))
        parent = await registry.known(somebody(ALAR, "390"))
        async with registry.pool.acquire():
            found = await registry.identify(child)
            assert (found.status_code, found.headers["retry-after"]) == (503, "1")
            given = await registry.propose(child, parent, "k1")
            assert (given.code, given.retry_after) == ("unavailable", 1)
        assert (await registry.propose(child, parent, "k1")).code == "201"
        await registry.audited()
