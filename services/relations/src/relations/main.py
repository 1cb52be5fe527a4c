"""Relations, assembled; `python -m relations --help` lists what it runs as."""

from __future__ import annotations

from pathlib import Path

from contracts import topics
from gm.sm4gcm import Sm4Key
from kit.run import Parts, Runtime, Service, Sweep, cli
from policy.policy import Policy
from relations.edge.clerk import kinship_commands, persons_commands
from relations.edge.history import history
from relations.edge.http import desk_of, routes
from relations.edge.identities import Identities, province_keys
from relations.edge.kafka import (
    PROVINCE_TOPICS,
    WALLET_TOPICS,
    provinces_reading,
    wallet_reading,
)
from relations.edge.room import Room
from relations.settings import Settings
from relations.store.audits import AUDITS

MIGRATIONS = Path(__file__).parents[2] / "migrations"


def identities_of(settings: Settings) -> Identities:
    """Raises ValueError for a key of a wrong length, OSError for a missing file."""
    own = bytes.fromhex(settings.identity_sm4_key.get_secret_value())
    return Identities(
        own=Sm4Key(key_id=settings.identity_key_id, key=own),
        index_key=bytes.fromhex(settings.identity_index_key.get_secret_value()),
        provinces=province_keys(settings.province_keys_file.read_text(encoding="utf-8")),
    )


async def assemble(runtime: Runtime[Settings]) -> Parts:
    settings = runtime.settings
    identities = identities_of(settings)
    policy = Policy.load(settings.policy_dir)
    room = Room(runtime.pools[0], policy)
    desk = desk_of(room, most=settings.batch_most, queue=settings.queue_most)
    runtime.on_close(desk.close)
    app = runtime.app(description="Persons, who is insured where, who is whose relative.")
    app.include_router(routes(room, identities, desk, settings.service_token))
    app.include_router(history(room, settings.service_token))
    desk.serve(app, "/internal/commands", token=settings.service_token)
    return Parts(
        app=app,
        consumers=(
            runtime.consumer(
                name="provinces",
                topics=PROVINCE_TOPICS,
                reading=provinces_reading(identities, policy),
                submit=room.perform,
            ),
            runtime.consumer(
                name="wallet",
                topics=WALLET_TOPICS,
                reading=wallet_reading(),
                submit=room.perform,
            ),
        ),
        sweeps=(Sweep(name="due", every_seconds=settings.sweep_every_seconds, sweep=room.sweep),),
    )


TOPICS = (
    topics.RELATION,
    topics.PERSON,
    topics.QUOTA,
    *topics.FROM_PROVINCES,
    *topics.TO_PROVINCES,
)

SERVICE = Service(
    name="relations",
    settings=Settings,
    migrations=MIGRATIONS,
    assemble=assemble,
    topics=lambda _settings: TOPICS,
    source=lambda _cell: "/relations",
    audits=AUDITS,
)

app = cli(SERVICE)
app.add_typer(kinship_commands(), name="kinship")
app.add_typer(persons_commands(), name="persons")
