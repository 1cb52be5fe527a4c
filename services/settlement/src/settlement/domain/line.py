"""A line: what one quota gave to a payment or, below 0, got back of it (R15, R18, R22).

The hash of a line, and the sum of hashes, are what the wallet tells of a month at its cut: two sets
of lines with the same count, sum and hash are the same.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import NamedTuple

BELOW = 1 << 64
"""Hashes and their sums are taken modulo this."""


class Line(NamedTuple):
    """What one sharer's pool owes one place of care, or fund; in fen, and in this order stored.

    `cause_id` is the payment or, of an opposite row, that row. `period` is the Beijing month in
    which it is cleared, `captured_period` that of the payment. Ids are lower-case text, as told.
    """

    cause_id: str
    quota_id: str
    payment_id: str
    cell: int
    period: str
    captured_period: str
    debtor: str
    creditor: str
    debtor_province: str
    creditor_province: str
    kind: str
    institution: str
    amount: int
    happened_at: datetime
    recorded_at: datetime


def line_hash(cause_id: str, quota_id: str, amount: int) -> int:
    """The first 64 bits of SHA-256 of `cause_id|quota_id|amount`."""
    text = f"{cause_id}|{quota_id}|{amount}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def cell_of_text(identifier: str) -> int | None:
    """The cell in an id of ours, as `kit.ids.cell_of_id` finds it, from its text alone."""
    return int(identifier[15:18], 16) if identifier[14] == "7" else None
