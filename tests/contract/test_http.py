"""HTTP as it is served: the committed description, and nothing that it does not describe.

Schemathesis asks every public route for good and for malformed things; nothing may fail on our
side, and each answer has to be one that the description promises.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from requests.auth import AuthBase
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from contracts.generate import SCHEMAS
from tests.blackbox.messages import Signing, sign
from tests.blackbox.world import Counter, Family, World
from tests.contract.openapi import SERVICES

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
FEW = settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


MONTH = re.compile("20[0-9]{2}-(0[1-9]|1[0-2])")
FAR_AWAY = "2099-12"


def committed(service: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((SCHEMAS / "openapi" / f"{service}.json").read_text())
    return document


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_served_is_what_is_committed(world: World, service: str) -> None:
    served = world.send("GET", f"{world.stack.url(service)}/openapi.json").of(200)
    assert served == committed(service)


class Signed(AuthBase):
    """Signs a request as an institution, whatever is in it."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        key = self._counter.key
        body = request.body or b""
        kept = ("content-type", "idempotency-key")
        assert request.method is not None
        assert request.url is not None
        headers = {
            name: text(value) for name, value in request.headers.items() if name.lower() in kept
        }
        request.headers.update(
            sign(
                Signing(key_id=key.key_id, private_key=key.private_key),
                method=request.method,
                uri=request.url,
                headers=headers,
                body=body if isinstance(body, bytes) else body.encode(),
            )
        )
        return request


class Bearer(AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


@pytest.fixture(scope="module")
def family(world: World) -> Family:
    return world.family(available_fen=1_000_000, balance_fen=2_000_000)


@pytest.fixture(scope="module")
def presence_token(world: World, family: Family) -> str:
    return world.counter("hospital").token(family.beneficiary)


GATEWAY = schemathesis.openapi.from_dict(committed("gateway"))
# Who changes how a province behaves would change it for the other stories, too.
SANDBOX = schemathesis.openapi.from_dict(committed("sandbox")).exclude(path_regex="behaviour$")


@GATEWAY.parametrize()
@FEW
def test_the_gateway_answers_as_described(
    case: schemathesis.Case[Any], world: World, family: Family, presence_token: str
) -> None:
    with_known_names(case, family, presence_token)
    for auth in auths(case.operation.definition.raw["security"], world, family):
        ask(case, world.stack.url("gateway"), auth)


def auths(
    security: Sequence[Mapping[str, Sequence[str]]], world: World, family: Family
) -> Iterator[AuthBase]:
    """Everybody who may ask, by each of the ways that an operation names."""
    for way in security:
        [(scheme, roles)] = way.items()
        if scheme.startswith("signature"):
            yield Signed(world.counter("hospital"))
        elif roles:
            told = {"clerk": "林清算", "roles": roles}
            yield Bearer(world.sandbox("POST", "/tokens", told)["token"])
        else:
            yield Bearer(family.sharer.token)


@SANDBOX.parametrize()
@FEW
def test_the_sandbox_answers_as_described(
    case: schemathesis.Case[Any], world: World, family: Family
) -> None:
    if "psn_no" in case.path_parameters:
        case.path_parameters["psn_no"] = family.sharer.psn_no
    ask(case, world.stack.url("sandbox"), None)


def ask(case: schemathesis.Case[Any], url: str, auth: AuthBase | None) -> None:
    with requests.Session() as session:
        session.trust_env = False
        response = case.call(base_url=url, session=session, auth=auth, timeout=30)
    case.validate_response(response, checks=CHECKS)


def with_known_names(case: schemathesis.Case[Any], family: Family, presence_token: str) -> None:
    """Put names of things that exist where well-formed ones stand, to get past the first check."""
    if is_uuid(case.path_parameters.get("relation_id")):
        case.path_parameters["relation_id"] = family.relation_id
    if case.method == "POST" and MONTH.fullmatch(str(case.path_parameters.get("month"))):
        # A month that could be cut would be cut, for all the other stories.
        case.path_parameters["month"] = FAR_AWAY
    body = case.body
    if isinstance(body, dict) and isinstance(body.get("presence_token"), str):
        body["presence_token"] = presence_token


def is_uuid(value: object) -> bool:
    try:
        UUID(str(value))
    except ValueError:
        return False
    return True
