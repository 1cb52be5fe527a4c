"""Every SQL statement stands in a store, can be read, names no cell, and fits the schema."""

from __future__ import annotations

import asyncpg
import pytest

from tests.conftest import MigratedDatabase
from tests.tidy.source import Module, modules, services
from tests.tidy.sql import PREPARABLE, Statement, names_a_schema, statements

SERVICES = [*services(), "sandbox"]
KIT = "libs/kit/"
# The migrations' own frame: it makes the schema that all others are prepared against.
MAKES_SCHEMAS = "libs/kit/migrate.py"


def folder(service: str) -> str:
    return "sandbox/" if service == "sandbox" else f"services/{service}/src/"


def of(*prefixes: str) -> list[Statement]:
    return [each for module in modules(*prefixes) for each in statements(module)]


def test_statements_stand_in_stores() -> None:
    outside = [
        each.where
        for service in SERVICES
        for module in modules(folder(service))
        if "/store/" not in module.path
        for each in statements(module)
    ]
    assert outside == []


def test_statements_can_be_read_without_running_them() -> None:
    unread = [
        each.where
        for each in of("services/", "sandbox/", KIT)
        if each.text is None and not each.where.startswith((MAKES_SCHEMAS, "libs/kit/transaction"))
    ]
    # The audits' runner is handed its statements, which are read where they are written.
    assert [where for where in unread if not where.startswith("libs/kit/audit.py")] == []


def test_no_statement_names_a_cell() -> None:
    named = [
        each.where
        for each in of("services/", "sandbox/", KIT)
        if each.text is not None and names_a_schema(each.text)
    ]
    assert named == []


@pytest.mark.parametrize("service", SERVICES)
async def test_statements_fit_the_schema(service: str, migrated_database: MigratedDatabase) -> None:
    connection = await asyncpg.connect(migrated_database(service))
    try:
        await connection.execute("SET search_path = cell_0")
        wrong = []
        found = of(folder(service), KIT)
        for each in found:
            if each.text is None or not PREPARABLE.match(each.text):
                continue
            try:
                await connection.prepare(each.text)
            except asyncpg.PostgresError as error:
                wrong.append(f"{each.where}: {error}")
        assert wrong == []
        assert len(found) > 20
    finally:
        await connection.close()


FOUND = """
_COLUMNS = "a, b"
_SELECT = f"SELECT {_COLUMNS} FROM quota"
AUDITS: dict[str, str] = {"x": "SELECT a FROM quota"}

async def read(tx, pool, table, file):
    await tx.fetch(_SELECT)
    await tx.write("UPDATE quota SET a = $1", 1, rows=1)
    await pool.fetchval(f"SELECT a FROM {table}")
    file.write("hello")
"""


def test_statements_are_found() -> None:
    found = [each.text for each in statements(Module.of("x.py", FOUND))]
    assert found == [
        "SELECT a, b FROM quota",
        "UPDATE quota SET a = $1",
        None,
        "SELECT a FROM quota",
    ]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("SELECT quota.granted FROM quota JOIN entry USING (quota_id)", False),
        ("SELECT 1 FROM pg_catalog.pg_class", False),
        ("SELECT 1 FROM quota WHERE quota.held IS DISTINCT FROM summed.held", False),
        ("SELECT granted FROM cell_0.quota", True),
        ('INSERT INTO "cell_1"."quota" VALUES (1)', True),
        ("SELECT 1 FROM quota JOIN other.quota USING (quota_id)", True),
        ("UPDATE public.quota SET a = 1", True),
    ],
)
def test_a_schema_is_recognised(text: str, names: bool) -> None:
    assert names_a_schema(text) is names


async def test_a_statement_that_does_not_fit_is_found(
    migrated_database: MigratedDatabase,
) -> None:
    connection = await asyncpg.connect(migrated_database("wallet"))
    try:
        await connection.execute("SET search_path = cell_0")
        with pytest.raises(asyncpg.UndefinedColumnError):
            await connection.prepare("SELECT no_such_column FROM quota")
    finally:
        await connection.close()
