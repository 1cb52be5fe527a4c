"""What is only looked at: no lock, no transaction of ours."""

from __future__ import annotations

from typing import Any

from kit.postgres import Pool
from sandbox.domain.behaviour import Behaviour
from sandbox.domain.people import Person
from sandbox.store.behaviours import behaviour_of
from sandbox.store.people import person_of


async def person_by_psn_no(pool: Pool, psn_no: str) -> Person | None:
    row = await pool.fetchrow(
        """
        SELECT
            psn_no, province, insuplc_admdvs, insutype, psn_cert_type, cert_no, name,
            born_on, retired
        FROM person WHERE psn_no = $1
        """,
        psn_no,
    )
    return None if row is None else person_of(row)


async def person_by_ec_code(pool: Pool, code: str) -> Person | None:
    """Whose code this is, as long as it is valid."""
    row = await pool.fetchrow(
        """
        SELECT
            psn_no, province, insuplc_admdvs, insutype, psn_cert_type, cert_no, name,
            born_on, retired
        FROM ec_code JOIN person USING (psn_no)
        WHERE code = $1 AND expires_at > clock_timestamp()
        """,
        code,
    )
    return None if row is None else person_of(row)


async def account_balances(pool: Pool, province: str, psn_no: str) -> tuple[int, int] | None:
    """Balance and what is frozen of it; zeros for somebody whose scheme has no account."""
    row = await pool.fetchrow(
        """
        SELECT coalesce(balance_fen, 0) AS balance_fen, coalesce(frozen_fen, 0) AS frozen_fen
        FROM person LEFT JOIN account USING (province, psn_no)
        WHERE province = $1 AND psn_no = $2
        """,
        province,
        psn_no,
    )
    return None if row is None else (row["balance_fen"], row["frozen_fen"])


async def everybody(pool: Pool) -> list[dict[str, Any]]:
    """All people, oldest first, with the balance of their account."""
    rows = await pool.fetch(
        """
        SELECT
            psn_no, psn_cert_type, cert_no, name, insutype, insuplc_admdvs,
            coalesce(balance_fen, 0) AS balance_fen
        FROM person LEFT JOIN account USING (province, psn_no)
        ORDER BY number
        """
    )
    return [dict(row) for row in rows]


async def behaviours(pool: Pool) -> dict[str, Behaviour]:
    """How provinces were told to behave; one that is missing is well-behaved."""
    rows = await pool.fetch(
        """
        SELECT
            province, freeze_mode, late_ms, duplicate, reorder, premium_mode, kinship_mode,
            clearing_mode
        FROM behaviour
        """
    )
    return {row["province"]: behaviour_of(row) for row in rows}


async def due_answers(pool: Pool, most: int) -> list[tuple[int, str]]:
    """Held answers whose time has come, in the order in which they are told, and whose they are."""
    rows = await pool.fetch(
        """
        SELECT answer_id, province FROM held_answer
        WHERE sent_at IS NULL AND due_at <= clock_timestamp()
        ORDER BY due_at, answer_id
        LIMIT $1
        """,
        most,
    )
    return [(row["answer_id"], row["province"]) for row in rows]
