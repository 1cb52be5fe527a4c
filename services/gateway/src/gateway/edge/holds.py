"""What becomes of a hold: `POST /v1/payments/{payment_id}/capture`, `/extend`, `/release`.

A payment's cell is in its id, and the wallet knows whose money it is: the institution's keys are
scoped to that person. Another institution's payment is as good as none.
"""

from __future__ import annotations

from typing import Any

from contracts.commands import Capture, Extend, Release
from contracts.internal import Call, institution_caller
from contracts.public import Institution, NewCapture, NewExtension, Nothing, Payment
from contracts.refusals import (
    BillDoesNotAddUp,
    CaptureExceedsHold,
    ExceedsPersonalBurden,
    HoldExpired,
    PaymentNotHeld,
    PurposeNotAllowed,
    RelationNotActive,
)
from gateway.edge.endpoint import Asked, Route
from gateway.edge.routes import SIGNED, SIGNED_REFUSALS
from gateway.edge.wallet import Wallet
from kit import tracing
from kit.answers import Answer
from kit.refusal import InProgress, KeyRequired, KeyReused, NotFound

OF_A_HOLD = (
    *SIGNED_REFUSALS,
    KeyRequired,
    KeyReused,
    InProgress,
    NotFound,
    PaymentNotHeld,
    HoldExpired,
)


class Holds:
    """Holds of institutions, once they are placed."""

    def __init__(self, *, wallet: Wallet) -> None:
        self._wallet = wallet

    def routes(self) -> list[Route]:
        return [
            Route(
                method="POST",
                path="/v1/payments/{payment_id}/capture",
                summary="Charge all or part of a hold; what is left of it is free again",
                authentication=SIGNED,
                perform=self.capture,
                answers={200: Payment},
                body=NewCapture,
                needs_key=True,
                refusals=(
                    *OF_A_HOLD,
                    CaptureExceedsHold,
                    ExceedsPersonalBurden,
                    PurposeNotAllowed,
                    BillDoesNotAddUp,
                ),
                notes="A final `bill` is checked again and replaces the one of the hold.",
            ),
            Route(
                method="POST",
                path="/v1/payments/{payment_id}/extend",
                summary="Let a hold live on, for `hold_seconds` from now",
                authentication=SIGNED,
                perform=self.extend,
                answers={200: Payment},
                body=NewExtension,
                needs_key=True,
                refusals=(*OF_A_HOLD, RelationNotActive),
                notes=(
                    "The deadline is never moved forward, and lies at most as long after `held_at` "
                    "as the purpose allows."
                ),
            ),
            Route(
                method="POST",
                path="/v1/payments/{payment_id}/release",
                summary="Give a hold up; all of it is free again",
                authentication=SIGNED,
                perform=self.release,
                answers={200: Payment},
                body=Nothing,
                needs_key=True,
                refusals=OF_A_HOLD,
            ),
        ]

    async def capture(self, asked: Asked[Institution, NewCapture]) -> Answer:
        command = Capture(
            payment_id=asked.ids["payment_id"],
            institution=asked.caller.code,
            amount_fen=asked.body.amount_fen,
            bill=asked.body.bill,
        )
        return await about_a_payment(self._wallet, asked, command)

    async def extend(self, asked: Asked[Institution, NewExtension]) -> Answer:
        command = Extend(
            payment_id=asked.ids["payment_id"],
            institution=asked.caller.code,
            hold_seconds=asked.body.hold_seconds,
        )
        return await about_a_payment(self._wallet, asked, command)

    async def release(self, asked: Asked[Institution, Nothing]) -> Answer:
        command = Release(payment_id=asked.ids["payment_id"], institution=asked.caller.code)
        return await about_a_payment(self._wallet, asked, command)


async def about_a_payment(wallet: Wallet, asked: Asked[Institution, Any], command: Any) -> Answer:
    """Have the wallet perform a command that names a payment. Raises NotFound for no id of ours."""
    call = Call[Any](
        caller=institution_caller(asked.caller.code),
        person_id=None,
        key=asked.key,
        fingerprint=asked.fingerprint.hex(),
        instance=asked.path,
        traceparent=tracing.current(),
        command=command,
    )
    return await wallet.perform_on(command.payment_id, call)
