"""Record a payment: it stands in its institution's list and on its people's timelines.

The beneficiary sees the payment; a sharer sees what was given, and on which day.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gateway.domain.decisions import TAKEN, Decision
from gateway.domain.happenings import RecordPayment
from gateway.store.happenings import insert_happenings, insert_shares, list_payments
from kit.transaction import Transaction


async def record_payment(
    tx: Transaction, commands: Sequence[RecordPayment], _now: datetime
) -> list[Decision]:
    await list_payments(tx, [each.listed for each in commands if each.listed is not None])
    await insert_happenings(tx, [each.happening for each in commands])
    await insert_shares(tx, [share for each in commands for share in each.shares])
    return [TAKEN for _ in commands]
