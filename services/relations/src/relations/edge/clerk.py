"""`python -m relations kinship | persons`: what a clerk decides that no province can."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Literal
from uuid import UUID

import typer

from kit.answers import Answer
from kit.launch import read_settings
from kit.postgres import open_pool, schema_of
from kit.run import DatabaseSettings, run
from kit.work import Outcome
from policy.policy import Policy
from relations.edge.room import Room
from relations.store.persons import owners_of_numbers
from relations.store.relations import relations_for_a_clerk

PERSONS_HELP = """Persons who turned out to be one: known twice, under two certificates.

同一人持两种证件被登记为两人时，由经办合并。

The one that is merged away ends its relations, and its numbers, enrolments and registrations are
the other's from then on. A merge is for ever (合并不可撤销): look at both certificates first.
"""


class ClerkSettings(DatabaseSettings):
    """What a clerk's command needs: the database, and what the regions say."""

    policy_dir: Path | None = None


def kinship_commands() -> typer.Typer:
    """`python -m relations kinship waiting | yes | no`: review by a clerk (R13)."""
    app = typer.Typer(no_args_is_help=True, help="Relatives whom no province knows as such.")

    @app.command("waiting", help="Inquiries that wait for a clerk: id, kind, since when.")
    def waiting() -> None:
        run(_with_room(_print_waiting))

    @app.command("yes", help="Proof was seen: they are what they say.")
    def yes(inquiry_id: UUID) -> None:
        run(_with_room(partial(_review, inquiry_id, "yes")))

    @app.command("no", help="They are not: the relation is declined.")
    def no(inquiry_id: UUID) -> None:
        run(_with_room(partial(_review, inquiry_id, "no")))

    return app


def persons_commands() -> typer.Typer:
    """`python -m relations persons find | merge`."""
    app = typer.Typer(no_args_is_help=True, help=PERSONS_HELP)

    @app.command("find")
    def find(pool_admdvs: str, psn_no: str) -> None:
        """The person_id of whoever a pooling area calls so. 按统筹区与人员编号查 person_id。"""
        run(_with_room(partial(_print_person, pool_admdvs, psn_no)))

    @app.command("merge")
    def merge(merged_id: UUID, kept_id: UUID) -> None:
        """MERGED_ID is KEPT_ID from now on. 将前者并入后者，不可撤销。

        Afterwards redrive what was parked as `number-of-another`.
        """
        run(_with_room(partial(_merge, merged_id, kept_id)))

    return app


async def _with_room(act: Callable[[Room], Awaitable[None]]) -> None:
    settings = read_settings(ClerkSettings)
    pool = await open_pool(
        settings.database_url, schema=schema_of(0), size=1, application_name="relations-clerk"
    )
    try:
        await act(Room(pool, Policy.load(settings.policy_dir)))
    finally:
        await pool.close()


async def _print_waiting(room: Room) -> None:
    async with room.reading() as tx:
        for relation in await relations_for_a_clerk(tx):
            assert relation.inquiry is not None
            since = relation.inquiry.asked_at.isoformat()
            typer.echo(f"{relation.inquiry.inquiry_id} {relation.kind} {since}")


async def _print_person(pool_admdvs: str, psn_no: str, room: Room) -> None:
    async with room.reading() as tx:
        found = await owners_of_numbers(tx, [(pool_admdvs, psn_no)])
    if not found:
        raise SystemExit("nobody is called so 查无此人")
    typer.echo(str(found[pool_admdvs, psn_no]))


async def _review(inquiry_id: UUID, answer: Literal["yes", "no"], room: Room) -> None:
    _require_done(await room.review(inquiry_id, answer))


async def _merge(merged_id: UUID, kept_id: UUID, room: Room) -> None:
    _require_done(await room.merge(merged_id, kept_id))
    typer.echo("done 已处理")


def _require_done(outcome: Outcome) -> None:
    if not isinstance(outcome, Answer) or outcome.status != 200:
        raise SystemExit(outcome.body if isinstance(outcome, Answer) else str(outcome))
