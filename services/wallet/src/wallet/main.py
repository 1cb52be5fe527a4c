"""The wallet, assembled; `python -m wallet --help` lists what it runs as."""

from __future__ import annotations

from pathlib import Path

from contracts import topics
from kit.run import Parts, Runtime, Service, cli
from policy.policy import Policy
from wallet.domain.patience import Insistence, Patience
from wallet.edge.cells import Cells
from wallet.edge.clerk import orders_commands
from wallet.edge.finding import finding
from wallet.edge.history import history
from wallet.edge.http import desk_of, routes
from wallet.edge.kafka import (
    PROVINCE_TOPICS,
    RELATIONS_TOPICS,
    provinces_reading,
    relations_reading,
)
from wallet.edge.months import Months, resuming
from wallet.edge.periods import periods
from wallet.edge.quotes import quoting
from wallet.edge.sweeps import asking_again, asking_orders_again, expiring
from wallet.settings import Settings
from wallet.store.audits import AUDITS

MIGRATIONS = Path(__file__).parents[2] / "migrations"


MOST_BATCH_BYTES = 64 << 20
"""A batch of the gateway: up to 200 bodies of up to 1 MiB are rare, 200 of 60 kB are not."""


async def assemble(runtime: Runtime[Settings]) -> Parts:
    settings = runtime.settings
    policy = Policy.load(settings.policy_dir)
    insistence = Insistence(
        first_seconds=settings.ask_premium_again_first_seconds,
        longest_seconds=settings.ask_premium_again_longest_seconds,
    )
    cells = Cells(runtime.pools, policy, insistence)
    desk = desk_of(cells, most=settings.batch_most, queue=settings.queue_most)
    runtime.on_close(desk.close)
    months = Months(cells, dsn=settings.database_url, early=settings.early_cut)
    runtime.on_close(months.close)
    patience = Patience(
        first_seconds=settings.ask_again_first_seconds,
        longest_seconds=settings.ask_again_longest_seconds,
        most_asks=settings.ask_again_most,
    )
    app = runtime.app(
        description="The only ledger of quota money. Amounts are whole fen.",
        most_bytes=MOST_BATCH_BYTES,
    )
    app.include_router(routes(cells, desk, settings.service_token))
    app.include_router(finding(cells, settings.service_token))
    app.include_router(history(cells, settings.service_token))
    app.include_router(quoting(cells, policy, settings.service_token))
    app.include_router(periods(months, settings.service_token))
    desk.serve(app, "/internal/commands", token=settings.service_token)
    return Parts(
        app=app,
        sweeps=(
            expiring(cells),
            asking_again(cells),
            asking_orders_again(cells, patience),
            resuming(months),
        ),
        consumers=(
            runtime.consumer(
                name="relations",
                topics=RELATIONS_TOPICS,
                reading=relations_reading(cells),
                submit=cells.perform,
            ),
            runtime.consumer(
                name="provinces",
                topics=PROVINCE_TOPICS,
                reading=provinces_reading(cells),
                submit=cells.perform,
            ),
        ),
    )


TOPICS = (
    topics.RELATION,
    topics.PERSON,
    topics.QUOTA,
    topics.PAYMENT,
    topics.PERIOD,
    *topics.FROM_PROVINCES,
    *topics.TO_PROVINCES,
)

SERVICE = Service(
    name="wallet",
    settings=Settings,
    migrations=MIGRATIONS,
    assemble=assemble,
    topics=lambda _settings: TOPICS,
    source=lambda cell: f"/wallet/cell-{cell}",
    celled=True,
    audits=AUDITS,
)

app = cli(SERVICE)
app.add_typer(orders_commands(SERVICE), name="orders")
