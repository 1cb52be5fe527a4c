"""A wallet for tests: real cells on a real database, and the people and quotas a test wants."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import orjson

from contracts.commands import Hold, OpenWallet, Pay, PersonSnapshot, SetQuota
from contracts.events import RelatedPerson, RelationActivated
from contracts.vocabulary import InstitutionKind, Purpose
from kit.answers import Answer
from kit.perform import Door
from kit.postgres import Pool, open_pool, schema_of
from kit.refusal import Unavailable
from kit.work import Job, Outcome, ReceiptKey
from policy.policy import Policy
from tests.support.bills import bill_of
from tests.support.database_clock import DatabaseClock
from tests.support.databases import connected
from tests.support.places import LOCAL_POLICY
from wallet.domain.books import Registration
from wallet.domain.commands import EndQuota, OpenQuota, RecordFreeze, RecordRegistration
from wallet.domain.patience import Insistence
from wallet.edge.cells import Cells
from wallet.store.audits import AUDITS

HOSPITAL, PHARMACY = "H65900200001", "P65900200001"

_numbers = count(1)


class Purse:
    """Cells of one wallet process, and what a test does with them."""

    def __init__(self, cells: Cells, dsn: str) -> None:
        self.cells = cells
        self.dsn = dsn

    def pool_of(self, person_id: UUID) -> Pool:
        return self.cells.pools[self.cells.of_person(person_id)]

    async def do(self, command: Any, owner: UUID, key: str | None = None) -> Outcome:
        """Perform one command, in a batch of its own, with the owner's books locked."""
        cell = self.cells.of_person(owner)
        [outcome] = await self.cells.perform(cell, [job_of(command, owner, key)])
        return outcome

    async def person(self, pool_admdvs: str = "659002", *, opened: bool = True) -> UUID:
        person_id = uuid4()
        if opened:
            command = OpenWallet(person=snapshot(person_id, pool_admdvs))
            given = await self.do(command, person_id)
            assert isinstance(given, Answer)
            assert given.status == 201
            await self.register(person_id)
        return person_id

    async def register(
        self,
        person_id: UUID,
        area: str = "659002",
        valid_from: str = "2026-01-01",
        valid_to: str = "2099-12-31",
    ) -> None:
        """Where the person may be treated, which the area of insurance may ask for (R26)."""
        command = registration_of(person_id, area, valid_from, valid_to)
        await self.do(command, person_id)

    async def relation(
        self, beneficiary: UUID, sharer_admdvs: str = "440300", *, age_days: int = 1
    ) -> RelationActivated:
        relation = relation_of(beneficiary, sharer_admdvs, age_days=age_days)
        await self.do(OpenQuota(relation=relation), beneficiary)
        return relation

    async def wish(self, relation: RelationActivated, available: int) -> Answer:
        given = await self.do(
            SetQuota(
                relation_id=relation.relation_id,
                sharer_id=relation.sharer.person_id,
                beneficiary_id=relation.beneficiary.person_id,
                available_fen=available,
            ),
            relation.beneficiary.person_id,
        )
        assert isinstance(given, Answer)
        return given

    async def freezes(self, beneficiary: UUID) -> list[UUID]:
        rows = await self.pool_of(beneficiary).fetch(
            "SELECT order_id FROM account_order WHERE beneficiary_id = $1 AND kind = 'freeze' "
            "AND state = 'sent' ORDER BY sent_at",
            beneficiary,
        )
        return [row["order_id"] for row in rows]

    async def granted(
        self, beneficiary: UUID, amount: int, sharer_admdvs: str = "440300", *, age_days: int = 1
    ) -> RelationActivated:
        """A relation whose sharer has let `amount` fen be spent, and the province agreed."""
        relation = await self.relation(beneficiary, sharer_admdvs, age_days=age_days)
        assert (await self.wish(relation, amount)).status == 202
        [freeze_id] = await self.freezes(beneficiary)
        await self.do(
            RecordFreeze(province=f"{sharer_admdvs[:2]}0000", freeze_id=freeze_id, confirmed=True),
            beneficiary,
        )
        return relation

    async def ended(self, relation: RelationActivated) -> None:
        """One of the two has ended the relation."""
        beneficiary = relation.beneficiary.person_id
        command = EndQuota(
            relation_id=relation.relation_id,
            beneficiary_id=beneficiary,
            reason="will",
            since=date(2026, 11, 20),
        )
        assert code_of(await self.do(command, beneficiary)) == "200"

    async def quotas(self, beneficiary: UUID) -> list[dict[str, Any]]:
        rows = await self.pool_of(beneficiary).fetch(
            "SELECT * FROM quota WHERE beneficiary_id = $1 ORDER BY related_at", beneficiary
        )
        return [dict(row) for row in rows]

    async def audited(self) -> None:
        """No audit may find a row; every test ends with this."""
        for pool in self.cells.pools:
            for name, sql in AUDITS.items():
                assert await pool.fetch(sql) == [], name


def registration_of(
    person_id: UUID,
    area: str = "659002",
    valid_from: str = "2026-01-01",
    valid_to: str = "2099-12-31",
) -> RecordRegistration:
    """Where a person may be treated away from home."""
    registration = Registration(
        mdtrtarea_admvs=area,
        valid_from=date.fromisoformat(valid_from),
        valid_to=date.fromisoformat(valid_to),
    )
    return RecordRegistration(person_id=person_id, registration=registration)


