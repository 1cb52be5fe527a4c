"""Months of a town: cut early, as a clerk of a local stack may."""

from __future__ import annotations

import json

from contracts.clearing import Period
from contracts.internal import GivenAnswer, PeriodAsked
from tests.support.town import Town
from tests.support.town_internal import ask_internally
from tests.support.town_until import until

CUT_WITHIN_SECONDS = 40.0


async def cut_a_month(town: Town) -> Period:
    """Cut the next month that there is, asking again until it is."""
    [row] = await town.site.rows("wallet", "SELECT last_cut FROM clearing_clock")
    year, month = map(int, row["last_cut"].split("-"))
    period = f"{year + month // 12}-{month % 12 + 1:02}"
    asked = PeriodAsked(period=period, instance=f"/v1/periods/{period}/cut")

    async def said() -> Period | None:
        answer = await ask_internally(
            town, "wallet POST /internal/periods/cut", asked.model_dump_json().encode()
        )
        given = GivenAnswer.model_validate(answer.of(200))
        if given.status == 503:
            return None
        assert given.status == 200, given.body
        assert json.loads(given.body)["state"] == "cut"
        return Period.model_validate_json(given.body)

    return await until(said, f"{period} is cut", CUT_WITHIN_SECONDS)
