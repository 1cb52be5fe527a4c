"""Reading what I9 looks at: the wallet's and settlement's rows, and what topics say of months."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from proof.adapters import Record
from proof.databases import cells_of, connected, snapshot
from proof.rows import Closed, Cut, Issued, Line, Paid, ToppedUp

OF_MONTHS = {
    "period.cut.v1",
    "clearing.issued.v1",
    "clearing.closed.v1",
    "clearing.paid.v1",
    "prefund.topped-up.v1",
}
"""What is told of months and looked at here; all of it stands in these topics."""

MONTH_TOPICS = ("wallet.period", "to.", "from.")

_FROM_ENTRIES = """
SELECT
    coalesce(entry.refund_id, entry.payment_id)::text AS cause_id, entry.quota_id::text,
    entry.payment_id::text, entry.period, payment.period AS captured_period,
    sharer_admdvs AS debtor, coalesce(mdtrtarea_admvs, insuplc_admdvs) AS creditor,
    purpose AS kind, coalesce(institution, '') AS institution,
    sum(CASE WHEN target = 'spent' THEN entry.amount ELSE -entry.amount END)::bigint AS amount
FROM entry
JOIN payment USING (payment_id)
JOIN quota USING (quota_id)
WHERE source = 'spent' OR target = 'spent'
GROUP BY
    entry.refund_id, entry.payment_id, entry.quota_id, entry.period, payment.period,
    sharer_admdvs, mdtrtarea_admvs, insuplc_admdvs, purpose, institution
"""

# A payment is charged to its quotas from the first to the last, and given back from the last:
# after each change of what is charged, each has given what the ones before it have left over.
_FROM_PAYMENTS = """
WITH change AS (
    SELECT payment_id, payment_id AS cause_id, period, captured_at AS at, 0 AS n, captured AS delta
    FROM payment WHERE captured > 0
    UNION ALL
    SELECT
        payment_id, refund_id, period, at, 1,
        CASE WHEN kind = 'retake' THEN amount ELSE -amount END
    FROM refund
),
charge AS (
    SELECT *, sum(delta) OVER (
        PARTITION BY payment_id ORDER BY n, at, cause_id ROWS UNBOUNDED PRECEDING
    ) AS charged
    FROM change
),
place AS (
    SELECT *, sum(amount) OVER (
        PARTITION BY payment_id ORDER BY ordinal ROWS UNBOUNDED PRECEDING
    ) - amount AS before
    FROM allocation
),
line AS (
    SELECT
        charge.payment_id, cause_id, quota_id, charge.period, sharer_admdvs,
        greatest(least(place.amount, charged - before), 0)
        - greatest(least(place.amount, charged - delta - before), 0) AS amount
    FROM charge
    JOIN place USING (payment_id)
)
SELECT
    cause_id::text, quota_id::text, line.payment_id::text, line.period,
    payment.period AS captured_period, sharer_admdvs AS debtor,
    coalesce(mdtrtarea_admvs, insuplc_admdvs) AS creditor, purpose AS kind,
    coalesce(institution, '') AS institution, line.amount::bigint
FROM line
JOIN payment USING (payment_id)
WHERE line.amount <> 0
"""

_RECORDED = """
SELECT
    cell::integer, cause_id::text, quota_id::text, payment_id::text, period, captured_period,
    debtor, creditor, kind, institution, amount
FROM line
"""


async def read_wallet_lines(dsn: str) -> tuple[list[Line], list[Line]]:
    """The lines that the entries have, and those that payments and opposite rows amount to."""
    entries: list[Line] = []
    payments: list[Line] = []
    async with connected(dsn) as connection:
        for schema in await cells_of(connection):
            cell = int(schema.removeprefix("cell_"))
            async with snapshot(connection, schema):
                for sql, lines in ((_FROM_ENTRIES, entries), (_FROM_PAYMENTS, payments)):
                    lines += [Line(cell=cell, **row) for row in await connection.fetch(sql)]
    return entries, payments


async def read_recorded_lines(dsn: str) -> list[Line]:
    """The lines that settlement has."""
    async with connected(dsn) as connection:
        [schema] = await cells_of(connection)
        async with snapshot(connection, schema):
            return [Line(**row) for row in await connection.fetch(_RECORDED)]


def cuts_in(records: Iterable[Record]) -> list[Cut]:
    """What cells told when they were cut."""
    return [
        Cut(
            period=body["period"],
            cell=body["cell"],
            cells=body["cells"],
            totals={
                (each["debtor"], each["creditor"], each["kind"]): (
                    *(each["count"], each["sum_fen"]),
                    each["hash"],
                )
                for each in body["lines"]
            },
        )
        for record, body in _bodies(records, "period.cut.v1")
        if record.header("ce_source").startswith("/wallet/cell-") and body.keys() >= _OF_A_CUT
    ]


_OF_A_CUT = {"period", "cell", "cells", "lines"}


def issued_in(records: Iterable[Record]) -> list[Issued]:
    """What provinces were issued."""
    return [
        Issued(
            event_id=record.header("ce_id"),
            province=_province_of(record),
            period=body["period"],
            version=body["version"],
            digest=body["digest"],
            lines={
                (each["counterpart"], each["kind"], each["direction"]): _sum_of(each)
                for each in body["lines"]
            },
            inside={
                (each["debtor"], each["creditor"], each["kind"]): _sum_of(each)
                for each in body["inside"]
            },
        )
        for record, body in _bodies(records, "clearing.issued.v1")
    ]


def closed_in(records: Iterable[Record]) -> list[Closed]:
    return [
        Closed(
            event_id=record.header("ce_id"),
            province=_province_of(record),
            period=body["period"],
            version=body["version"],
        )
        for record, body in _bodies(records, "clearing.closed.v1")
    ]


def paid_in(records: Iterable[Record]) -> list[Paid]:
    """What provinces said that they paid other provinces, each on its own topic, in order."""
    return [
        Paid(
            event_id=record.header("ce_id"),
            period=body["period"],
            payer=body["payer"],
            payee=body["payee"],
            amount=body["amount_fen"],
        )
        for record, body in _bodies(records, "clearing.paid.v1")
        if body["tier"] == "interprovince" and body["payer"] == _province_of(record)
    ]


def topped_up_in(records: Iterable[Record]) -> list[ToppedUp]:
    return [
        ToppedUp(
            event_id=record.header("ce_id"),
            province=_province_of(record),
            counterpart=body["counterpart"],
            amount=body["amount_fen"],
        )
        for record, body in _bodies(records, "prefund.topped-up.v1")
    ]


def _bodies(records: Iterable[Record], type_: str) -> list[tuple[Record, Mapping[str, Any]]]:
    """Bodies of a type, as far as they can be read: what cannot is parked, and clears nothing."""
    return [
        (record, body)
        for record in records
        if record.header("ce_type") == type_ and not record.topic.startswith("dead.")
        if (body := _body_of(record)) is not None
    ]


def _body_of(record: Record) -> Mapping[str, Any] | None:
    try:
        body = json.loads(record.value)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _province_of(record: Record) -> str:
    return record.topic.rpartition(".")[2]


def _sum_of(told: Mapping[str, Any]) -> tuple[int, int]:
    return told["count"], told["sum_fen"]
