"""What the cases run on: durable servers, one process for each role, people who may pay."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson

from contracts.commands import OpenWallet, SetQuota
from contracts.events import RelatedPerson, RelationActivated
from contracts.public import Presence
from kit.answers import Answer
from kit.work import Job
from proof.months import province_of
from tests.bench.letters import Signing, begun_session, presence_body
from tests.bench.machine import Meter
from tests.support import servers
from tests.support.databases import Databases, blocking
from tests.support.town import Site, site_of
from tests.support.town_people import Counter, Messenger, World, new_key
from tests.support.town_until import until
from tests.support.wallets import Purse, job_of, purse_on, snapshot
from wallet.domain.commands import OpenQuota, RecordFreeze

LAYOUT = {
    "gateway": ("api",),
    "wallet": ("api", "relay", "consume"),
    "relations": ("all",),
    "sandbox": ("all",),
}
"""Settlement only consumes; it is begun apart, for nobody asks it by HTTP."""

OF_PROCESS = {"gateway-api": "gateway", "wallet-api": "wallet"}
"""What the processes that a payment waits for are called in figures."""

GRANTED_FEN = 100_000_000_000
SHARERS_POOL = "320100"
"""In a province that nobody plays: no core answers its debits, and none takes CPU."""

AT_ONCE = 16
AT_REST = 0.4
"""Of one core, all processes together: they and Kafka look around when nothing happens."""

BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """Somebody at the counter, with a token that lasts as long as the benchmark."""

    person_id: UUID
    psn_no: str
    cert_no: str = field(repr=False)
    pool_admdvs: str
    token: str


@dataclass(slots=True, kw_only=True)
class Ground:
    """`one` have a sharer each, `two` have two."""

    site: Site
    databases: Databases
    meter: Meter
    one: list[Present] = field(default_factory=list)
    two: list[Present] = field(default_factory=list)

    @property
    def gateway(self) -> str:
        return str(self.site.stack["gateway"])

    @property
    def wallet_dsn(self) -> str:
        return self.site.databases["wallet"]

    @property
    def settlement_dsn(self) -> str:
        return self.site.databases["settlement"]

    def port(self, name: str) -> int:
        return int(self.site.watchman[name].program.env["PORT"])

    def signing(self, *, session: bool = False) -> Signing:
        """The pharmacy's own key, or that of a session begun for the occasion."""
        told = self.site.stack["institutions"][counter_code(self.site)]
        private = Path(told["private_key_file"]).read_bytes()
        own = Signing(key_id=told["key_id"], algorithm="ed25519", private=private)
        return begun_session(self.gateway, own) if session else own

    def watch(self, name: str) -> None:
        """Count the CPU of one more process."""
        child = self.site.watchman[name].child
        assert child is not None
        self.meter.add(self.called(name), child.pid)

    def called(self, name: str) -> str:
        """A process's name in figures."""
        return OF_PROCESS.get(name, name)

    async def scraped(self, name: str) -> dict[str, float]:
        """A process's own metrics: name with labels → value."""
        async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
            text = (await http.get(f"http://127.0.0.1:{self.port(name)}/metrics")).text
        lines = [line.rpartition(" ") for line in text.splitlines() if line and line[0] != "#"]
        return {name: float(value) for name, _, value in lines}

    async def now(self) -> datetime:
        """The time by the clock of the databases."""
        told: datetime = await self._told("SELECT clock_timestamp()")
        return told

    async def unpublished(self) -> int:
        return int(await self._told("SELECT count(*) FROM unpublished"))

    async def drained(self) -> bool:
        return not await self._told("SELECT EXISTS (SELECT FROM unpublished)")

    async def recorded(self) -> int:
        """How many lines settlement has, of all months."""
        sql = "SELECT coalesce(sum(lines), 0) FROM received"
        return int(await self._told(sql, of="settlement"))

    async def _told(self, sql: str, *, of: str = "wallet") -> Any:
        [row] = await self.site.rows(of, sql)
        return row[0]

    async def at_rest(self, within_seconds: float = 300.0) -> None:
        """Wait until all that was told is published, and nobody is busy with it any more."""

        async def resting() -> bool:
            return await self.drained() and not await asyncio.to_thread(self._busy)

        await until(resting, "the town is at rest", within_seconds)

    def _busy(self) -> bool:
        before = self.meter.look()
        while (after := self.meter.look()).at - before.at < 0.5:
            time.sleep(0.05)
        spent = sum(cpu - before.cpu.get(name, 0.0) for name, cpu in after.cpu.items())
        return spent > AT_REST * (after.at - before.at)


def counter_code(site: Site) -> str:
    institutions: dict[str, dict[str, str]] = site.stack["institutions"]
    return next(code for code, told in institutions.items() if told["kind"] == "pharmacy")


