"""What provinces were issued for their months, what they said of it, and what they paid."""

from __future__ import annotations

from collections.abc import Collection

import asyncpg
from pydantic import TypeAdapter

from contracts.events import IssuedLine
from kit.transaction import Transaction
from sandbox.domain.clearing import Clearing, ClearingName, ClearingState, Months

_LINES = TypeAdapter(tuple[IssuedLine, ...])


async def read_months(tx: Transaction, names: Collection[ClearingName]) -> Months:
    """Those of these clearings that were issued before."""
    rows = await tx.fetch(
        """
        SELECT province, period, version, digest, lines, state, told_at, decided_at
        FROM unnest($1::text[], $2::text[], $3::integer[]) AS asked (province, period, version)
        JOIN clearing USING (province, period, version)
        """,
        [province for province, _, _ in names],
        [period for _, period, _ in names],
        [version for _, _, version in names],
    )
    return _months_of(rows)


async def read_unconfirmed_months(tx: Transaction, province: str) -> Months:
    """What this province has kept silent about, or disputed; the earliest month first."""
    rows = await tx.fetch(
        """
        SELECT province, period, version, digest, lines, state, told_at, decided_at
        FROM clearing WHERE province = $1 AND state <> 'confirmed'
        ORDER BY period, version
        """,
        province,
    )
    return _months_of(rows)


def _months_of(rows: list[asyncpg.Record]) -> Months:
    clearings = [
        Clearing(
            province=row["province"],
            period=row["period"],
            version=row["version"],
            digest=row["digest"],
            lines=_LINES.validate_json(row["lines"]),
            state=ClearingState(row["state"]),
            told_at=row["told_at"],
            decided_at=row["decided_at"],
        )
        for row in rows
    ]
    return Months(known={clearing.name: clearing for clearing in clearings})


async def write_months(tx: Transaction, months: Months) -> None:
    """Write what a batch changed."""
    await _insert_clearings(tx, [months.known[name] for name in months.new])
    await _write_decided(tx, [months.known[name] for name in months.decided - months.new])
    await _insert_transfers(tx, months)


async def _insert_clearings(tx: Transaction, clearings: list[Clearing]) -> None:
    if not clearings:
        return
    await tx.write(
        """
        INSERT INTO clearing (
            province, period, version, digest, lines, state, told_at, decided_at
        )
        SELECT province, period, version, digest, lines, state, told_at, decided_at
        FROM unnest(
            $1::text[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::text[],
            $7::timestamptz[], $8::timestamptz[]
        ) AS new (province, period, version, digest, lines, state, told_at, decided_at)
        """,
        [clearing.province for clearing in clearings],
        [clearing.period for clearing in clearings],
        [clearing.version for clearing in clearings],
        [clearing.digest for clearing in clearings],
        [_LINES.dump_json(clearing.lines).decode() for clearing in clearings],
        [clearing.state.value for clearing in clearings],
        [clearing.told_at for clearing in clearings],
        [clearing.decided_at for clearing in clearings],
        rows=len(clearings),
    )


async def _write_decided(tx: Transaction, clearings: list[Clearing]) -> None:
    if not clearings:
        return
    await tx.write(
        """
        UPDATE clearing SET state = new.state, decided_at = new.decided_at
        FROM unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::timestamptz[])
            AS new (province, period, version, state, decided_at)
        WHERE clearing.province = new.province AND clearing.period = new.period
            AND clearing.version = new.version AND clearing.state <> 'confirmed'
        """,
        [clearing.province for clearing in clearings],
        [clearing.period for clearing in clearings],
        [clearing.version for clearing in clearings],
        [clearing.state.value for clearing in clearings],
        [clearing.decided_at for clearing in clearings],
        rows=len(clearings),
    )


async def _insert_transfers(tx: Transaction, months: Months) -> None:
    if not months.transfers:
        return
    await tx.insert(
        "transfer",
        ("province", "period", "version", "counterpart", "amount_fen", "paid_on"),
        [
            (*transfer.clearing, transfer.counterpart, transfer.amount_fen, transfer.paid_on)
            for transfer in months.transfers
        ],
    )
