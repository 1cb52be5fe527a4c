"""Audits: named queries that must return no row, asked of every cell, on schedule and by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from prometheus_client import Gauge

from kit.health import Heart
from kit.loops import happens
from kit.postgres import connect, is_passing, schema_of

log = structlog.get_logger("kit.audit")

VIOLATIONS = Gauge("audit_violations", "Rows an audit should not have found", ["audit", "cell"])

MOST_ROWS = 20
"""Rows shown of one audit; that there is one is bad enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """An audit that found rows in a cell."""

    audit: str
    cell: int
    rows: tuple[Mapping[str, Any], ...]


async def audit(dsn: str, cells: int, audits: Mapping[str, str]) -> list[Finding]:
    """Ask every audit of every cell, each cell in one snapshot; logs what it finds."""
    findings: list[Finding] = []
    for cell in range(cells):
        connection = await connect(dsn, schema=schema_of(cell), application_name="audit")
        try:
            # An audit may read a whole table; it holds no lock that anyone waits for.
            await connection.execute(
                "SET transaction_timeout = 0; SET statement_timeout = '300s';"
                "SET idle_in_transaction_session_timeout = '60s'"
            )
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                for name, sql in audits.items():
                    cursor = await connection.cursor(sql, timeout=300)
                    rows = await cursor.fetch(MOST_ROWS, timeout=300)
                    VIOLATIONS.labels(name, cell).set(len(rows))
                    if rows:
                        found = tuple(dict(row) for row in rows)
                        findings.append(Finding(audit=name, cell=cell, rows=found))
                        log.error("audit.violated", audit=name, cell=cell, rows=found)
        finally:
            await connection.close()
    return findings


class AuditLoop:
    """Asks the audits every so often."""

    name = "audit"

    def __init__(
        self, *, dsn: str, cells: int, audits: Mapping[str, str], every_seconds: float = 60.0
    ) -> None:
        self._dsn = dsn
        self._cells = cells
        self._audits = audits
        self._every_seconds = every_seconds
        self.within = every_seconds + 600.0

    async def run(self, heart: Heart, stopping: asyncio.Event) -> None:
        while not await happens(stopping, self._every_seconds):
            heart.beat()
            try:
                await audit(self._dsn, self._cells, self._audits)
            except Exception as error:
                if not is_passing(error):
                    raise
                log.warning("audit.postponed", error=repr(error))
