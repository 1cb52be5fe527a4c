"""Settlement, assembled; `python -m settlement --help` lists what it runs as."""

from __future__ import annotations

from pathlib import Path

from contracts import topics
from kit.run import Parts, Runtime, Service, Sweep, cli
from policy.policy import Policy
from settlement.edge.clerk import month_commands
from settlement.edge.history import history
from settlement.edge.http import routes
from settlement.edge.kafka import (
    PAYMENT_TOPICS,
    PERIOD_TOPICS,
    PROVINCE_TOPICS,
    payments_reading,
    periods_reading,
    provinces_reading,
)
from settlement.edge.room import Room
from settlement.settings import Settings
from settlement.store.audits import AUDITS

MIGRATIONS = Path(__file__).parents[2] / "migrations"

MOST_PAYMENTS = 2000
"""Records a batch: what is done once a batch, and told once a pair of provinces, is then little."""

SWEEP_SECONDS = 1.0


async def assemble(runtime: Runtime[Settings]) -> Parts:
    settings = runtime.settings
    room = Room(runtime.pools[0], settings.database_url, Policy.load(settings.policy_dir))
    app = runtime.app(description="What the provinces owe each other. Amounts are whole fen.")
    app.include_router(routes(room, settings.service_token))
    app.include_router(history(room, settings.service_token))
    return Parts(
        app=app,
        consumers=(
            runtime.consumer(
                name="payments",
                topics=PAYMENT_TOPICS,
                reading=payments_reading(),
                submit=room.perform,
                most_records=MOST_PAYMENTS,
            ),
            runtime.consumer(
                name="periods",
                topics=PERIOD_TOPICS,
                reading=periods_reading(),
                submit=room.perform,
            ),
            runtime.consumer(
                name="provinces",
                topics=PROVINCE_TOPICS,
                reading=provinces_reading(),
                submit=room.perform,
            ),
        ),
        sweeps=(Sweep(name="balance", every_seconds=SWEEP_SECONDS, sweep=room.balance_level),),
    )


TOPICS = (
    topics.PAYMENT,
    topics.PERIOD,
    topics.CLEARING,
    topics.PREFUND,
    *topics.FROM_PROVINCES,
    *topics.TO_PROVINCES,
)

SERVICE = Service(
    name="settlement",
    settings=Settings,
    migrations=MIGRATIONS,
    assemble=assemble,
    topics=lambda _settings: TOPICS,
    source=lambda _cell: "/settlement",
    audits=AUDITS,
)

app = cli(SERVICE)
app.add_typer(month_commands(), name="month")
