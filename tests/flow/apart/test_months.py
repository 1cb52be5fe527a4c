"""The month in the clerk's words, on real processes, PostgreSQL and Kafka: a wallet of two cells,
and two that read Kafka for each service.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.flow.conftest import TWO_CONSUMERS
from tests.support.databases import Databases
from tests.support.town import Site, Town, site_of, town_at

CELLS = 2

pytestmark = pytest.mark.timeout(300)  # a town of its own is started for it


@pytest.fixture(scope="module")
def site(
    databases: Databases, kafka_bootstrap: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Months of nobody else, so that their sums are known."""
    folder = tmp_path_factory.mktemp("months")
    with site_of(
        TWO_CONSUMERS, databases=databases, kafka=kafka_bootstrap, folder=folder, cells=CELLS
    ) as site:
        yield site


@pytest_asyncio.fixture
async def town(site: Site) -> AsyncIterator[Town]:
    async with town_at(site) as town:
        yield town


@pytest.mark.rule("R15")
async def test_a_month_between_two_provinces(town: Town) -> None:
    await town.tell("""
        person    WANG at shenzhen employee 1000.00
        person    LIU  at chengdu  employee  500.00
        person    MA   at alar
        relation  R1   WANG -> MA  parent          active
        relation  R2   LIU  -> MA  parent          active
        quota     Q1   of R1       100.00          granted
        quota     Q2   of R2        80.00          granted
        month     M1   is open
        hold      H1   MA at hospital   40.00      held
        pay       P1   MA at alar       80.00      captured
        given     P1   Q1 60.00  Q2 20.00
        capture   H1                    25.00      captured
        capture   H1                    25.00      payment-not-held
        prefund   440000 -> 660000  used 85.00     level green
        month     M1   issue                       wrong-state
        month     M1   close                       wrong-state

        month     M1   cut
        month     M1   closed
        owed      M1   440000 -> 660000  pharmacy    60.00
        owed      M1   440000 -> 660000  outpatient  25.00
        owed      M1   510000 -> 660000  pharmacy    20.00
        transfer  M1   440000 -> 660000              85.00
        transfer  M1   510000 -> 660000              20.00
        prefund   440000 -> 660000  used 0.00      level green
        quota     Q1   available 15.00  held 0.00  spent 85.00
        quota     Q2   available 60.00  held 0.00  spent 20.00
    """)


@pytest.mark.rule("R22")
async def test_what_is_given_back_after_the_cut_falls_into_the_next_month(town: Town) -> None:
    await town.tell("""
        person    WANG at shenzhen employee 1000.00
        person    MA   at alar
        relation  R1   WANG -> MA  parent          active
        quota     Q1   of R1       100.00          granted
        month     M1   is open
        pay       P1   MA at alar       60.00      captured
        refund    P1                    10.00      captured
        month     M1   cut
        refund    P1                    20.00      captured
        pay       P2   MA at alar       15.00      captured
        refund    P2                     1.00      captured
        month     M1   closed
        owed      M1   440000 -> 660000  pharmacy   50.00
        transfer  M1   440000 -> 660000             50.00

        month     M2   after M1
        month     M2   issue                       wrong-state
        month     M2   closed
        owed      M2   440000 -> 660000  pharmacy   -6.00  late -20.00
        transfer  M2   660000 -> 440000              6.00
        prefund   440000 -> 660000  used 0.00

        month     M3   after M2
        month     M3   closed
        owed      M3   nothing
        quota     Q1   available 56.00  held 0.00  spent 44.00
    """)


@pytest.mark.rule("R15")
async def test_nothing_is_netted_and_what_is_inside_stays_inside(town: Town) -> None:
    await town.tell("""
        person    WANG at shenzhen employee 1000.00
        person    ZHAO at alar     employee 1000.00
        person    MA   at alar
        person    QIAN at shenzhen
        relation  R1   WANG -> MA   parent         active
        relation  R2   ZHAO -> QIAN parent         active
        relation  R3   ZHAO -> MA   sibling        active
        quota     Q1   of R1        50.00          granted
        quota     Q2   of R2        50.00          granted
        month     M1   is open
        pay       P1   MA at alar        50.00     captured
        pay       P2   QIAN at shenzhen  30.00     captured
        quota     Q3   of R3        20.00          granted
        pay       P3   MA at alar        20.00     captured
        premium   L1   of QIAN by ZHAO    5.00     held
        premium   L1                               captured
        month     M1   closed
        owed      M1   440000 -> 660000  pharmacy     50.00
        owed      M1   660000 -> 440000  outpatient   30.00
        owed      M1   660000 -> 440000  premium_390   5.00
        inside    M1   660000            pharmacy     20.00
        transfer  M1   440000 -> 660000               50.00
        transfer  M1   660000 -> 440000               35.00
        prefund   660000 -> 440000  used 0.00
    """)


async def test_a_month_waits_for_who_is_silent_and_who_disputes(town: Town) -> None:
    await town.tell("""
        person    WANG at shenzhen employee 1000.00
        person    LIU  at chengdu  employee  500.00
        person    MA   at alar
        relation  R1   WANG -> MA  parent          active
        relation  R2   LIU  -> MA  parent          active
        quota     Q1   of R1        30.00          granted
        quota     Q2   of R2        20.00          granted
        province  guangdong clearing silent
        province  sichuan   clearing dispute
        month     M1   is open
        pay       P1   MA at alar       50.00      captured
        month     M1   issued
        says      M1   660000  confirmed
        says      M1   510000  disputed
        says      M1   440000  nothing
        month     M1   close                       wrong-state

        month     M2   after M1
        month     M2   balanced
        province  sichuan   clearing confirm
        says      M1   510000  confirmed
        month     M1   close                       wrong-state
        province  guangdong clearing confirm
        month     M1   closed
        owed      M1   440000 -> 660000  pharmacy   30.00
        transfer  M1   440000 -> 660000             30.00
        transfer  M1   510000 -> 660000             20.00
        month     M2   closed
    """)
