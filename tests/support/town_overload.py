"""Overload: a plateau first, then three times as many requests a second as it could take (F20).

The callers are the benchmark's: a process of their own, raw sockets, requests signed beforehand.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench.generator import Generator, Order, Shots
from tests.bench.letters import Letter, Signing, payment_body, posted
from tests.bench.proofs import history_of
from tests.support.town import Town
from tests.support.town_families import Family
from tests.support.town_load import CALLERS
from tests.support.town_people import Counter

TIMES = 3
MOST_IN_FLIGHT = 2048
"""More than the gateway has room for."""

MOST_RATE = 3_000
"""Requests a second that are written for the plateau: more than two cores can take."""

ASKED_AGAIN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """Payments whose body follows from their number, so that any of them can be asked again."""

    url: str
    signing: Signing
    tokens: Sequence[str] = field(repr=False)
    run: str = field(default_factory=lambda: secrets.token_hex(6))

    def body(self, n: int) -> bytes:
        return payment_body(self.tokens[n % len(self.tokens)])

    def write(self, count: int, created: datetime) -> list[Letter]:
        key, url = self.signing.key(), f"{self.url}/v1/payments"
        return [posted(key, url, self.body(n), created, self.name(n)) for n in range(count)]

    def name(self, n: int) -> str:
        return f"bench-{self.run}-{n}"

    def follow(self, _key: str, _answer: bytes) -> Letter | None:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What was sent and what came of it."""

    script: Script
    shots: Shots
    offered: float

    @property
    def goodput(self) -> float:
        """Payments a second, until the last answer."""
        return self.shots.statuses.count(201) / self.shots.took_seconds

    @property
    def refused(self) -> list[int]:
        """The places of those that were sent away."""
        return [n for n, status in enumerate(self.shots.statuses) if status in (429, 503)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """The callers, before the town's gateway."""

    town: Town
    generator: Generator
    order: Order

    def _script(self) -> Script:
        assert isinstance(self.order.script, Script)
        return replace(self.order.script, run=secrets.token_hex(6))

    def plateau(self, seconds: float) -> Run:
        """As much as 64 callers get, each waiting for its answer."""
        return self._fire(callers=CALLERS, count=int(MOST_RATE * seconds), seconds=seconds)

    def overload(self, rate: int, seconds: float) -> Run:
        """So many a second, whatever becomes of those before."""
        return self._fire(
            callers=MOST_IN_FLIGHT, count=int(rate * seconds), seconds=seconds, rate=rate
        )

    def _fire(self, *, callers: int, count: int, seconds: float, rate: int | None = None) -> Run:
        script = self._script()
        order = replace(
            self.order, script=script, callers=callers, count=count, seconds=seconds, rate=rate
        )
        self.generator.write(order)
        shots = self.generator.fire(order)
        sent = len(shots.statuses)
        assert not shots.ran_out, "there was more to do than letters to send"
        return Run(script=script, shots=shots, offered=sent / seconds)

    async def remember(self, counter: Counter, run: Run) -> None:
        """Keep what callers were told, and settle what nobody knows under the same keys (I10)."""
        self.town.messenger.history += history_of(run.shots, counter.code)
        unknown = [n for n in run.refused if run.shots.statuses[n] == 503]
        for place in [*unknown, *run.refused[:ASKED_AGAIN]]:
            key = run.shots.keys[place]
            body = run.script.body(int(key.rpartition("-")[2]))
            said = await counter.send("POST", "/v1/payments", body, key, known_as=counter.code)
            assert said.status == 201, said.body


@contextmanager
def crowd_at(town: Town, families: Sequence[Family]) -> Iterator[Crowd]:
    """A crowd that pays with these families' quotas."""
    counter = town.counter()
    told = town.site.stack["institutions"][counter.code]
    signing = Signing(
        key_id=told["key_id"],
        algorithm="ed25519",
        private=Path(told["private_key_file"]).read_bytes(),
    )
    address = urlsplit(town.world.gateway)
    assert address.hostname is not None
    assert address.port is not None
    order = Order(
        host=address.hostname,
        port=address.port,
        script=Script(
            url=town.world.gateway, signing=signing, tokens=[each.token for each in families]
        ),
        count=0,
        callers=0,
        seconds=0,
    )
    generator = Generator()
    try:
        yield Crowd(town=town, generator=generator, order=order)
    finally:
        generator.close()
