"""Bodies are read strictly, tokens are nobody else's, and equal bodies have equal fingerprints."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from contracts.public import Bill, NewPayment
from contracts.refusals import PresenceExpired
from gateway.domain.presence import PresenceSeal, ProvedPresence
from gateway.edge.strict import canonical, read_body
from kit.refusal import Invalid
from tests.support.gateway import payment

NOW = datetime(2026, 11, 21, 8, 0, 0, 123456, tzinfo=UTC)

TEXT = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x9FFF, blacklist_characters="\x7f"),
    min_size=1,
    max_size=40,
)


@given(TEXT, TEXT, st.booleans())
def test_any_text_may_stand_in_a_field_and_is_no_doubled_field(
    admission: str, prescription: str, ascii_only: bool
) -> None:
    told = payment("t", admission_id=admission)
    told["bill"]["rx_no"] = prescription
    for indent in (None, 2):
        body = json.dumps(told, ensure_ascii=ascii_only, indent=indent).encode()
        read = read_body(NewPayment, body)
        assert (read.admission_id, read.bill.rx_no) == (admission, prescription)


@given(st.data())
def test_any_field_given_twice_is_invalid(data: st.DataObject) -> None:
    told = payment("t")
    place = data.draw(st.sampled_from([(), ("bill",), ("bill", "items", 0)]))
    inner: Any = told
    for step in place:
        inner = inner[step]
    name = data.draw(st.sampled_from(sorted(inner)))
    colon = data.draw(st.sampled_from([":", " :", "\n\t: "]))
    text = json.dumps(told)
    object_text = json.dumps(inner)
    doubled = f"{{{json.dumps(name)}{colon}{json.dumps(inner[name])}, {object_text[1:]}"
    body = text.replace(object_text, doubled, 1).encode()
    with pytest.raises(Invalid, match="given twice"):
        read_body(NewPayment, body)


def test_bodies_that_say_the_same_are_the_same() -> None:
    told = payment("t")
    read = read_body(NewPayment, json.dumps(told).encode())
    same = [
        json.dumps(told, indent=4),
        json.dumps(dict(reversed(told.items()))),
        json.dumps({**told, "capture": True, "partial": "refuse", "hold_seconds": None}),
    ]
    for text in same:
        assert canonical(read_body(NewPayment, text.encode())) == canonical(read)
    for change in ({"amount_fen": 1}, {"partial": "allow"}, {"presence_token": "u"}):
        other = read_body(NewPayment, json.dumps({**told, **change}).encode())
        assert canonical(other) != canonical(read)


def test_a_refusal_names_the_field_and_repeats_no_value() -> None:
    told = payment("t")
    told["bill"]["psn_part_fen"] = "990000198001010012"
    with pytest.raises(Invalid) as refused:
        read_body(NewPayment, json.dumps(told).encode())
    assert refused.value.detail == "bill.psn_part_fen: Input should be a valid integer"
    with pytest.raises(Invalid) as refused:
        read_body(Bill, b'{"990000198001010012": 1}')
    assert "990000198001010012" not in refused.value.detail
    with pytest.raises(Invalid) as refused:
        read_body(NewPayment, json.dumps(payment("t", quote_id="990000198001010012")).encode())
    assert "`" not in refused.value.detail


def proved(**change: Any) -> ProvedPresence:
    told: dict[str, Any] = {
        "person_id": uuid4(),
        "institution": "H65900200001",
        "psn_no": "6590",
        "pool_admdvs": "659002",
        "insutype": "390",
        "expires_at": NOW + timedelta(minutes=30),
    }
    return ProvedPresence(**{**told, **change})


@pytest.mark.rule("R30")
def test_a_token_opens_for_its_own_institution_only() -> None:
    seal = PresenceSeal([Fernet.generate_key().decode()])
    presence = proved()
    token = seal.seal(presence, NOW)
    assert seal.open(token, presence.institution) == presence
    with pytest.raises(PresenceExpired, match="another institution"):
        seal.open(token, "P65900200001")


@given(st.integers(min_value=0), st.characters())
def test_a_token_changed_anywhere_does_not_open(place: int, character: str) -> None:
    key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
    seal = PresenceSeal([key])
    token = seal.seal(proved(), NOW)
    place %= len(token)
    changed = token[:place] + character + token[place + 1 :]
    if changed != token:
        with pytest.raises(PresenceExpired):
            seal.open(changed, "H65900200001")


def test_tokens_of_an_older_key_still_open() -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    token = PresenceSeal([old]).seal(proved(), NOW)
    assert PresenceSeal([new, old]).open(token, "H65900200001").psn_no == "6590"
    with pytest.raises(PresenceExpired):
        PresenceSeal([new]).open(token, "H65900200001")
