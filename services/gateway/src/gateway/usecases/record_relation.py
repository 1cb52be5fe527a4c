"""Record a relation: both of its persons see what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gateway.domain.decisions import TAKEN, Decision
from gateway.domain.happenings import RecordRelation, happenings_of_relation
from gateway.store.happenings import insert_happenings
from kit.transaction import Transaction


async def record_relation(
    tx: Transaction, commands: Sequence[RecordRelation], _now: datetime
) -> list[Decision]:
    seen = [each for command in commands for each in happenings_of_relation(command)]
    await insert_happenings(tx, seen)
    return [TAKEN for _ in commands]
