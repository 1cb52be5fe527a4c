"""`POST /v1/payments` and `GET /v1/payments/{payment_id}`: the wallet decides, we pass it on."""

from __future__ import annotations

from contracts.internal import institution_caller
from contracts.public import Institution, NewPayment, Payment
from gateway.domain.presence import PresenceSeal
from gateway.edge.endpoint import Asked, Route
from gateway.edge.neighbours import written
from gateway.edge.quotes import Quotes
from gateway.edge.routes import CHARGE_REFUSALS, SIGNED, SIGNED_REFUSALS
from gateway.edge.wallet import Wallet
from kit import tracing
from kit.answers import Answer
from kit.refusal import InProgress, KeyRequired, KeyReused, NotFound


class Payments:
    """Payments of institutions."""

    def __init__(self, *, wallet: Wallet, seal: PresenceSeal, quotes: Quotes) -> None:
        self._wallet = wallet
        self._seal = seal
        self._quotes = quotes

    def routes(self) -> list[Route]:
        return [
            Route(
                method="POST",
                path="/v1/payments",
                summary="Take the patient's own share of a bill from relatives' quotas, or hold it",
                authentication=SIGNED,
                perform=self.pay,
                answers={201: Payment},
                body=NewPayment,
                needs_key=True,
                refusals=(*CHARGE_REFUSALS, KeyRequired, KeyReused, InProgress, NotFound),
                notes=(
                    "With `capture: false` the amount is held for `hold_seconds`, a day unless it "
                    "is said, at most what the purpose allows: then capture, extend or release it. "
                    "A `quote_id` that is unknown, another's or has expired is `not-found`, one "
                    "for another bill or purpose `invalid`. A replay needs no live presence."
                ),
            ),
            Route(
                method="GET",
                path="/v1/payments/{payment_id}",
                summary="A payment of one's own, as it is now",
                authentication=SIGNED,
                perform=self.read,
                answers={200: Payment},
                refusals=(*SIGNED_REFUSALS, NotFound),
            ),
        ]

    async def pay(self, asked: Asked[Institution, NewPayment]) -> Answer:
        wanted, institution = asked.body, asked.caller
        presence = self._seal.open(wanted.presence_token, institution.code)
        command: dict[str, object] = {
            "type": "pay",
            "person_id": presence.person_id,
            "institution": institution.code,
            "institution_kind": institution.kind,
            "mdtrtarea_admvs": institution.mdtrtarea_admvs,
            "wallet_enabled": institution.wallet_enabled,
            "presence_expires_at": presence.expires_at,
            "purpose": wanted.purpose,
            "bill": wanted.bill,
            "amount_fen": wanted.amount_fen,
            "partial": wanted.partial == "allow",
            "admission_id": wanted.admission_id,
        }
        if not wanted.capture:
            command |= {"type": "hold", "hold_seconds": wanted.hold_seconds}
        if wanted.quote_id is not None:
            # The wallet says so, after it has looked for a replay.
            command["quote_fault"] = await self._quotes.fault(
                institution.code, presence.person_id, wanted
            )
        call = written(
            caller=institution_caller(institution.code),
            person_id=presence.person_id,
            key=asked.key,
            fingerprint=asked.fingerprint.hex(),
            instance=asked.path,
            traceparent=tracing.current(),
            command=command,
        )
        return await self._wallet.perform_text(presence.person_id, call)

    async def read(self, asked: Asked[Institution, None]) -> Answer:
        text = await self._wallet.payment(asked.ids["payment_id"], asked.caller.code)
        if text is None:
            raise NotFound
        return Answer(status=200, body=text)