def relation_of(
    beneficiary: UUID, sharer_admdvs: str = "440300", *, age_days: int = 1
) -> RelationActivated:
    """Somebody whom nobody knows yet may share with this beneficiary."""
    return RelationActivated(
        relation_id=uuid4(),
        kind="parent",
        sharer=RelatedPerson(
            person_id=uuid4(), psn_no=f"{next(_numbers):011}", pool_admdvs=sharer_admdvs
        ),
        beneficiary=RelatedPerson(
            person_id=beneficiary, psn_no=f"{next(_numbers):011}", pool_admdvs="659002"
        ),
        activated_at=datetime.now(UTC) - timedelta(days=age_days),
    )


def snapshot(person_id: UUID, pool_admdvs: str = "659002", **changes: Any) -> PersonSnapshot:
    given = {
        "person_id": person_id,
        "version": 1,
        "psn_no": f"{person_id.int % 10**11:011}",
        "pool_admdvs": pool_admdvs,
        "insutype": "390",
        "insured": True,
    }
    return PersonSnapshot.model_validate(given | changes)


def payment_of(person_id: UUID, amount: int, **changes: Any) -> Pay:
    given: dict[str, Any] = {
        "person_id": person_id,
        "institution": PHARMACY,
        "institution_kind": InstitutionKind.PHARMACY,
        "mdtrtarea_admvs": "659002",
        "wallet_enabled": True,
        "presence_expires_at": datetime.now(UTC) + timedelta(minutes=10),
        "purpose": Purpose.PHARMACY,
        "bill": bill_of(max(amount, 1)),
        "amount_fen": amount,
        "partial": False,
    }
    return Pay.model_validate(given | changes)


def hold_of(person_id: UUID, amount: int, **changes: Any) -> Hold:
    given: dict[str, Any] = {
        "person_id": person_id,
        "institution": HOSPITAL,
        "institution_kind": InstitutionKind.HOSPITAL,
        "mdtrtarea_admvs": "659002",
        "wallet_enabled": True,
        "presence_expires_at": datetime.now(UTC) + timedelta(minutes=10),
        "purpose": Purpose.INPATIENT,
        "bill": bill_of(max(amount, 1)),
        "amount_fen": amount,
        "partial": False,
    }
    return Hold.model_validate(given | changes)


def job_of(command: Any, owner: UUID, key: str | None = None) -> Job:
    receipt = None
    if key is not None:
        fingerprint = hashlib.sha256(repr(command).encode()).digest()
        receipt = ReceiptKey(caller="P65900200001", scope=owner, key=key, fingerprint=fingerprint)
    anchors = (owner,) if not isinstance(command, RecordFreeze) else ()
    return Job(
        command=command,
        command_id=uuid4(),
        anchors=anchors,
        receipt=receipt,
        instance="/v1/payments",
    )


def body_of(outcome: Outcome) -> dict[str, Any]:
    assert isinstance(outcome, Answer), outcome
    parsed: dict[str, Any] = orjson.loads(outcome.body)
    return parsed


def code_of(outcome: Outcome) -> str:
    """The refusal's code, or `201` and the like."""
    assert isinstance(outcome, Answer), outcome
    return body_of(outcome)["code"] if outcome.status >= 400 else str(outcome.status)


@asynccontextmanager
async def purse_on(
    dsn: str,
    *,
    cells: int = 1,
    size: int = 4,
    door: type[Door] = Door,
    clock: DatabaseClock | None = None,
    insistence: Insistence | None = None,
    patient: bool = False,
) -> AsyncIterator[Purse]:
    """One wallet process' worth of cells on a migrated database, by a clock of its own if told.

    Who is patient gives a starved machine a minute for what has seconds elsewhere.
    """
    waits = {"transaction_timeout": "60s", "idle_in_transaction_session_timeout": "60s"}
    pools = [
        await connected(
            await open_pool(
                dsn,
                schema=schema_of(cell),
                size=size,
                application_name="test-wallet",
                server_settings={
                    **({} if clock is None else clock.settings(cell)),
                    **(waits if patient else {}),
                },
                command_seconds=60 if patient else 5,
            )
        )
        for cell in range(cells)
    ]
    opened = Cells(pools, Policy.load(LOCAL_POLICY), insistence)
    if door is not Door:
        for each in opened.doors:
            each.__class__ = door
    try:
        yield Purse(opened, dsn)
    finally:
        for pool in pools:
            await pool.close()


async def settled(door: Door, job: Job) -> list[Outcome]:
    """Perform a job as a caller does: what was unavailable is asked again under its key."""
    assert job.receipt is not None
    while True:
        try:
            return await door.perform([job])
        except Unavailable:
            continue


async def race(purses: Sequence[Purse], owner: UUID, jobs: Sequence[Job]) -> list[Outcome]:
    """Let every job go at the same moment, each in a batch of its own, over several processes."""
    barrier = asyncio.Barrier(len(jobs))

    async def runner(n: int, job: Job) -> Outcome:
        purse = purses[n % len(purses)]
        door = purse.cells.doors[purse.cells.of_person(owner)]
        pool = purse.pool_of(owner)
        async with pool.acquire():
            await barrier.wait()  # Every connection is open before the first one starts.
        [outcome] = await settled(door, job)
        return outcome

    return await asyncio.gather(*(runner(n, job) for n, job in enumerate(jobs)))
