"""I12 finds a planted number or name in every form, and nothing in clean bytes."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proof.privacy import Secrets, disclosed
from proof.rows import Passage

NUMBER, NAME = "99000019700101001X", "示例·甲子乙丑"
SECRETS = Secrets([NUMBER, NAME, "990000198512120026"])


def test_clean_bytes_pass() -> None:
    clean = '{"psn_no": "44030000000001", "name_masked": "示*", "at": "990000"}'.encode()
    assert disclosed(SECRETS, [Passage(where="log", content=clean * 100)]) == []
    assert Secrets([]).found_in(clean) == 0


@pytest.mark.parametrize(
    "planted",
    [
        NUMBER.encode(),
        NAME.encode(),
        f'{{"cert_no":"{NUMBER}"}}'.encode(),
        json.dumps({"name": NAME}).encode(),
        json.dumps({"name": NAME}).upper().replace("\\U", "\\u").encode(),
        f"GET /people?name={quote(NAME)}".encode(),
        b"990000" + NUMBER.encode(),
        NUMBER.encode() * 2,
    ],
)
def test_a_planted_secret_is_found(planted: bytes) -> None:
    passages = [
        Passage(where="log wallet.log", content=b"x" * 1000 + planted + b"y" * 1000),
        Passage(where="log clean.log", content=b"x"),
    ]
    [violation] = disclosed(SECRETS, passages)
    assert "log wallet.log" in violation
    assert NUMBER not in violation
    assert NAME not in violation


@given(before=st.binary(max_size=40), after=st.binary(max_size=40))
def test_a_secret_is_found_between_any_bytes(before: bytes, after: bytes) -> None:
    assert SECRETS.found_in(before + NAME.encode() + after) >= 1


@given(content=st.binary(max_size=200))
def test_what_is_found_is_there(content: bytes) -> None:
    there = any(secret in content for secret in (NUMBER.encode(), NAME.encode()))
    assert bool(SECRETS.found_in(content)) is there
