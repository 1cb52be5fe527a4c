"""Reading what a batch works on: the door holds the lock, so what is read stays true."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from kit.transaction import Transaction
from settlement.domain.books import Books
from settlement.domain.prefund import Pair, Prefunds, ThresholdsOf
from settlement.store.months import months_of
from settlement.store.prefunds import prefunds_of


async def open_books(tx: Transaction, now: datetime, periods: Collection[str] = ()) -> Books:
    """These months, as far as they were cut."""
    return Books(now=now, months=await months_of(tx, periods) if periods else {})


async def open_prefunds(
    tx: Transaction, now: datetime, thresholds_of: ThresholdsOf, pairs: Collection[Pair]
) -> Prefunds:
    """The prefunds of these pairs, to be changed."""
    before = await prefunds_of(tx, pairs) if pairs else {}
    return Prefunds(before=before, thresholds_of=thresholds_of, now=now)
