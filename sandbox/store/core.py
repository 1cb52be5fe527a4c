"""Reading a batch's part of the provincial cores, and writing what was decided."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal, cast
from uuid import UUID

import asyncpg

from kit.transaction import Transaction
from sandbox.domain.core import (
    Account,
    AccountName,
    Asked,
    Core,
    Entry,
    Freeze,
    FreezeState,
    Order,
)


async def read_core(
    tx: Transaction,
    *,
    accounts: Collection[AccountName],
    quota_ids: Collection[UUID] = (),
    freeze_ids: Collection[UUID] = (),
    order_ids: Collection[UUID] = (),
) -> Core:
    """The books of these accounts, quotas, freezes and orders, as far as they exist."""
    return Core(
        accounts=await _accounts(tx, accounts),
        frozen=await _frozen(tx, quota_ids) if quota_ids else {},
        freezes=await _freezes(tx, freeze_ids) if freeze_ids else {},
        orders=await _orders(tx, order_ids) if order_ids else {},
    )


async def write_core(tx: Transaction, core: Core, now: datetime) -> None:
    """Write what a batch changed."""
    await _write_accounts(tx, core)
    await _write_entries(tx, core.entries, now)
    await _write_frozen(tx, core)
    await _write_new_freezes(tx, core.new_freezes)
    await _write_decided_freezes(tx, core.decided_freezes)
    await _write_orders(tx, core.new_orders, now)


async def _accounts(tx: Transaction, names: Collection[AccountName]) -> dict[AccountName, Account]:
    rows = await tx.fetch(
        """
        SELECT province, psn_no, pool_admdvs, balance_fen, frozen_fen
        FROM unnest($1::text[], $2::text[]) AS asked (province, psn_no)
        JOIN account USING (province, psn_no)
        """,
        [province for province, _ in names],
        [psn_no for _, psn_no in names],
    )
    return {(row["province"], row["psn_no"]): Account(**row) for row in rows}


async def _frozen(tx: Transaction, quota_ids: Collection[UUID]) -> dict[UUID, int]:
    rows = await tx.fetch(
        "SELECT quota_id, frozen_fen FROM frozen_quota WHERE quota_id = ANY($1::uuid[])",
        list(quota_ids),
    )
    return {row["quota_id"]: row["frozen_fen"] for row in rows}


async def _freezes(tx: Transaction, freeze_ids: Collection[UUID]) -> dict[UUID, Freeze]:
    rows = await tx.fetch(
        """
        SELECT
            freeze_id, province, psn_no, pool_admdvs, quota_id, amount_fen,
            state, reason, asked_at, decided_at
        FROM freeze_request WHERE freeze_id = ANY($1::uuid[])
        """,
        list(freeze_ids),
    )
    return {row["freeze_id"]: _freeze_of(row) for row in rows}


async def read_waiting_freezes(tx: Transaction, province: str) -> list[Freeze]:
    """The requests that this province has kept silent about, in the order they came."""
    rows = await tx.fetch(
        """
        SELECT
            freeze_id, province, psn_no, pool_admdvs, quota_id, amount_fen,
            state, reason, asked_at, decided_at
        FROM freeze_request WHERE province = $1 AND state = 'waiting'
        ORDER BY asked_at, freeze_id
        """,
        province,
    )
    return [_freeze_of(row) for row in rows]


async def _orders(tx: Transaction, order_ids: Collection[UUID]) -> dict[UUID, Order]:
    rows = await tx.fetch(
        """
        SELECT order_id, kind, province, psn_no, pool_admdvs, quota_id, amount_fen
        FROM account_order WHERE order_id = ANY($1::uuid[])
        """,
        list(order_ids),
    )
    return {
        row["order_id"]: Order(
            order_id=row["order_id"],
            kind=cast(Literal["unfreeze", "debit"], row["kind"]),
            asked=_asked_of(row),
        )
        for row in rows
    }


def _freeze_of(row: asyncpg.Record) -> Freeze:
    return Freeze(
        freeze_id=row["freeze_id"],
        asked=_asked_of(row),
        state=FreezeState(row["state"]),
        reason=row["reason"],
        asked_at=row["asked_at"],
        decided_at=row["decided_at"],
    )


def _asked_of(row: asyncpg.Record) -> Asked:
    return Asked(
        province=row["province"],
        psn_no=row["psn_no"],
        pool_admdvs=row["pool_admdvs"],
        quota_id=row["quota_id"],
        amount_fen=row["amount_fen"],
    )


async def _write_accounts(tx: Transaction, core: Core) -> None:
    changed = [core.accounts[name] for name in {entry.account: None for entry in core.entries}]
    if not changed:
        return
    await tx.write(
        """
        UPDATE account SET balance_fen = new.balance_fen, frozen_fen = new.frozen_fen
        FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[])
            AS new (province, psn_no, balance_fen, frozen_fen)
        WHERE account.province = new.province AND account.psn_no = new.psn_no
        """,
        [account.province for account in changed],
        [account.psn_no for account in changed],
        [account.balance_fen for account in changed],
        [account.frozen_fen for account in changed],
        rows=len(changed),
    )


async def write_opening(tx: Transaction, account: Account, entry: Entry, now: datetime) -> None:
    """A new account and the entry that opens it."""
    await tx.write(
        """
        INSERT INTO account (province, psn_no, pool_admdvs, balance_fen, frozen_fen)
        VALUES ($1, $2, $3, $4, $5)
        """,
        account.province,
        account.psn_no,
        account.pool_admdvs,
        account.balance_fen,
        account.frozen_fen,
        rows=1,
    )
    await _write_entries(tx, [entry], now)


async def _write_entries(tx: Transaction, entries: Sequence[Entry], now: datetime) -> None:
    if not entries:
        return
    await tx.write(
        """
        INSERT INTO entry
            (province, psn_no, kind, quota_id, reference, balance_fen, frozen_fen, posted_at)
        SELECT province, psn_no, kind, quota_id, reference, balance_fen, frozen_fen, $8
        FROM unnest(
            $1::text[], $2::text[], $3::text[], $4::uuid[], $5::uuid[], $6::bigint[], $7::bigint[]
        ) WITH ORDINALITY
            AS new (province, psn_no, kind, quota_id, reference, balance_fen, frozen_fen, n)
        ORDER BY n
        """,
        [entry.account[0] for entry in entries],
        [entry.account[1] for entry in entries],
        [entry.kind.value for entry in entries],
        [entry.quota_id for entry in entries],
        [entry.reference for entry in entries],
        [entry.balance_fen for entry in entries],
        [entry.frozen_fen for entry in entries],
        now,
        rows=len(entries),
    )


async def _write_frozen(tx: Transaction, core: Core) -> None:
    changed = {entry.quota_id: entry.account for entry in core.entries if entry.quota_id}
    if not changed:
        return
    await tx.write(
        """
        INSERT INTO frozen_quota (quota_id, province, psn_no, frozen_fen)
        SELECT quota_id, province, psn_no, frozen_fen
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[])
            AS new (quota_id, province, psn_no, frozen_fen)
        ON CONFLICT (quota_id) DO UPDATE SET frozen_fen = EXCLUDED.frozen_fen
        WHERE frozen_quota.province = EXCLUDED.province
            AND frozen_quota.psn_no = EXCLUDED.psn_no
        """,
        list(changed),
        [province for province, _ in changed.values()],
        [psn_no for _, psn_no in changed.values()],
        [core.frozen[quota_id] for quota_id in changed],
        rows=len(changed),
    )


async def _write_new_freezes(tx: Transaction, freezes: Sequence[Freeze]) -> None:
    if not freezes:
        return
    await tx.write(
        """
        INSERT INTO freeze_request (
            freeze_id, province, psn_no, pool_admdvs, quota_id, amount_fen,
            state, reason, asked_at, decided_at
        )
        SELECT * FROM unnest(
            $1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::bigint[],
            $7::text[], $8::text[], $9::timestamptz[], $10::timestamptz[]
        )
        """,
        [freeze.freeze_id for freeze in freezes],
        [freeze.asked.province for freeze in freezes],
        [freeze.asked.psn_no for freeze in freezes],
        [freeze.asked.pool_admdvs for freeze in freezes],
        [freeze.asked.quota_id for freeze in freezes],
        [freeze.asked.amount_fen for freeze in freezes],
        [freeze.state.value for freeze in freezes],
        [freeze.reason for freeze in freezes],
        [freeze.asked_at for freeze in freezes],
        [freeze.decided_at for freeze in freezes],
        rows=len(freezes),
    )


async def _write_decided_freezes(tx: Transaction, freezes: Sequence[Freeze]) -> None:
    if not freezes:
        return
    await tx.write(
        """
        UPDATE freeze_request
        SET state = new.state, reason = new.reason, decided_at = new.decided_at
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[])
            AS new (freeze_id, state, reason, decided_at)
        WHERE freeze_request.freeze_id = new.freeze_id AND freeze_request.state = 'waiting'
        """,
        [freeze.freeze_id for freeze in freezes],
        [freeze.state.value for freeze in freezes],
        [freeze.reason for freeze in freezes],
        [freeze.decided_at for freeze in freezes],
        rows=len(freezes),
    )


async def _write_orders(tx: Transaction, orders: Sequence[Order], now: datetime) -> None:
    if not orders:
        return
    await tx.write(
        """
        INSERT INTO account_order (
            order_id, kind, province, psn_no, pool_admdvs, quota_id, amount_fen, obeyed_at
        )
        SELECT order_id, kind, province, psn_no, pool_admdvs, quota_id, amount_fen, $8
        FROM unnest(
            $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::bigint[]
        ) AS new (order_id, kind, province, psn_no, pool_admdvs, quota_id, amount_fen)
        """,
        [order.order_id for order in orders],
        [order.kind for order in orders],
        [order.asked.province for order in orders],
        [order.asked.psn_no for order in orders],
        [order.asked.pool_admdvs for order in orders],
        [order.asked.quota_id for order in orders],
        [order.asked.amount_fen for order in orders],
        now,
        rows=len(orders),
    )
