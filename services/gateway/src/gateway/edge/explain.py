"""`GET /v1/explain/{key}`: what became of something, over all services, and by which rules.

Each service tells what it knows and who may see it; here it is put together, in the order of time.

    relations, wallet, gateway    asked for the id or the key itself
    settlement, relations         asked next for the payments and relations that it is tied to

A service that does not answer in time is named in `missing`. A clerk sees everything; everybody
else what is theirs: of what a sharer gave to a payment, day and amount alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from contracts.deciding import step_of_request
from contracts.internal import History, HistoryStep, institution_caller
from contracts.lists import ExplainedStep, Explanation, PartMissing, RefusalNamed, RuleNamed
from contracts.public import Institution
from contracts.refusals import CATALOGUE, SignatureInvalid, SignatureReplayed
from gateway.edge.endpoint import KEY, Asked, Route
from gateway.edge.relations import Relations
from gateway.edge.routes import CLERK_REFUSALS, CONCERNED, caller_name, person_of
from gateway.edge.settlement import Settlement
from gateway.edge.tokens import Clerk
from gateway.edge.wallet import Wallet
from kit.answers import Answer, answer
from kit.postgres import Pool
from kit.reading import reading
from kit.receipts import answers_under
from kit.refusal import NotFound, Refusal, Unavailable
from policy.calendar import beijing_day
from policy.rules import rules

EXPLAIN = "/v1/explain/"
MOST_TIED = 200
MOST_REQUESTS = 500

# Of one instant: what was asked, what became of it, what was ordered of a province, what is owed.
ORDER = ("request", "enrolment", "relation", "kinship", "wallet", "quota", "payment", "account")

_REFUSALS: Mapping[str, type[Refusal]] = {each.code(): each for each in reversed(CATALOGUE)}


@dataclass(slots=True)
class Gathered:
    """What the services told so far, and which of them did not."""

    known: dict[str, History] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def tied(self, kind: str) -> list[UUID]:
        """Payments or relations that what was asked for is tied to."""
        return sorted({each for one in self.known.values() for each in getattr(one, kind)})


class Explain:
    """`seconds` is how long a service has for its part."""

    def __init__(
        self,
        *,
        pool: Pool,
        relations: Relations,
        wallet: Wallet,
        settlement: Settlement,
        seconds: float,
    ) -> None:
        self._pool = pool
        self._relations = relations
        self._wallet = wallet
        self._settlement = settlement
        self._seconds = seconds

    def routes(self) -> list[Route]:
        return [
            Route(
                method="GET",
                path=EXPLAIN + "{key}",
                summary="What became of something over all services, and which rules decided",
                authentication=CONCERNED,
                perform=self.read,
                answers={200: Explanation},
                refusals=(*CLERK_REFUSALS, SignatureInvalid, SignatureReplayed),
                notes=(
                    "Of a payment (also a hold or a premium), a refund, a quota, a relation, a "
                    "person, or of a request by its Idempotency-Key, those that were refused as "
                    "well; oldest first. `rules` are those of docs/rules.md, the foremost first. "
                    "An institution sees its own requests and payments, a citizen what concerns "
                    "them; of what a sharer gave to a payment there are `type`, `rules`, "
                    "`amount_fen` and as `at` the Beijing day. Everything else is `not-found`. "
                    "`missing` names who did not answer in time, or has too many steps to tell."
                ),
            )
        ]

    async def read(self, asked: Asked[Any, None]) -> Answer:
        name = asked.path.removeprefix(EXPLAIN)
        if not KEY.fullmatch(name):
            raise NotFound
        as_of = datetime.now(UTC)
        caller = await self._caller_of(asked)
        gathered = await self._gathered(name, caller)
        steps = [step for known in gathered.known.values() for step in known.steps]
        shown = [seen for step in sorted(steps, key=_place) if (seen := _seen(step, caller))]
        if not shown:
            if gathered.missing:
                raise Unavailable("not everybody who may know of it answered")
            raise NotFound
        explanation = Explanation(
            items=tuple(shown),
            missing=tuple(
                PartMissing.model_validate({"service": service, "why": why})
                for service, why in sorted(gathered.missing.items())
            ),
            as_of=as_of,
        )
        # What a step does not have it does not name.
        items = [item.model_dump(mode="json", exclude_none=True) for item in explanation.items]
        return answer(200, explanation.model_dump(mode="json") | {"items": items})

    async def _caller_of(self, asked: Asked[Any, None]) -> str | None:
        """Whose things are shown; None for a clerk, who sees everybody's."""
        if isinstance(asked.caller, Clerk):
            return None
        if isinstance(asked.caller, Institution):
            return institution_caller(asked.caller.code)
        return caller_name(await person_of(self._relations, asked))

    async def _gathered(self, name: str, caller: str | None) -> Gathered:
        gathered = Gathered()
        await self._ask(
            gathered,
            relations=self._relations.history(name, caller=caller),
            wallet=self._wallet.history(name, caller=caller),
            gateway=self._own(name, caller),
        )
        relations, payments = gathered.tied("relations"), gathered.tied("payments")
        if len(payments) > MOST_TIED:
            gathered.missing["settlement"] = "too_many"
        more: dict[str, Awaitable[History]] = {
            "settlement": self._settlement.history(name, also=payments[-MOST_TIED:])
        }
        known = gathered.known.get("relations")
        if known is not None and set(relations) - set(known.relations):
            also = relations[-MOST_TIED:]
            more["relations"] = self._relations.history(name, caller=caller, also=also)
        await self._ask(gathered, **more)
        return gathered

    async def _ask(self, gathered: Gathered, **parts: Awaitable[History]) -> None:
        told = await asyncio.gather(*(self._in_time(part) for part in parts.values()))
        for service, known in zip(parts, told, strict=True):
            if known is None:
                gathered.missing[service] = "unavailable"
                continue
            gathered.known[service] = known
            if not known.is_whole:
                gathered.missing[service] = "too_many"

    async def _in_time(self, part: Awaitable[History]) -> History | None:
        try:
            async with asyncio.timeout(self._seconds):
                return await part
        except (TimeoutError, Refusal):
            return None

    async def _own(self, name: str, caller: str | None) -> History:
        """Presences, sessions and clerks' steps: their answers are kept here."""
        async with reading(self._pool) as tx:
            kept = await answers_under(tx, name, caller, MOST_REQUESTS)
        steps = [
            step_of_request(
                "gateway",
                caller=each.caller,
                key=each.key,
                status=each.status,
                body=each.body,
                at=each.answered_at,
                rules=("R30",) if '"presence_token"' in each.body else (),
            )
            for each in kept
        ]
        return History(steps=tuple(steps), is_whole=len(kept) < MOST_REQUESTS)


def _place(step: HistoryStep) -> tuple[datetime, int]:
    kind = step.type.partition(".")[0]
    return step.at, ORDER.index(kind) if kind in ORDER else len(ORDER)


def _seen(step: HistoryStep, caller: str | None) -> ExplainedStep | None:
    """A step as this caller sees it, if at all; `None` sees everything."""
    named = tuple(
        RuleNamed(id=each, text=rules()[each].text, text_zh=rules()[each].zh) for each in step.rules
    )
    if caller is not None and caller not in step.seen_by:
        if caller not in step.shares:
            return None
        return ExplainedStep(
            at=beijing_day(step.at),
            service=step.service,
            type=step.type,
            amount_fen=step.shares[caller],
            rules=named,
        )
    told = step.model_dump(exclude={"rules", "refusal", "detail", "seen_by", "shares"})
    return ExplainedStep(**told, rules=named, refusal=_refusal_of(step))


def _refusal_of(step: HistoryStep) -> RefusalNamed | None:
    if step.refusal is None:
        return None
    refusal = _REFUSALS[step.refusal]
    return RefusalNamed(
        code=step.refusal,
        title=refusal.title(),
        title_zh=refusal.title_zh,
        detail=step.detail or refusal.title(),
    )
