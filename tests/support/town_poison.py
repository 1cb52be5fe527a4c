"""Records that nobody can make sense of, each kind under the reason it is parked for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

from kit.kafka import partition_of
from kit.records import cloud_event_headers
from tests.support.town import Site
from tests.support.town_bus import Bus
from tests.support.town_until import until

TWO_MEBIBYTES = 2 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A topic, who parks what makes no sense there, and what it should have been.

    `others` park it as well, each for itself.
    """

    topic: str
    service: str
    source: str
    type: str
    others: tuple[str, ...] = ()

    @property
    def services(self) -> tuple[str, ...]:
        return self.service, *self.others


HEARD = (
    Heard(
        topic="from.440000",
        service="relations",
        source="/provinces/440000",
        type="enrolment.changed.v1",
    ),
    Heard(
        topic="to.440000",
        service="sandbox",
        source="/wallet/cell-0",
        type="account.freeze-requested.v1",
    ),
    Heard(
        topic="relations.relation",
        service="wallet",
        source="/relations",
        type="relation.activated.v1",
        others=("gateway",),
    ),
    Heard(
        topic="relations.person", service="wallet", source="/relations", type="person.changed.v1"
    ),
    Heard(
        topic="wallet.quota",
        service="relations",
        source="/wallet/cell-0",
        type="quota.opened.v1",
        others=("gateway",),
    ),
    Heard(
        topic="wallet.payment",
        service="settlement",
        source="/wallet/cell-0",
        type="payment.captured.v1",
        others=("gateway",),
    ),
    Heard(
        topic="wallet.period", service="settlement", source="/wallet/cell-0", type="period.cut.v1"
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A record about to be sent; None for a header leaves it out."""

    headers: list[tuple[str, bytes]]
    value: bytes


Spoil = Callable[[Heard, str], Letter]


def good(heard: Heard, value: bytes = b"{}", **change: str | None) -> Letter:
    """A well-formed record of the topic's type with this body."""
    told = {"type": heard.type, "source": heard.source} | change
    headers = cloud_event_headers(
        id=str(uuid4()),
        type=told["type"] or "",
        source=told["source"] or "",
        subject=None,
        time=datetime.now(UTC),
        sequence=None,
        traceparent=None,
    )
    return Letter(headers=headers, value=value)


def _without_headers(_heard: Heard, _key: str) -> Letter:
    return Letter(headers=[], value=b"{}")


def _with_a_sequence_of_words(heard: Heard, _key: str) -> Letter:
    letter = good(heard)
    return Letter(headers=[*letter.headers, ("ce_sequence", b"one")], value=letter.value)


POISONS: dict[str, tuple[str, Spoil]] = {
    "bad JSON": ("bad-body bad-json", lambda heard, _: good(heard, b'{"psn_no": ')),
    "bad UTF-8": ("bad-body bad-json", lambda heard, _: good(heard, b'{"psn_no": "\xff\xfe"}')),
    "no body": ("bad-body bad-json", lambda heard, _: good(heard, b"")),
    "wrong body": ("bad-body", lambda heard, _: good(heard, b'{"psn_no": 1.5}')),
    "deep body": ("bad-body bad-json", lambda heard, _: good(heard, b"[" * 50_000)),
    "a list": ("bad-body", lambda heard, _: good(heard, b"[]")),
    "unknown type": ("unknown-type", lambda heard, _: good(heard, type="never.heard.v1")),
    "unknown version": (
        "unknown-type",
        lambda heard, _: good(heard, type=heard.type.removesuffix("1") + "2"),
    ),
    "forged source": ("foreign-source", lambda heard, _: good(heard, source="/provinces/110000")),
    "2 MiB": ("too-large", lambda heard, _: good(heard, b" " * TWO_MEBIBYTES)),
    "no headers": ("not-a-cloud-event", _without_headers),
    "sequence of words": ("not-a-cloud-event", _with_a_sequence_of_words),
}
"""What is wrong → the reasons it may be parked for, and how it is made."""


def _enrolment(key: str, **change: object) -> bytes:
    told = {
        "psn_no": key,
        "insutype": "310",
        "pool_admdvs": "440300",
        "status": "active",
        "since": "2026-01-01",
    }
    return json.dumps(told | change).encode()


BORDER_POISONS: dict[str, tuple[str, Spoil]] = {
    "unknown province": (
        "unknown-pool",
        lambda heard, key: good(heard, _enrolment(key, pool_admdvs="990000")),
    ),
    "foreign pool": (
        "foreign-pool",
        lambda heard, key: good(heard, _enrolment(key, pool_admdvs="510100")),
    ),
    "unknown scheme": (
        "unknown-insutype",
        lambda heard, key: good(heard, _enrolment(key, insutype="999")),
    ),
}
"""What only a province can get wrong, on `from.<province>`."""


def key_beside(key: bytes, partitions: int) -> str:
    """A key of its own that stands in the same partition as this one."""
    numbers = list(range(partitions))
    wanted = partition_of(key, numbers, numbers)
    while True:
        found = uuid4().hex[:30]
        if partition_of(found.encode(), numbers, numbers) == wanted:
            return found


async def parked(site: Site, service: str, topic: str, at: tuple[int, int]) -> str | None:
    """Why the record at this partition and offset waits; None if it does not."""
    rows = await site.rows(
        service,
        """
        SELECT reason FROM parked
        WHERE topic = $1 AND partition = $2 AND record_offset = $3 AND resolved_at IS NULL
        """,
        topic,
        *at,
    )
    return rows[0]["reason"] if rows else None


async def block(site: Site, bus: Bus, heard: Heard, key: str) -> tuple[int, int]:
    """Park a key by a record of a type nobody knows; where that came to stand."""
    letter = good(heard, type="never.heard.v1")
    at = await bus.write(heard.topic, key.encode(), letter.value, letter.headers)
    for service in heard.services:
        parks = partial(parked, site, service, heard.topic, at)
        await until(parks, f"{service} parks {key} of {heard.topic}")
    return at


async def waits_behind(site: Site, heard: Heard, key: str) -> None:
    """Wait until something good has joined a blocked key, wherever it is blocked."""

    async def joined(service: str) -> bool:
        rows = await site.rows(
            service,
            """
            SELECT reason FROM parked
            WHERE topic = $1 AND key = $2 AND reason = 'behind' AND resolved_at IS NULL
            """,
            heard.topic,
            key,
        )
        return bool(rows)

    for service in heard.services:
        behind = partial(joined, service)
        await until(behind, f"something waits behind the poison of {heard.topic} in {service}")


async def free(site: Site, heard: Heard, key: str, at: tuple[int, int]) -> None:
    """Give the poison up and perform what waits behind it, until nothing is left."""

    async def freed(service: str) -> None:
        code, said = await site.command(service, "parked", "discard", heard.topic, *map(str, at))
        assert code == 0, said
        code, said = await site.command(service, "parked", "redrive", heard.topic, key)
        assert code == 0, said
        assert "none left" in said

    await asyncio.gather(*map(freed, heard.services))
