"""Reading records: a CloudEvent in binary mode, or poison by name."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.parking import Note, _packed, _unpacked
from kit.records import Poison, Raw, cloud_event_headers, read
from kit.work import Position

AT = datetime(2026, 11, 22, 1, 2, 3, 456000, tzinfo=UTC)


def raw(headers: list[tuple[str, bytes]], key: bytes | None = b"k", value: bytes = b"{}") -> Raw:
    return Raw(topic="t", partition=3, offset=9, key_bytes=key, headers=tuple(headers), value=value)


def headers(**changed: Any) -> list[tuple[str, bytes]]:
    said: dict[str, Any] = {
        "id": "e1",
        "type": "tally.added.v1",
        "source": "/teller",
        "subject": "s",
        "time": AT,
        "sequence": 7,
        "traceparent": "00-x",
    }
    return cloud_event_headers(**(said | changed))


def without(name: str) -> list[tuple[str, bytes]]:
    return [each for each in headers() if each[0] != name]


def test_what_is_written_is_what_is_read() -> None:
    record = read(raw(headers()))
    assert (record.id, record.type, record.source) == ("e1", "tally.added.v1", "/teller")
    assert (record.subject, record.sequence, record.time) == ("s", 7, AT)
    assert record.traceparent == "00-x"
    assert record.position == Position(source="/teller", topic="t", key="k", sequence=7)
    assert read(raw(headers(sequence=None))).position is None
    assert read(raw(without("ce_subject"))).subject is None


def test_an_event_is_the_same_command_wherever_it_is_delivered() -> None:
    first = read(raw(headers()))
    again = read(replace(raw(headers()), topic="u", partition=0, offset=1))
    assert first.command_id == again.command_id
    assert first.command_id != read(raw(headers(id="e2"))).command_id
    assert first.command_id != read(raw(headers(source="/other"))).command_id


@pytest.mark.parametrize(
    ("given_headers", "key", "reason"),
    [
        (headers(), None, "no-key"),
        ([], b"k", "not-a-cloud-event"),
        (without("ce_id"), b"k", "not-a-cloud-event"),
        (without("ce_type"), b"k", "not-a-cloud-event"),
        (without("ce_source"), b"k", "not-a-cloud-event"),
        (without("ce_time"), b"k", "not-a-cloud-event"),
        (without("ce_specversion"), b"k", "not-a-cloud-event"),
        (headers(id=""), b"k", "not-a-cloud-event"),
        (headers(id="x" * 513), b"k", "not-a-cloud-event"),
        (headers(id="a\0b"), b"k", "not-a-cloud-event"),
        ([*headers(), ("ce_id", b"e2")], b"k", "not-a-cloud-event"),
        ([*without("ce_sequence"), ("ce_sequence", b"0")], b"k", "not-a-cloud-event"),
        ([*without("ce_sequence"), ("ce_sequence", b"1.5")], b"k", "not-a-cloud-event"),
        ([*without("ce_sequence"), ("ce_sequence", b"9" * 19)], b"k", "not-a-cloud-event"),
        ([*without("ce_sequence"), ("ce_sequence", "１".encode())], b"k", "not-a-cloud-event"),
        ([*without("ce_time"), ("ce_time", b"yesterday")], b"k", "not-a-cloud-event"),
        ([*without("ce_time"), ("ce_time", b"2026-11-22T01:02:03")], b"k", "not-a-cloud-event"),
        ([*without("ce_specversion"), ("ce_specversion", b"2.0")], b"k", "not-a-cloud-event"),
        ([*headers(), ("ce_odd", b"\xff")], b"k", "not-a-cloud-event"),
    ],
)
def test_what_is_no_cloud_event_is_poison(
    given_headers: list[tuple[str, bytes]], key: bytes | None, reason: str
) -> None:
    with pytest.raises(Poison) as poison:
        read(raw(given_headers, key))
    assert poison.value.reason == reason


def test_other_headers_are_nobodys_business() -> None:
    assert read(raw([*headers(), ("signature", b"\xff"), ("signature", b"\xfe")])).id == "e1"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'"\xed\xa0\x80"', b"NaN", b"{} {}"])
def test_a_body_that_is_not_json_is_poison(body: bytes) -> None:
    with pytest.raises(Poison, match="bad-json"):
        read(raw(headers(), value=body)).json()


@given(
    st.one_of(st.none(), st.binary(max_size=20)),
    st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.binary())),
    st.one_of(st.none(), st.integers(1, 10**17)),
)
def test_what_is_parked_comes_back_as_it_came(
    key: bytes | None, given_headers: list[tuple[str, bytes]], sequence: int | None
) -> None:
    came = raw(given_headers, key)
    note = Note(raw=came, reason="poison", source="/s", sequence=sequence)
    key_bytes, kept_headers = _unpacked(_packed(note))
    assert (key_bytes, kept_headers) == (came.key_bytes, came.headers)
    assert "\0" not in came.key


@pytest.mark.parametrize("time", [b"0001-01-01T00:00:00+14:00", b"9999-12-31T23:00:00-02:00"])
def test_an_instant_that_no_calendar_holds_is_poison(time: bytes) -> None:
    with pytest.raises(Poison, match="not-a-cloud-event"):
        read(raw([*without("ce_time"), ("ce_time", time)]))


def test_a_key_too_long_to_index_is_poison_under_a_name_of_its_own() -> None:
    first, second = raw(headers(), key=b"a" * 5000), raw(headers(), key=b"b" * 5000)
    with pytest.raises(Poison, match="long-key"):
        read(first)
    assert first.key != second.key
    assert len(first.key) < 100
