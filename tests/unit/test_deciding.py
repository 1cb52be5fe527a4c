"""Which rule decides: every refusal that is kept has one, and every rule that is named exists."""

from __future__ import annotations

import ast
from datetime import UTC, datetime
from uuid import uuid4

import orjson
import pytest

from contracts import deciding
from contracts.refusals import CATALOGUE, QuotaInsufficient
from kit.answers import problem
from kit.refusal import Refusal
from policy.rules import rules
from tests.tidy.source import modules

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize("refusal", [each for each in CATALOGUE if each.kept])
def test_each_refusal_that_is_kept_is_decided_by_a_rule(refusal: type[Refusal]) -> None:
    named = deciding.rules_of(refusal.code(), retryable=refusal.retryable)
    assert named
    assert set(named) <= rules().keys()


def test_each_rule_that_a_history_names_exists() -> None:
    named = {
        node.value
        for module in modules("services/", "libs/contracts/deciding")
        if module.path.endswith(("/history.py", "/deciding.py", "/explain.py"))
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value[:1] == "R"
        and node.value[1:].isdigit()
    }
    assert len(named) > 15
    assert named <= rules().keys()


def test_what_is_kept_of_a_refusal_is_told_with_its_rule() -> None:
    payment_id = uuid4()
    kept = problem(QuotaInsufficient("asked 9"), f"/v1/payments/{payment_id}/capture")
    step = deciding.step_of_request(
        "wallet", caller="c", key="k", status=kept.status, body=kept.body, at=NOW
    )
    assert (step.type, step.refusal, step.rules) == (
        *("request.refused", "quota-insufficient"),
        ("R9", "R12"),
    )
    assert (step.detail, step.seen_by, step.key) == ("asked 9", ("c",), "k")
    assert set(deciding.named_in(kept.body)) == {payment_id}


def test_a_key_that_was_withdrawn_is_told_as_such() -> None:
    step = deciding.step_of_request("wallet", caller="c", key="k", status=409, body="", at=NOW)
    assert (step.type, step.rules) == ("request.withdrawn", ("R23",))
    assert deciding.named_in("") == set()


def test_an_answer_names_what_it_made_and_nobody() -> None:
    payment_id = uuid4()
    made = {"payment_id": payment_id, "person_id": uuid4(), "amount_fen": 5, "state": "held"}
    body = orjson.dumps(made).decode()
    step = deciding.step_of_request("wallet", caller="c", key="k", status=201, body=body, at=NOW)
    assert (step.payment_id, step.state, step.amount_fen, step.person_id) == (
        *(payment_id, "held", 5, None),
    )
    assert set(deciding.named_in(body)) == {payment_id}


@pytest.mark.parametrize(
    ("name", "is_id"),
    [
        ("5b0f2f2e-0000-4000-8000-000000000000", True),
        ("5B0F2F2E-0000-4000-8000-000000000000", True),
        ("5b0f2f2e000040008000000000000000", False),
        ("{5b0f2f2e-0000-4000-8000-000000000000}", False),
        ("urn:uuid:5b0f2f2e-0000-4000-8000-000000000000", False),
        ("H65900200001202611201200000001", False),
    ],
)
def test_a_name_is_an_id_or_a_key(name: str, is_id: bool) -> None:
    assert (deciding.id_in(name) is not None) is is_id
