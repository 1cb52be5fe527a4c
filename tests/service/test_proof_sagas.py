"""I6 reads real databases: each kind of conversation is found there once it is stuck, by its name.

What is planted is written past the services, as a row that somebody forgot to move on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
import pytest

from proof.databases import SAGAS, read_sagas_of
from proof.rows import Saga
from proof.sagas import unended
from tests.conftest import MigratedDatabase

QUOTA = """
INSERT INTO quota (
    quota_id, relation_id, beneficiary_id, sharer_id, sharer_psn_no, sharer_admdvs, kind,
    related_at, state, granted, available, held, restoring
) VALUES (
    gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'S1', '440300',
    'parent', now(), '{state}', {granted}, 0, 0, {granted}
)
"""
ORDER = """
INSERT INTO account_order (
    order_id, quota_id, beneficiary_id, kind, amount, refund_id, freezes, state,
    sent_at, asked_at, parked_at, parked_because, answered_at
) VALUES (
    gen_random_uuid(), {quota}, gen_random_uuid(), '{kind}', 7,
    CASE '{kind}' WHEN 'credit' THEN gen_random_uuid() END,
    CASE '{kind}' WHEN 'credit' THEN true END,
    '{state}', now() - interval '1 day', now() - interval '{age} seconds',
    {parked}, CASE WHEN {parked} IS NOT NULL THEN 'silent' END,
    CASE '{state}' WHEN 'confirmed' THEN now() END
)
"""
HOLD = """
INSERT INTO payment (
    payment_id, person_id, institution, mdtrtarea_admvs, insuplc_admdvs, purpose, state,
    requested, amount, medfee_sumamt, fulamt_ownpay, overlmt_selfpay, preselfpay, inscp_scp,
    fund_pay_sumamt, hosp_part, psn_part, own_acct_pay, med_type,
    business_date, period, held_at, expires_at
) VALUES (
    gen_random_uuid(), gen_random_uuid(), 'H65900200001', '659002', '659002', 'inpatient',
    '{state}', 7, 7, 7, 0, 0, 0, 7, 0, 0, 7, 0, '21', current_date,
    to_char(now(), 'YYYY-MM'), now() - interval '1 day', {expires_at}
)
"""
PREMIUM = """
WITH paid AS (
    INSERT INTO payment (
        payment_id, person_id, insuplc_admdvs, purpose, state, requested, amount,
        business_date, period, held_at
    ) VALUES (
        gen_random_uuid(), gen_random_uuid(), '659002', 'premium_390', '{paid}', 7, 7,
        current_date, to_char(now(), 'YYYY-MM'), now() - interval '1 day'
    )
    RETURNING payment_id, person_id
)
INSERT INTO premium (
    payment_id, person_id, insutype, year, levy_no, psn_no, state, times, ask_again_at
)
SELECT
    payment_id, person_id, '390', 2027, 'L', 'P', '{state}', 3, now() - interval '{age} seconds'
FROM paid
"""
CUT = """
INSERT INTO period_cut (period, cut_at, last_entry, told_at)
VALUES ('2030-01', now() - interval '{age} seconds', 0, {told_at})
"""

PERSON = """
INSERT INTO person (
    person_id, version, psn_cert_type, blind_index, name_index, key_id, nonce, ciphertext,
    changed_at
)
SELECT
    gen_random_uuid(), 1, '01', sha256(n::text::bytea), sha256(n::text::bytea), '1',
    substr(sha256(n::text::bytea), 1, 12), '', now()
FROM generate_series(1, 2) AS n
"""
RELATION = (
    PERSON
    + """;
