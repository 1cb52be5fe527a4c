"""Where people may be treated, as the wallet keeps it (R26)."""

from __future__ import annotations

import pytest

from tests.conftest import MigratedDatabase
from tests.support.wallets import code_of, payment_of, purse_on, snapshot
from wallet.domain.commands import RecordPerson


@pytest.mark.rule("R26")
async def test_a_registration_is_asked_for_where_the_area_says_so(
    migrated_database: MigratedDatabase,
) -> None:
    async with purse_on(migrated_database("wallet")) as purse:
        person = await purse.person("659002")
        await purse.granted(person, 1_000)
        await purse.register(person, "659002", "2026-01-01", "2026-01-02")
        refused = await purse.do(payment_of(person, 1), person, "p1")
        assert code_of(refused) == "registration-required"
        await purse.register(person, "440300")
        assert code_of(await purse.do(payment_of(person, 1), person, "p2")) == (
            "registration-required"
        )
        await purse.register(person, "659002")
        # A newer snapshot of the person forgets nothing.
        newer = RecordPerson(person=snapshot(person, version=7))
        await purse.do(newer, person)
        assert code_of(await purse.do(payment_of(person, 1), person, "p3")) == "201"
        await purse.audited()
