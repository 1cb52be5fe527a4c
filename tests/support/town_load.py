"""Full load: callers that pay without a pause, as good clients do, and forget nothing.

    key ──letter──▶ answer              kept with the town's history (I1, I2)
     ▲                │ 429, 503        asked again under the same key, not before Retry-After
     │                │ hung up, silent  asked again under the same key: the outcome is unknown
     └──fresh nonce───┘                 a load ends when every key has its answer (I10)

Some answers are asked for once more, and have to come again byte for byte. What a good client
cannot make sense of is a surprise, and a load with surprises has failed.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter as Tally
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from tests.support.town import Town
from tests.support.town_families import Family, family_of
from tests.support.town_people import Counter, Letter, Said, new_key
from tests.support.town_processes import crowding
from tests.support.town_until import until_so
from tests.support.town_volley import answer_of, bytes_of

CALLERS = 64
"""Those of the benchmark's main case."""

AMOUNT_FEN = 3
FAMILIES = 8

ANSWERED_WITHIN_SECONDS = 8.0
"""The gateway's own deadline is five; what is silent for longer has to be asked again."""

SETTLED_WITHIN_SECONDS = 60.0
SOON_SECONDS, LATER_SECONDS = 0.05, 1.0
ASKED_TWICE = 16
"""One answer in so many is asked for again although it came."""


class Line:
    """One caller's connection, opened again when it broke."""

    def __init__(self, gateway: str) -> None:
        address = urlsplit(gateway)
        self._host, self._port = address.hostname, address.port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, letter: Letter) -> Said:
        """Raises OSError, EOFError or TimeoutError where the outcome is unknown."""
        try:
            async with asyncio.timeout(ANSWERED_WITHIN_SECONDS * crowding()):
                if self._streams is None:
                    self._streams = await asyncio.open_connection(self._host, self._port)
                reader, writer = self._streams
                writer.write(bytes_of(letter))
                said = await answer_of(reader)
        except BaseException:
            self.close()
            raise
        if said.headers.get("connection") == "close":
            self.close()
        return said

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


@dataclass(slots=True, kw_only=True)
class Load:
    """`answers` counts the last word on each key, `again` why keys had to be asked again.

    `longest` is after how many seconds the slowest call had its answer, or was given up.
    """

    town: Town
    counters: Sequence[Counter]
    families: Sequence[Family]
    answers: Tally[str] = field(default_factory=Tally)
    again: Tally[str] = field(default_factory=Tally)
    replayed: int = 0
    longest: float = 0.0
    begun: int = 0
    surprises: list[str] = field(default_factory=list)
    _ending: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def ended(self) -> int:
        return self.answers.total()

    async def flows(self, count: int = 200, within: float = SETTLED_WITHIN_SECONDS) -> None:
        """Return when so many more payments have been answered for good.

        `within` is for a machine that has little else to do.
        """
        wanted = self.ended + count
        within *= crowding()
        await until_so(lambda: self.ended >= wanted, f"{count} more payments are answered", within)

    def told(self) -> str:
        """How many were answered, and why some had to be asked again."""
        why = ", ".join(f"{name} {count}" for name, count in sorted(self.again.items()))
        return f"{self.ended} payments answered once and for all; asked again: {why or 'none'}"

    def end(self) -> None:
        """No caller begins another payment."""
        self._ending.set()

    async def call(self, number: int) -> None:
        """One caller, until the load ends."""
        counter = self.counters[number % len(self.counters)]
        choice = random.Random(number)
        bodies = [
            json.dumps(counter.payment(family.token, AMOUNT_FEN)).encode()
            for family in self.families
        ]
        line = Line(counter.world.gateway)
        try:
            while not self._ending.is_set():
                await self._pay(line, counter, choice.choice(bodies), new_key())
        finally:
            line.close()

    async def _pay(self, line: Line, counter: Counter, body: bytes, key: str) -> None:
        self.begun += 1
        said = await self._settled(line, counter, body, key)
        self.answers[said.code or str(said.status)] += 1
        if self.begun % ASKED_TWICE == 0:
            once_more = await self._settled(line, counter, body, key)
            self.replayed += 1
            if not once_more.replayed or once_more.body != said.body:
                self.surprises.append(f"{key} was replayed as {once_more}")

    async def _settled(self, line: Line, counter: Counter, body: bytes, key: str) -> Said:
        """What became of a key, however often that has to be asked."""
        began, pause = time.monotonic(), SOON_SECONDS
        while True:
            letter, since = counter.letter("POST", "/v1/payments", body, key), time.monotonic()
            try:
                said = await line.ask(letter)
            except (OSError, EOFError, TimeoutError) as error:
                self.again[type(error).__name__] += 1
                self._took(since)
            else:
                self._took(since)
                if not self._says_try_again(said):
                    self.town.messenger.remember(letter, said, counter.code)
                    return said
                pause = max(pause, float(said.headers.get("retry-after", pause)))
            late = time.monotonic() - began > SETTLED_WITHIN_SECONDS * crowding()
            assert not late, f"{key} is not settled; {self.again}"
            # Callers that were sent away together should not come back together.
            await asyncio.sleep(pause * (1 + random.random() / 4))
            pause = min(2 * pause, LATER_SECONDS)

    def _took(self, since: float) -> None:
        self.longest = max(self.longest, time.monotonic() - since)

    def _says_try_again(self, said: Said) -> bool:
        if said.status in (429, 503):
            self.again[str(said.status)] += 1
            if "retry-after" not in said.headers or not said.json["retryable"]:
                self.surprises.append(f"{said.status} without Retry-After: {said.body!r}")
            return True
        if said.status == 409 and said.json["retryable"]:
            self.again[said.code] += 1
            return True
        if said.status >= 500:
            self.again[str(said.status)] += 1
            self.surprises.append(f"{said.status}: {said.body[:300]!r}")
            return True
        return False


async def families_of(town: Town, count: int = FAMILIES) -> list[Family]:
    """Families for a load to pay with; they have more than it can spend."""
    return list(
        await asyncio.gather(*(family_of(town, available_fen=1_000_000) for _ in range(count)))
    )


def at(counter: Counter, gateway: str) -> Counter:
    """The same counter, at the door of another gateway."""
    return replace(counter, world=replace(counter.world, gateway=gateway))


@asynccontextmanager
async def load_on(
    town: Town,
    *,
    callers: int = CALLERS,
    gateways: Sequence[str] = (),
    families: Sequence[Family] = (),
) -> AsyncIterator[Load]:
    """Load while the block runs, on these gateways alike; afterwards every key has its answer."""
    counter = town.counter()
    load = Load(
        town=town,
        counters=[at(counter, each) for each in gateways] or [counter],
        families=families or await families_of(town),
    )
    async with asyncio.TaskGroup() as group:
        for number in range(callers):
            group.create_task(load.call(number))
        await load.flows(callers)
        yield load
        load.end()
    assert load.begun == load.ended > callers
    assert set(load.answers) == {"201"}, load.answers
    assert load.replayed > 0
    assert load.surprises == []
