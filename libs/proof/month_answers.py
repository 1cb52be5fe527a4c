"""Months as clerks are told of them at the gateway; closed ones are issued and closed once more."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import httpx

from proof.months import ISSUED, province_of
from proof.rows import Line, MonthSeen, PrefundSeen, StatementSeen

WITHIN_SECONDS = 20.0
AGAIN_SECONDS = 0.2


class NotAnswered(Exception):
    """A public route gave no success in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clerk:
    """Somebody with the role `clearing`."""

    gateway: str
    token: str = field(repr=False)
    client: httpx.AsyncClient

    async def get(self, path: str) -> str:
        return await ask(self.client, "GET", self.gateway + path, self._headers)

    async def post(self, path: str) -> str:
        headers = {**self._headers, "idempotency-key": str(uuid4())}
        return await ask(self.client, "POST", self.gateway + path, headers, {})

    @property
    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}


@asynccontextmanager
async def clerk_of(stack: Mapping[str, Any]) -> AsyncIterator[Clerk]:
    """The clerk for clearing of a stack."""
    # trust_env: a proxy of the machine has no business between the parts of a stack.
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        asked = {"clerk": stack["clerks"]["clearing"], "roles": ["clearing"]}
        given = await ask(client, "POST", f"{stack['sandbox']}/tokens", {}, asked)
        token = json.loads(given)["token"]
        yield Clerk(gateway=str(stack["gateway"]), token=token, client=client)


async def see_months(
    clerk: Clerk,
    periods: Iterable[str],
    lines: Iterable[Line],
    closed: MutableMapping[str, MonthSeen],
) -> tuple[MonthSeen, ...]:
    """These months, each with its statements of every tier for whoever its lines touch.

    `closed` are months that were closed when they were looked at before. They are found there, and
    what may not have changed since is asked in short: the month, and its national statement.
    """
    found = tuple(lines)
    seen = []
    for period in sorted(set(periods)):
        if period in closed:
            seen.append(await _see_again(clerk, closed[period]))
            continue
        month = await _see(clerk, period, [line for line in found if line.period == period])
        if month.repeated:
            closed[period] = month
        seen.append(month)
    return tuple(seen)


async def _see(clerk: Clerk, period: str, lines: list[Line]) -> MonthSeen:
    path = f"/v1/periods/{period}"
    body = await clerk.get(path)
    state = json.loads(body)["state"]
    if state not in ISSUED:
        return MonthSeen(period=period, body=body)
    asked = tiers(lines)
    before = [await clerk.get(f"{path}/statements?{query}") for _, _, query in asked]
    repeated: tuple[str, ...] = ()
    again = before
    if state == "closed":
        repeated = (
            await clerk.post(f"{path}/issue"),
            await clerk.post(f"{path}/close"),
            await clerk.get(path),
        )
        again = [await clerk.get(f"{path}/statements?{query}") for _, _, query in asked]
    return MonthSeen(
        period=period,
        body=body,
        repeated=repeated,
        statements=tuple(
            StatementSeen(tier=tier, whose=whose, body=then, again=now)
            for (tier, whose, _), then, now in zip(asked, before, again, strict=True)
        ),
    )


async def _see_again(clerk: Clerk, month: MonthSeen) -> MonthSeen:
    path = f"/v1/periods/{month.period}"
    national, *others = month.statements
    again = await clerk.get(f"{path}/statements?tier=national")
    return replace(
        month,
        repeated=(await clerk.get(path),),
        statements=(replace(national, again=again), *others),
    )


async def see_prefunds(clerk: Clerk) -> tuple[PrefundSeen, ...]:
    """All prefunds, page by page."""
    found: list[PrefundSeen] = []
    after = ""
    while True:
        page = json.loads(await clerk.get(f"/v1/prefunds?limit=200{after}"))
        found += [
            PrefundSeen(
                debtor=each["debtor"],
                creditor=each["creditor"],
                deposited=each["amount_fen"],
                used=each["used_fen"],
                ratio_percent=each["ratio_percent"],
            )
            for each in page["items"]
        ]
        if page["next_cursor"] is None:
            return tuple(found)
        after = f"&cursor={page['next_cursor']}"


def tiers(lines: Iterable[Line]) -> list[tuple[str, str, str]]:
    """Every statement that these lines stand in: its tier, whose it is, how it is asked for."""
    pools: set[str] = set()
    institutions: set[str] = set()
    for line in lines:
        pools |= {line.debtor, line.creditor}
        institutions |= {line.institution} - {""}
    whose = {
        "province": sorted(set(map(province_of, pools))),
        "city": sorted(pools),
        "institution": sorted(institutions),
    }
    return [
        ("national", "", "tier=national"),
        *(
            (
                tier,
                each,
                f"tier={tier}&{'institution' if tier == 'institution' else 'admdvs'}={each}",
            )
            for tier, found in whose.items()
            for each in found
        ),
    ]


async def ask(
    client: httpx.AsyncClient,
    method: str,
    url: str,
    headers: Mapping[str, str],
    told: object = None,
) -> str:
    """The text of a success; what is busy or away for a moment is asked again under its key.

    Raises NotAnswered.
    """
    deadline = time.monotonic() + WITHIN_SECONDS
    while True:
        try:
            given = await client.request(method, url, headers=dict(headers), json=told)
            said = f"{given.status_code} {given.text[:300]}"
            if given.is_success:
                return given.text
            if given.status_code != 429 and given.status_code < 500:
                raise NotAnswered(f"{method} {url}: {said}")
        except httpx.TransportError as error:
            said = repr(error)
        if time.monotonic() > deadline:
            raise NotAnswered(f"{method} {url} still: {said}")
        # Who is away has no event that we could wait for.
        await asyncio.sleep(AGAIN_SECONDS)
