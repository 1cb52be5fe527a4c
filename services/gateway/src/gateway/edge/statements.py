"""A month's statements: for clerks all of them, for an institution that signs its own (R15)."""

from __future__ import annotations

from contracts.clearing import Statement
from contracts.internal import PeriodAsked, StatementAsked
from contracts.public import Institution
from contracts.refusals import SignatureInvalid, SignatureReplayed
from contracts.vocabulary import Admdvs, FixmedinsCode, Tier, Wire
from gateway.edge.endpoint import Asked, Authentication, Request, Route, Verified
from gateway.edge.months import Months
from gateway.edge.routes import CLEARING_OR_SIGNED, CLERK_REFUSALS
from gateway.edge.settlement import Settlement
from gateway.edge.signatures import Signatures
from gateway.edge.tokens import Clerk, ClerkTokens
from kit.answers import Answer
from kit.refusal import Forbidden, NotFound, WrongState


class Chosen(Wire):
    """Which statement: `admdvs` is a province or a pool, as the tier is."""

    tier: Tier
    admdvs: Admdvs | None = None
    institution: FixmedinsCode | None = None


class SignedOrToken:
    """Who signs is an institution, whatever token is sent besides; everybody else has a token."""

    challenge = f"{ClerkTokens.challenge}, {Signatures.challenge}"

    def __init__(self, *, signatures: Authentication, tokens: Authentication) -> None:
        self._signatures = signatures
        self._tokens = tokens

    async def verify(self, request: Request) -> Verified:
        """Raises as that one of the two does."""
        signs = any(name == b"signature-input" for name, _ in request.headers)
        return await (self._signatures if signs else self._tokens).verify(request)


class Statements:
    """Statements as settlement issued them; the gateway says whose they are."""

    def __init__(self, *, settlement: Settlement, months: Months) -> None:
        self._settlement = settlement
        self._months = months

    def routes(self) -> list[Route]:
        return [
            Route(
                method="GET",
                path="/v1/periods/{month}/statements",
                summary="A month's statement of one tier, once it is issued",
                authentication=CLEARING_OR_SIGNED,
                perform=self.read,
                answers={200: Statement},
                query=Chosen,
                refusals=(*CLERK_REFUSALS, SignatureInvalid, SignatureReplayed, WrongState),
                notes=(
                    "`national` takes no other parameter, `province` and `city` take `admdvs`, "
                    "`institution` takes `institution`. An institution that signs sees the tier "
                    "`institution` alone: its own, which it need not name; another's is "
                    "`not-found`. Before it is issued it is `wrong-state`."
                ),
            )
        ]

    async def read(self, asked: Asked[Clerk | Institution, None]) -> Answer:
        chosen: Chosen = asked.query
        if isinstance(asked.caller, Institution):
            chosen = own(asked.caller, chosen)
        about = StatementAsked(
            period=asked.month,
            instance=asked.path,
            tier=chosen.tier,
            admdvs=chosen.admdvs,
            institution=chosen.institution,
        )
        given = await self._settlement.statement(about)
        month = PeriodAsked(period=asked.month, instance=asked.path)
        return await self._months.unless_too_early(month, given)


def own(institution: Institution, chosen: Chosen) -> Chosen:
    """What an institution sees of what it asks for: its own statement, named or not.

    Raises Forbidden for every other tier, NotFound for another institution's.
    """
    if chosen.tier != "institution":
        raise Forbidden("an institution sees its own statement alone")
    if chosen.institution not in (None, institution.code):
        raise NotFound
    return chosen.model_copy(update={"institution": institution.code})
