"""The stack's own PostgreSQL and Kafka, or what it needs on somebody else's."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.local import foreign
from deploy.local.checkout import Checkout
from deploy.local.choice import Choice
from deploy.local.jars import ensure_jars
from deploy.local.kafka import Broker
from deploy.local.ports import free_port
from deploy.local.postgres import Cluster


def cluster(checkout: Checkout, choice: Choice) -> Cluster:
    """On a fresh port each time, unless one was chosen; a restart within a stack keeps it."""
    return Cluster(
        data=checkout.pgdata,
        port=choice.postgres_port or free_port(),
        log=checkout.log("postgres"),
        settings={},
    )


def broker(checkout: Checkout, choice: Choice) -> Broker:
    return Broker(
        folder=checkout.kafka,
        jars=checkout.jars,
        port=choice.kafka_port or free_port(),
        controller_port=free_port(),
        log=checkout.log("kafka"),
    )


def prepare_broker(found: Broker) -> None:
    ensure_jars(found.jars)
    found.create()


async def ensure_databases(admin_dsn: str, names: Mapping[str, str]) -> dict[str, str]:
    """Service → DSN of its database, created if missing."""
    dsns = await foreign.ensure_databases(admin_dsn, list(names.values()))
    return {service: dsns[name] for service, name in names.items()}