@contextmanager
def ground_of(people: int) -> Iterator[Ground]:
    """Everything started, everybody at the counter. Stops whatever it started."""
    admin_dsn, kafka = servers.address("durable"), servers.address("durable-kafka")
    databases = Databases(admin_dsn)
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        site_of(
            LAYOUT,
            databases=databases,
            kafka=kafka,
            folder=Path(folder),
            PRESENCE_SECONDS="86400",
            ASK_AGAIN_FIRST_SECONDS="3600",  # nobody answers its debits
        ) as site,
    ):
        site.begin("settlement", "consume")
        site.watchman.await_ready()
        ground = Ground(site=site, databases=databases, meter=meter_of(admin_dsn, site))
        for name in site.watchman.names:
            ground.watch(name)
        ground.meter.add("kafka", pid_of("durable-kafka"))
        blocking(populate(ground, people))
        yield ground
        surprises = site.watchman.surprises()
        assert not surprises, "\n".join(surprises)


def pid_of(kind: str) -> int:
    folder = servers.FOLDER / os.environ[servers.VARIABLE]
    return int(json.loads((folder / f"{kind}.json").read_text())["pid"])


def meter_of(admin_dsn: str, site: Site | None) -> Meter:
    return Meter(
        {},
        postgres=pid_of("durable"),
        admin_dsn=admin_dsn,
        databases=site.databases if site is not None else {},
    )


async def populate(ground: Ground, people: int) -> None:
    """Half of the people have one sharer, a tenth of them two; presence through the gateway."""
    limits = httpx.Limits(max_connections=AT_ONCE)
    async with httpx.AsyncClient(timeout=20, limits=limits, trust_env=False) as http:
        stack = ground.site.stack
        world = World(
            messenger=Messenger(http=http, patient=True),
            url=stack["sandbox"],
            gateway=stack["gateway"],
        )
        counter = Counter(world=world, code=counter_code(ground.site), key=ground.signing().key())
        slots = asyncio.Semaphore(AT_ONCE)

        async def arrive() -> Present:
            async with slots:
                return await arrived(world, counter)

        came = await asyncio.gather(*(arrive() for _ in range(people)))
    async with purse_on(ground.wallet_dsn) as purse:
        several = max(1, people // 10)
        ground.two, ground.one = list(came[:several]), list(came[several:])
        await opened(purse, came)
        await granted(purse, came)
        await granted(purse, ground.two)


async def arrived(world: World, counter: Counter) -> Present:
    told = {"insutype": "390", "insuplc_admdvs": "659002", "balance_fen": 0}
    made = await world.ask("POST", "/people", told)
    body = presence_body(made["cert_no"])
    said = await counter.send("POST", "/v1/presences", body, new_key())
    presence = Presence.model_validate_json(orjson.dumps(said.of(201)))
    return Present(
        person_id=presence.person.person_id,
        psn_no=made["psn_no"],
        cert_no=made["cert_no"],
        pool_admdvs=presence.person.insuplc_admdvs,
        token=presence.presence_token,
    )


async def opened(purse: Purse, people: Sequence[Present]) -> None:
    jobs = [
        job_of(
            OpenWallet(person=snapshot(each.person_id, each.pool_admdvs, psn_no=each.psn_no)),
            each.person_id,
        )
        for each in people
    ]
    await all_done(purse, jobs)
    for each in people:
        await purse.register(each.person_id)


async def granted(purse: Purse, people: Sequence[Present]) -> None:
    """One more sharer for each."""
    relations = [related(each.person_id, each.psn_no, each.pool_admdvs) for each in people]
    await lent(purse, relations)


async def lent(purse: Purse, relations: Sequence[RelationActivated]) -> None:
    """Each sharer lets more money be spent than the benchmark can; their provinces agree."""
    await all_done(
        purse, [job_of(OpenQuota(relation=each), each.beneficiary.person_id) for each in relations]
    )
    wishes = [
        SetQuota(
            relation_id=each.relation_id,
            sharer_id=each.sharer.person_id,
            beneficiary_id=each.beneficiary.person_id,
            available_fen=GRANTED_FEN,
        )
        for each in relations
    ]
    await all_done(purse, [job_of(each, each.beneficiary_id) for each in wishes])
    rows = await purse.cells.pools[0].fetch(
        """
        SELECT order_id, sharer_admdvs FROM account_order JOIN quota USING (quota_id)
        WHERE account_order.kind = 'freeze' AND account_order.state = 'sent'
        """
    )
    answers = [
        RecordFreeze(
            freeze_id=row["order_id"], confirmed=True, province=province_of(row["sharer_admdvs"])
        )
        for row in rows
    ]
    await all_done(purse, [job_of(each, uuid4()) for each in answers])


def related(
    person_id: UUID, psn_no: str, pool_admdvs: str, sharers_pool: str = SHARERS_POOL
) -> RelationActivated:
    """Somebody whom nobody else knows shares with this beneficiary."""
    sharer = uuid4()
    return RelationActivated(
        relation_id=uuid4(),
        kind="parent",
        sharer=RelatedPerson(
            person_id=sharer, psn_no=f"{sharer.int % 10**11:011}", pool_admdvs=sharers_pool
        ),
        beneficiary=RelatedPerson(person_id=person_id, psn_no=psn_no, pool_admdvs=pool_admdvs),
        activated_at=datetime.now(UTC) - timedelta(days=1),
    )


async def all_done(purse: Purse, jobs: Sequence[Job]) -> None:
    for start in range(0, len(jobs), BATCH):
        for outcome in await purse.cells.perform(0, jobs[start : start + BATCH]):
            assert isinstance(outcome, Answer), outcome
            assert outcome.status < 300, outcome
