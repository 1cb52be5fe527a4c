"""Fixtures that every test may ask for. Nothing is started that no test asked for."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from typing import Protocol

import pytest

from tests.support import servers, topics
from tests.support.databases import Databases


def pytest_configure(config: pytest.Config) -> None:
    if not is_worker(config):
        servers.begin()


def pytest_unconfigure(config: pytest.Config) -> None:
    if is_worker(config):
        return
    if "DATABASE_URL" in os.environ:
        Databases(os.environ["DATABASE_URL"]).drop_all_of_this_run()
    servers.end()


def is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


@pytest.fixture(scope="session")
def postgres_admin_dsn() -> str:
    """A PostgreSQL 18 that may forget (fsync off), or the one of DATABASE_URL."""
    return os.environ.get("DATABASE_URL") or servers.address("postgres")


@pytest.fixture(scope="session")
def durable_postgres() -> str:
    """The admin DSN of a PostgreSQL that keeps what it promised (fsync on)."""
    return servers.address("durable")


@pytest.fixture(scope="session")
def kafka_bootstrap() -> str:
    return os.environ.get("KAFKA_BOOTSTRAP_SERVERS") or servers.address("kafka")


class MakeDatabase(Protocol):
    def __call__(self, hint: str, template: str = "template0") -> str:
        """The DSN of a new, empty database (or a clone of the template); dropped after the test."""


class MigratedDatabase(Protocol):
    def __call__(self, service: str, cells: int = 1) -> str:
        """The DSN of a new database as `python -m <service> migrate` leaves it."""


@pytest.fixture(scope="session")
def databases(postgres_admin_dsn: str) -> Databases:
    return Databases(postgres_admin_dsn)


@pytest.fixture
def make_database(databases: Databases) -> Iterator[MakeDatabase]:
    made: list[str] = []

    def make(hint: str, template: str = "template0") -> str:
        made.append(databases.create(hint, template))
        return made[-1]

    yield make
    for dsn in made:
        databases.drop(dsn)


@pytest.fixture
def migrated_database(databases: Databases, make_database: MakeDatabase) -> MigratedDatabase:
    def make(service: str, cells: int = 1) -> str:
        return make_database(service, databases.template(service, cells))

    return make


@pytest.fixture
def topic_prefix(kafka_bootstrap: str) -> Iterator[str]:
    """`t….`, this test's own; the topics that begin with it are deleted after it."""
    prefix = f"t{uuid.uuid4().hex[:10]}."
    yield prefix
    topics.delete(kafka_bootstrap, prefix)
