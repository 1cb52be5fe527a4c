"""`POST /v1/payments/{payment_id}/refunds`: what was charged too much goes back; no presence."""

from __future__ import annotations

from contracts import commands
from contracts.public import Institution, NewRefund, Refund
from contracts.refusals import (
    BillDoesNotAddUp,
    ExceedsPersonalBurden,
    PaymentNotCaptured,
    RefundExceedsCapture,
)
from gateway.edge.endpoint import Asked, Route
from gateway.edge.holds import about_a_payment
from gateway.edge.routes import SIGNED, SIGNED_REFUSALS
from gateway.edge.wallet import Wallet
from kit.answers import Answer
from kit.refusal import InProgress, KeyRequired, KeyReused, NotFound


class Refunds:
    """What institutions give back."""

    def __init__(self, *, wallet: Wallet) -> None:
        self._wallet = wallet

    def routes(self) -> list[Route]:
        return [
            Route(
                method="POST",
                path="/v1/payments/{payment_id}/refunds",
                summary="Give back all or part of a captured payment",
                authentication=SIGNED,
                perform=self.refund,
                answers={201: Refund},
                body=NewRefund,
                needs_key=True,
                refusals=(
                    *SIGNED_REFUSALS,
                    KeyRequired,
                    KeyReused,
                    InProgress,
                    NotFound,
                    PaymentNotCaptured,
                    RefundExceedsCapture,
                    ExceedsPersonalBurden,
                    BillDoesNotAddUp,
                ),
                notes=(
                    "The last sharer charged is restored first. What is given back may be spent "
                    "again once the sharer's province has credited and frozen it. `bill_after`, "
                    "if it is given, replaces the payment's bill."
                ),
            )
        ]

    async def refund(self, asked: Asked[Institution, NewRefund]) -> Answer:
        command = commands.Refund(
            payment_id=asked.ids["payment_id"],
            institution=asked.caller.code,
            amount_fen=asked.body.amount_fen,
            bill_after=asked.body.bill_after,
            reason=asked.body.reason,
        )
        return await about_a_payment(self._wallet, asked, command)
