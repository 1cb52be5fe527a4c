"""How provinces were told to behave, and the answers that this holds back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import asyncpg

from kit.transaction import Transaction
from kit.work import Event
from sandbox.domain.behaviour import Behaviour, HeldAnswer, Voice


async def read_voice(tx: Transaction, provinces: Collection[str]) -> Voice:
    """How these provinces speak now."""
    rows = await tx.fetch(
        """
        SELECT
            province, freeze_mode, late_ms, duplicate, reorder, premium_mode, kinship_mode,
            clearing_mode
        FROM behaviour WHERE province = ANY($1::text[])
        """,
        list(provinces),
    )
    behaviours = {row["province"]: behaviour_of(row) for row in rows}
    reordering = [name for name, behaviour in behaviours.items() if behaviour.reorder]
    return Voice(
        behaviours=behaviours,
        holding_back=await _holding_back(tx, reordering) if reordering else set(),
    )


def behaviour_of(row: asyncpg.Record) -> Behaviour:
    return Behaviour(
        freeze=row["freeze_mode"],
        late_ms=row["late_ms"],
        duplicate=row["duplicate"],
        reorder=row["reorder"],
        premium=row["premium_mode"],
        kinship=row["kinship_mode"],
        clearing=row["clearing_mode"],
    )


async def _holding_back(tx: Transaction, provinces: Sequence[str]) -> set[str]:
    rows = await tx.fetch(
        """
        SELECT DISTINCT province FROM held_answer
        WHERE province = ANY($1::text[]) AND sent_at IS NULL
        """,
        list(provinces),
    )
    return {row["province"] for row in rows}


async def write_behaviour(tx: Transaction, province: str, behaviour: Behaviour) -> None:
    await tx.write(
        """
        INSERT INTO behaviour (
            province, freeze_mode, late_ms, duplicate, reorder, premium_mode, kinship_mode,
            clearing_mode
        )
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (province) DO UPDATE SET
            freeze_mode = EXCLUDED.freeze_mode, late_ms = EXCLUDED.late_ms,
            duplicate = EXCLUDED.duplicate, reorder = EXCLUDED.reorder,
            premium_mode = EXCLUDED.premium_mode, kinship_mode = EXCLUDED.kinship_mode,
            clearing_mode = EXCLUDED.clearing_mode
        """,
        province,
        behaviour.freeze,
        behaviour.late_ms,
        behaviour.duplicate,
        behaviour.reorder,
        behaviour.premium,
        behaviour.kinship,
        behaviour.clearing,
        rows=1,
    )


async def write_held_answers(tx: Transaction, answers: Sequence[HeldAnswer]) -> None:
    if not answers:
        return
    await tx.write(
        """
        INSERT INTO held_answer
            (province, topic, key, type, subject, data, copies, due_at)
        SELECT province, topic, key, type, subject, data, copies, due_at
        FROM unnest(
            $1::text[], $2::text[], $3::text[], $4::text[], $5::text[],
            $6::bytea[], $7::integer[], $8::timestamptz[]
        ) WITH ORDINALITY AS new (province, topic, key, type, subject, data, copies, due_at, n)
        ORDER BY n
        """,
        [answer.province for answer in answers],
        [answer.event.topic for answer in answers],
        [answer.event.key for answer in answers],
        [answer.event.type for answer in answers],
        [answer.event.subject for answer in answers],
        [answer.event.data for answer in answers],
        [answer.copies for answer in answers],
        [answer.due_at for answer in answers],
        rows=len(answers),
    )


async def read_held_answers(tx: Transaction, answer_ids: Sequence[int]) -> dict[int, HeldAnswer]:
    """Those of these answers that were not sent yet."""
    rows = await tx.fetch(
        """
        SELECT answer_id, province, topic, key, type, subject, data, copies, due_at
        FROM held_answer WHERE answer_id = ANY($1::bigint[]) AND sent_at IS NULL
        """,
        list(answer_ids),
    )
    return {
        row["answer_id"]: HeldAnswer(
            province=row["province"],
            event=Event(
                topic=row["topic"],
                key=row["key"],
                type=row["type"],
                subject=row["subject"],
                data=row["data"],
            ),
            copies=row["copies"],
            due_at=row["due_at"],
        )
        for row in rows
    }


async def write_sent(tx: Transaction, answer_ids: Sequence[int], now: datetime) -> None:
    if not answer_ids:
        return
    await tx.write(
        """
        UPDATE held_answer SET sent_at = $2
        WHERE answer_id = ANY($1::bigint[]) AND sent_at IS NULL
        """,
        list(answer_ids),
        now,
        rows=len(answer_ids),
    )