INSERT INTO relation (
    relation_id, sharer_id, beneficiary_id, kind, state, sequence, proposed_by,
    commitment_version, sharer_psn_no, sharer_pool_admdvs, beneficiary_pool_admdvs,
    lapsed_on, ends_at, inquiry_id, kinship, kinship_province, kinship_asked_at, kinship_times,
    proposed_at, changed_at
)
SELECT
    gen_random_uuid(), min(person_id::text)::uuid, max(person_id::text)::uuid, 'parent',
    '{state}', 3, 'sharer', '1', 'S1', '440300', '659002',
    CASE WHEN {ends_at} IS NOT NULL THEN current_date END, {ends_at},
    CASE WHEN {kinship} IS NOT NULL THEN gen_random_uuid() END, {kinship},
    CASE WHEN {kinship} IS NOT NULL THEN '440000' END,
    CASE WHEN {kinship} IS NOT NULL THEN now() - interval '{age} seconds' END,
    CASE WHEN {kinship} IS NOT NULL THEN 1 ELSE 0 END,
    now() - interval '1 day', now() - interval '{age} seconds'
FROM person
"""
)
AHEAD = """
INSERT INTO enrolment_ahead (
    pool_admdvs, psn_no, insutype, since, province, status, told_at, outcome
) VALUES (
    '440300', 'P1', '310', (now() AT TIME ZONE 'Asia/Shanghai')::date + {days}, '440000',
    'ended', now() - interval '9 days', {outcome}
)
"""

OLD, YOUNG = "now() - interval '90 seconds'", "now() - interval '5 seconds'"


@dataclass(frozen=True, kw_only=True)
class Plant:
    """A row, what it is stuck as and for whom it waits; and the same row where all is well."""

    service: str
    kind: str
    waits_for: str | None
    stuck: str
    well: Sequence[str]

    def __str__(self) -> str:
        return self.kind


def order(kind: str) -> Plant:
    def row(age: int, state: str = "sent", parked: str = "NULL") -> str:
        return ORDER.format(
            quota="gen_random_uuid()", kind=kind, age=age, state=state, parked=parked
        )

    return Plant(
        service="wallet",
        kind=f"{kind} order",
        waits_for="its province, or the next ask",
        stuck=row(90),
        well=(row(5), row(90, parked=OLD), row(90, "confirmed")),
    )


def relation(kind: str, state: str, waits_for: str, **known: str) -> Plant:
    def row(age: int, state: str = state, **changes: str) -> str:
        told = {"ends_at": "NULL", "kinship": "NULL"} | known | changes
        return RELATION.format(state=state, age=age, **told)

    return Plant(
        service="relations",
        kind=kind,
        waits_for=waits_for,
        stuck=row(90),
        well=(
            row(5, **({"ends_at": YOUNG} if "ends_at" in known else {})),
            row(90, "ended", ends_at="NULL"),
            *((row(90, kinship="'unknown'"),) if "kinship" in known else ()),
        ),
    )


def with_its_order(quota: str, kind: str, **parked: str) -> str:
    """A quota and an order of it, whose province has time to answer."""
    row = ORDER.format(
        quota="(SELECT quota_id FROM quota)",
        kind=kind,
        age=5,
        state="sent",
        **({"parked": "NULL"} | parked),
    )
    return f"{quota}; {row}"


FREEZING = QUOTA.format(state="freezing", granted=0)
RESTORING = QUOTA.format(state="active", granted=7)

PLANTS = [
    order("freeze"),
    order("unfreeze"),
    order("debit"),
    order("credit"),
    Plant(
        service="wallet",
        kind="hold",
        waits_for="the sweep",
        stuck=HOLD.format(state="held", expires_at=OLD),
        well=(
            HOLD.format(state="held", expires_at=YOUNG),
            HOLD.format(state="held", expires_at="now() + interval '1 day'"),
            HOLD.format(state="expired", expires_at=OLD),
        ),
    ),
    Plant(
        service="wallet",
        kind="premium",
        waits_for="its fund, or the next ask",
        stuck=PREMIUM.format(paid="held", state="asked", age=90),
        well=(
            PREMIUM.format(paid="held", state="asked", age=5),
            PREMIUM.format(paid="released", state="refused", age=90),
        ),
    ),
    Plant(
        service="wallet",
        kind="payment without an end",
        waits_for=None,
        stuck=PREMIUM.format(paid="held", state="refused", age=5),
        well=(PREMIUM.format(paid="held", state="asked", age=5),),
    ),
    Plant(
        service="wallet",
        kind="freezing quota",
        waits_for=None,
        stuck=FREEZING,
        well=(with_its_order(FREEZING, "freeze"), QUOTA.format(state="refused", granted=0)),
    ),
    Plant(
        service="wallet",
        kind="restoring quota",
        waits_for=None,
        stuck=RESTORING,
        well=(
            with_its_order(RESTORING, "credit"),
            with_its_order(RESTORING, "credit", parked=OLD),
        ),
    ),
    Plant(
        service="wallet",
        kind="cut",
        waits_for="the sweep",
        stuck=CUT.format(age=90, told_at="NULL"),
        well=(CUT.format(age=5, told_at="NULL"), CUT.format(age=90, told_at="now()")),
    ),
    relation("activating relation", "activating", "the wallet"),
    relation("ending relation", "ending", "the wallet"),
    relation(
        "activating relation", "activating", "its province, or the next ask", kinship="'asked'"
    ),
    relation("lapsed relation", "suspended", "the sweep", ends_at=OLD),
    Plant(
        service="relations",
        kind="enrolment whose day has come",
        waits_for="the sweep",
        stuck=AHEAD.format(days=-1, outcome="NULL"),
        well=(
            AHEAD.format(days=1, outcome="NULL"),
            AHEAD.format(days=-1, outcome="'recorded'"),
        ),
    ),
]


async def planted(dsn: str, service: str, *plants: str) -> list[list[Saga]]:
    """What is under way after each of these plants, each in a database that has nothing else."""
    found = []
    connection = await asyncpg.connect(dsn, server_settings={"search_path": "cell_0"})
    try:
        before = await read_sagas_of(service, dsn)
        assert before == []
        for plant in plants:
            await connection.execute(plant)
            found.append(await read_sagas_of(service, dsn))
            await connection.execute(_FORGET)
    finally:
        await connection.close()
    return found


_FORGET = """
DO $$
DECLARE
    name text;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR name IN
        SELECT tablename FROM pg_tables
        WHERE schemaname = 'cell_0' AND tablename NOT IN ('migration', 'clearing_clock')
    LOOP
        EXECUTE format('DELETE FROM %I', name);
    END LOOP;
