"""Stories of premiums on real processes, PostgreSQL and Kafka: the levy's own fund has the word."""

from __future__ import annotations

import pytest

from tests.support.town import Town

pytestmark = pytest.mark.rule("R10")


async def test_a_premium_is_spent_once_its_fund_accepts_it(town: Town) -> None:
    await town.tell("""
        person    WANG at shenzhen employee 1000.00
        person    LIU  at chengdu  employee 1000.00
        person    MA   at alar
        person    ZHAO at beijing  employee 1000.00
        relation  R1   WANG -> MA  parent          active
        relation  R2   LIU  -> MA  parent          active
        quota     Q1   of R1       300.00          granted
        quota     Q2   of R2       200.00          granted
        premium   L1   of MA by ZHAO  380.00       not-found
        premium   L1   of MA by MA    500.01       quota-insufficient
        premium   L1   of MA by WANG  380.00       held
        premium   L1                               captured
        quota     Q1   available 0.00    held 0.00  spent 300.00
        quota     Q2   available 120.00  held 0.00  spent 80.00
        account   WANG balance 700.00  frozen 0.00    spendable 700.00
        account   LIU  balance 920.00  frozen 120.00  spendable 800.00
        owes      440300 -> 659002  300.00
        owes      510100 -> 659002  80.00
        premium   L1                               refunded
        account   WANG balance 1000.00  frozen 300.00  spendable 700.00
        account   LIU  balance 1000.00  frozen 200.00  spendable 800.00
    """)


async def test_what_a_fund_refuses_is_free_and_what_it_keeps_silent_about_waits(
    town: Town,
) -> None:
    await town.tell("""
        person    WANG at shenzhen employee 1000.00
        person    MA   at alar
        relation  R1   WANG -> MA  parent          active
        quota     Q1   of R1       300.00          granted
        province  alar premium refuse
        premium   L1   of MA by MA    100.00       held
        premium   L1                               released
        quota     Q1   available 300.00  held 0.00  spent 0.00

        province  alar premium silent
        premium   L2   of MA by MA    100.00       held
        quota     Q1   available 200.00  held 100.00  spent 0.00
        premium   L3   of MA by MA    200.00       held
        end       R1   by WANG                     ended
        account   WANG balance 1000.00  frozen 300.00  spendable 700.00
        province  alar premium accept
        premium   L2                               captured
        premium   L3                               captured
        account   WANG balance 700.00  frozen 0.00  spendable 700.00
    """)
