"""A citizen's own wallet and quotas. Quotas are read from the wallet itself: they never lag."""

from __future__ import annotations

from uuid import UUID

from contracts.commands import OpenWallet, OrderSharers, PersonSnapshot, SetQuota
from contracts.internal import Call
from contracts.lists import QuotasOfPerson
from contracts.public import (
    NewWallet,
    OpenedWallet,
    OrderedQuotas,
    OrderOfQuotas,
    Quota,
    WantedQuota,
)
from contracts.refusals import ConsentRequired, RelationActivating, RelationNotActive
from contracts.vocabulary import RelationState, Role, Wire
from gateway.edge.endpoint import Asked, Route
from gateway.edge.guardians import acting, require_consent, shares_with
from gateway.edge.pages import Limit
from gateway.edge.relations import Relations
from gateway.edge.routes import BEARER, CITIZEN_REFUSALS, caller_name, person_of
from gateway.edge.tokens import Citizen
from gateway.edge.wallet import Wallet
from kit import tracing
from kit.answers import Answer
from kit.refusal import Forbidden, InProgress, Invalid, KeyRequired, KeyReused, WrongState


class Page(Wire):
    """Which part of a list; a cursor is what the page before gave as `next_cursor`."""

    limit: Limit = 50
    cursor: UUID | None = None


class MyWallet:
    """What a citizen does with the own wallet."""

    def __init__(self, *, relations: Relations, wallet: Wallet) -> None:
        self._relations = relations
        self._wallet = wallet

    def routes(self) -> list[Route]:
        return [
            Route(
                method="POST",
                path="/v1/me/wallet",
                summary="Open one's own wallet, or a child's as the guardian",
                authentication=BEARER,
                perform=self.open,
                answers={201: OpenedWallet, 200: OpenedWallet},
                body=NewWallet,
                needs_key=True,
                refusals=(*CITIZEN_REFUSALS, KeyRequired, KeyReused, InProgress, ConsentRequired),
                notes=(
                    "201 when it is opened now, 200 when it was open. Under the age of consent a "
                    "guardian opens it, `on_behalf_of` the child. An open wallet in which somebody "
                    "shares is answered to who shares with the child alone (`consent-required`)."
                ),
            ),
            Route(
                method="GET",
                path="/v1/me/wallet",
                summary="One's own wallet, in fen",
                authentication=BEARER,
                perform=self.read,
                answers={200: OpenedWallet},
                refusals=CITIZEN_REFUSALS,
            ),
            Route(
                method="GET",
                path="/v1/me/quotas",
                summary="Quotas given and received, newest first",
                authentication=BEARER,
                perform=self.quotas,
                answers={200: QuotasOfPerson},
                query=Page,
                refusals=CITIZEN_REFUSALS,
            ),
            Route(
                method="PUT",
                path="/v1/me/quotas/order",
                summary="Say in which order relatives' quotas give",
                authentication=BEARER,
                perform=self.order,
                answers={200: OrderedQuotas},
                body=OrderOfQuotas,
                refusals=CITIZEN_REFUSALS,
                notes="Those not named follow by the age of their relation, the oldest first.",
            ),
            Route(
                method="PUT",
                path="/v1/me/relations/{relation_id}/quota",
                summary="Say what shall be spendable of one's account for the beneficiary",
                authentication=BEARER,
                perform=self.set_quota,
                answers={202: Quota},
                body=WantedQuota,
                refusals=(*CITIZEN_REFUSALS, RelationActivating, RelationNotActive, WrongState),
            ),
        ]

    async def open(self, asked: Asked[Citizen, NewWallet]) -> Answer:
        given = await acting(self._relations, asked, asked.body.on_behalf_of)
        require_consent(given)
        person = given.person
        enrolled = person.primary
        before = await self._wallet.summary(person.person_id)
        command = OpenWallet(
            given_fen=before.given_fen,
            may_look=given.guardian_id is None
            or await shares_with(self._relations, given.guardian_id, person.person_id),
            person=PersonSnapshot(
                person_id=person.person_id,
                version=person.version,
                psn_no=enrolled.psn_no,
                pool_admdvs=enrolled.pool_admdvs,
                insutype=enrolled.insutype,
                insured=enrolled.insured,
            ),
        )
        call = Call[OpenWallet](
            caller=caller_name(given.asker),
            person_id=person.person_id,
            key=asked.key,
            fingerprint=asked.fingerprint.hex(),
            instance=asked.path,
            traceparent=tracing.current(),
            command=command,
        )
        return await self._wallet.perform(person.person_id, call)

    async def read(self, asked: Asked[Citizen, None]) -> Answer:
        person = await person_of(self._relations, asked)
        wallet = await self._wallet.summary(person.person_id)
        return Answer(status=200, body=wallet.model_dump_json())

    async def quotas(self, asked: Asked[Citizen, None]) -> Answer:
        page: Page = asked.query
        person = await person_of(self._relations, asked)
        found = await self._wallet.quotas(person.person_id)
        items = found.items
        if page.cursor is not None:
            ids = [quota.quota_id for quota in items]
            if page.cursor not in ids:
                raise Invalid("query: cursor: not one of this list's")
            items = items[ids.index(page.cursor) + 1 :]
        shown = items[: page.limit]
        more = len(items) > len(shown)
        listed = QuotasOfPerson(
            items=shown,
            next_cursor=str(shown[-1].quota_id) if more else None,
            as_of=found.as_of,
        )
        return Answer(status=200, body=listed.model_dump_json())

    async def order(self, asked: Asked[Citizen, OrderOfQuotas]) -> Answer:
        person = await person_of(self._relations, asked)
        call = Call[OrderSharers](
            caller=caller_name(person),
            person_id=person.person_id,
            key=None,
            fingerprint=asked.fingerprint.hex(),
            instance=asked.path,
            traceparent=tracing.current(),
            command=OrderSharers(person_id=person.person_id, quota_ids=asked.body.quota_ids),
        )
        return await self._wallet.perform(person.person_id, call)

    async def set_quota(self, asked: Asked[Citizen, WantedQuota]) -> Answer:
        person = await person_of(self._relations, asked)
        relation = await self._relations.relation(asked.ids["relation_id"], person.person_id)
        if relation.role is not Role.SHARER:
            raise Forbidden("the sharer says what shall be spendable")
        if relation.state is RelationState.ACTIVATING:
            raise RelationActivating
        # While it is suspended it may be lowered; the wallet refuses to raise it.
        if relation.state not in (RelationState.ACTIVE, RelationState.SUSPENDED):
            raise RelationNotActive(f"the relation is {relation.state.value}")
        call = Call[SetQuota](
            caller=caller_name(person),
            person_id=person.person_id,
            key=None,
            fingerprint=asked.fingerprint.hex(),
            instance=asked.path,
            traceparent=tracing.current(),
            command=SetQuota(
                relation_id=relation.relation_id,
                sharer_id=relation.sharer_id,
                beneficiary_id=relation.beneficiary_id,
                available_fen=asked.body.available_fen,
            ),
        )
        return await self._wallet.perform(relation.beneficiary_id, call)
