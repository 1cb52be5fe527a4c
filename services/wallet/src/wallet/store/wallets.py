"""Statements about wallets: persons as the wallet knows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import asyncpg
import orjson

from kit.transaction import Transaction
from wallet.domain.books import Registration, Wallet


async def wallets_of(tx: Transaction, persons: Sequence[UUID]) -> dict[UUID, Wallet]:
    rows = await tx.fetch(
        """
        SELECT person_id, version, psn_no, pool_admdvs, insutype, insured, opened_at, registrations
        FROM wallet
        WHERE person_id = ANY($1::uuid[])
        """,
        persons,
    )
    return {row["person_id"]: wallet_from(row) for row in rows}


def wallet_from(row: asyncpg.Record) -> Wallet:
    return Wallet(
        person_id=row["person_id"],
        version=row["version"],
        psn_no=row["psn_no"],
        pool_admdvs=row["pool_admdvs"],
        insutype=row["insutype"],
        insured=row["insured"],
        opened_at=row["opened_at"],
        registrations=_registrations_from(row["registrations"]),
    )


def _registrations_from(text: str) -> tuple[Registration, ...]:
    return tuple(
        Registration(
            mdtrtarea_admvs=area,
            valid_from=date.fromisoformat(valid_from),
            valid_to=date.fromisoformat(valid_to),
        )
        for area, valid_from, valid_to in (orjson.loads(text) if text != "[]" else ())
    )


def _text_of(registrations: Sequence[Registration]) -> str:
    told = [(each.mdtrtarea_admvs, each.valid_from, each.valid_to) for each in registrations]
    return orjson.dumps(told).decode()


async def upsert_wallets(tx: Transaction, wallets: Sequence[Wallet]) -> None:
    """Keep persons as they are now known; a wallet once open stays open."""
    if not wallets:
        return
    await tx.write(
        """
        INSERT INTO wallet (
            person_id, version, psn_no, pool_admdvs, insutype, insured, opened_at, registrations
        )
        SELECT * FROM unnest(
            $1::uuid[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::boolean[],
            $7::timestamptz[], $8::text[]
        )
        ON CONFLICT (person_id) DO UPDATE SET
            version = EXCLUDED.version,
            psn_no = EXCLUDED.psn_no,
            pool_admdvs = EXCLUDED.pool_admdvs,
            insutype = EXCLUDED.insutype,
            insured = EXCLUDED.insured,
            opened_at = EXCLUDED.opened_at,
            registrations = EXCLUDED.registrations
        WHERE wallet.version <= EXCLUDED.version
        """,
        [wallet.person_id for wallet in wallets],
        [wallet.version for wallet in wallets],
        [wallet.psn_no for wallet in wallets],
        [wallet.pool_admdvs for wallet in wallets],
        [wallet.insutype for wallet in wallets],
        [wallet.insured for wallet in wallets],
        [wallet.opened_at for wallet in wallets],
        [_text_of(wallet.registrations) for wallet in wallets],
        rows=len(wallets),
    )