END
$$
"""


@pytest.mark.parametrize("plant", PLANTS, ids=str)
async def test_what_is_stuck_is_found_by_its_name(
    migrated_database: MigratedDatabase, plant: Plant
) -> None:
    dsn = migrated_database(plant.service)
    [saga], *well = await planted(dsn, plant.service, plant.stuck, *plant.well)
    assert (saga.kind, saga.waits_for, saga.parked) == (plant.kind, plant.waits_for, None)
    [violation] = unended([saga])
    if plant.waits_for is None:
        assert violation == f"{plant.kind} {saga.name} waits and nobody will ever move it on"
    else:
        assert violation.startswith(f"{plant.kind} {saga.name} has waited for {plant.waits_for}")
    for text, sagas in zip(plant.well, well, strict=True):
        assert unended(sagas) == [], text


async def test_what_is_parked_says_why(migrated_database: MigratedDatabase) -> None:
    [orders] = await planted(
        migrated_database("wallet"),
        "wallet",
        ORDER.format(quota="gen_random_uuid()", kind="debit", age=90, state="sent", parked=OLD),
    )
    [relations] = await planted(
        migrated_database("relations"),
        "relations",
        RELATION.format(state="activating", age=90, ends_at="NULL", kinship="'unknown'"),
    )
    assert [saga.parked for saga in (*orders, *relations)] == [
        "silent",
        "no province knows them as relatives",
    ]


def test_each_question_has_its_plant() -> None:
    asked = {service: len(questions) for service, questions in SAGAS.items()}
    assert asked.keys() >= {"wallet", "relations"}
    kinds = {(plant.service, plant.kind) for plant in PLANTS}
    of_orders = {(service, kind) for service, kind in kinds if kind.endswith(" order")}
    of_relations = {("relations", f"{state} relation") for state in ("activating", "ending")}
    others = kinds - of_orders - of_relations
    assert len([each for each in others if each[0] == "wallet"]) + 1 == asked["wallet"]
    assert len([each for each in others if each[0] == "relations"]) + 1 == asked["relations"]
