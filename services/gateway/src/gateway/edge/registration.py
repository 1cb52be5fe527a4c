"""Institutions from a file: a JSON list, registered one and all, as often as one likes."""

from __future__ import annotations

from uuid import uuid4

from pydantic import TypeAdapter

from gateway.usecases.register_institution import RegisterInstitution, register_institution
from kit.answers import Answer
from kit.perform import Door
from kit.postgres import Pool
from kit.work import Job

INSTITUTIONS = TypeAdapter(tuple[RegisterInstitution, ...])

MOST_AT_ONCE = 500


class NotRegistered(Exception):
    """The file names an institution that cannot be registered."""


async def register_all(pool: Pool, text: bytes) -> int:
    """Register every institution of a file's text; returns how many. Raises NotRegistered."""
    commands = INSTITUTIONS.validate_json(text)
    door = Door(pool, 0, {RegisterInstitution: register_institution})
    for first in range(0, len(commands), MOST_AT_ONCE):
        batch = commands[first : first + MOST_AT_ONCE]
        jobs = [
            Job(
                command=command,
                command_id=uuid4(),
                anchors=(command.owner,),
                instance=f"/institutions/{command.code}",
            )
            for command in batch
        ]
        for command, outcome in zip(batch, await door.perform(jobs), strict=True):
            if not isinstance(outcome, Answer) or outcome.status != 200:
                raise NotRegistered(f"{command.code}: {outcome}")
    return len(commands)
