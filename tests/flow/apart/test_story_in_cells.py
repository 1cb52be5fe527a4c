"""What `make run` tells, on four cells as on one: the same ends, the same totals, to the fen."""

from __future__ import annotations

import json
from collections import Counter as Tally
from collections.abc import Iterator
from pathlib import Path

import pytest

from proof.databases import read_ledger
from proof.month_answers import clerk_of
from tests.support.databases import Databases
from tests.support.page import Page
from tests.support.town import ALL_IN_ONE, INVARIANTS, Site, site_of, town_at

CELLS = 4

pytestmark = pytest.mark.timeout(900)  # two whole towns are started for it


@pytest.fixture(scope="module")
def celled(
    databases: Databases, kafka_bootstrap: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("celled")
    with site_of(
        ALL_IN_ONE, databases=databases, kafka=kafka_bootstrap, folder=folder, cells=CELLS
    ) as site:
        yield site


async def totals(site: Site) -> Tally[tuple[object, ...]]:
    """Everything the wallet and settlement keep, without the names that are new every time."""
    ledger = await read_ledger(site.databases["wallet"])
    found: Tally[tuple[object, ...]] = Tally()
    for quota in ledger.quotas:
        books = (quota.granted, quota.available, quota.held, quota.spent, quota.returned)
        found["quota", *books] += 1
    for flow in ledger.flows:
        found["flow", flow.source, flow.target, flow.amount, flow.payment_id is None] += 1
    for payment in ledger.payments:
        found["payment", payment.amount, payment.captured] += 1
    for allocation in ledger.allocations:
        found["allocation", allocation.amount] += 1
    for order in ledger.orders:
        found["order", order.kind, order.amount, order.state] += 1
    for receipt in ledger.receipts:
        told = json.loads(receipt.body or "{}")  # a tombstone says nothing
        found["answer", receipt.status, told.get("code"), told.get("amount_fen")] += 1
    for line in await site.rows("settlement", "SELECT debtor, creditor, amount FROM line"):
        found["line", *line] += 1
    return found


def story_of(site: Site) -> Path:
    """The stack's file, beside which the story leaves its page."""
    return site.checkout.log("any").parent.parent / "story.json"


async def told_on(site: Site) -> Tally[tuple[object, ...]]:
    """The story as its command tells it; what it left behind."""
    file = story_of(site)
    file.write_text(json.dumps(site.stack))
    before = await totals(site)
    code, said = await site.command("sandbox", "scenario", "--stack", str(file))
    assert code == 0, said
    return await totals(site) - before


async def test_the_story_ends_alike_on_one_cell_and_on_four(site: Site, celled: Site) -> None:
    alone = await told_on(site)
    assert {name for name, *_ in alone} == {
        "quota",
        "flow",
        "payment",
        "allocation",
        "order",
        "answer",
        "line",
    }
    assert await told_on(celled) == alone
    await the_page_says_what_the_statements_say(site)
    await the_page_says_what_the_statements_say(celled)


async def the_page_says_what_the_statements_say(site: Site) -> None:
    """To the fen, as the gateway tells them now; and every invariant is on it, and holds."""
    page = Page.read(story_of(site).with_name("report.html").read_text(encoding="utf-8"))
    name = "statement-"
    periods = [each.removeprefix(name) for each in page.tables if each.startswith(name)]
    assert len(periods) == 3
    owed: Tally[tuple[str, str]] = Tally()
    async with clerk_of(site.stack) as clerk:
        for period in periods:
            told = json.loads(await clerk.get(f"/v1/periods/{period}/statements?tier=national"))
            *shown, foot = page.tables[name + period]
            lines = [*told["lines"], *told["diagonal"]]
            assert [[cell.fen for cell in row[4:]] for row in shown] == [
                [each["sum_fen"], each["adjustments_fen"]] for each in lines
            ]
            assert foot[4].fen == told["totals"]["sum_fen"]
            for each in lines:
                owed[each["debtor"], each["creditor"]] += each["sum_fen"]
    assert page.tables["matrix"][-1][-1].fen == owed.total() > 0
    links = {(each["source"][-6:], each["target"][-6:]) for each in page.data["flow"]["links"]}
    assert links == {pair for pair, fen in owed.items() if fen > 0}
    assert len({province for pair in links for province in pair}) >= 5
    assert any(debtor == creditor for debtor, creditor in links)
    assert {row[1].text for row in page.tables["results"]} >= INVARIANTS
    assert {row[0].text for row in page.tables["results"]} == {"✓"}
    assert len(page.tables["cast"]) >= 12


RECEIVERS = ("MA", "ZHAO", "QIAN", "LI", "HE")

A_LARGE_FAMILY = """
    person   WANG at shenzhen employee 1000.00
    {people}
    {relations}
    {quotas}
    account  WANG balance 1000.00  frozen 500.00  spendable 500.00
    {payments}
    pay      X1   MA at alar   60.01          quota-insufficient
    pay      P-MA                             replayed
    account  WANG balance 800.00  frozen 300.00  spendable 500.00
    owes     440300 -> 659002     200.00
"""


def for_each(line: str) -> str:
    return "\n".join(line.replace("X", name) for name in RECEIVERS)


async def test_who_gives_to_many_gives_into_many_cells(celled: Site) -> None:
    table = A_LARGE_FAMILY.format(
        people=for_each("person X at alar"),
        relations=for_each("relation R-X WANG -> X parent active"),
        quotas=for_each("quota Q-X of R-X 100.00 granted"),
        payments=for_each("pay P-X X at alar 40.00 captured"),
    )
    async with town_at(celled) as town:
        await town.tell(table)
        sharer = town.names["WANG"]
        given = (await sharer.ask("GET", "/v1/me/quotas")).of(200)["items"]
        assert len(given) == len(RECEIVERS), "the sharer sees all of it, wherever it lies"
        paid = [town.names[f"P-{name}"].said.json["payment_id"] for name in RECEIVERS]
        for payment_id in paid:
            found = await town.counter().send("GET", f"/v1/payments/{payment_id}")
            assert found.of(200)["payment_id"] == payment_id
