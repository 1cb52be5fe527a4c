"""`POST /internal/payments/find`: payments as they are now, for a page of somebody's list."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from contracts.internal import FindPayments, FoundPayments
from kit.answers import answer
from kit.http import respond, service_token
from kit.json_body import described, read_body
from wallet.domain.payment import Payment
from wallet.domain.views import payment_view
from wallet.edge.cells import Cells
from wallet.store.payments import payments_by_id


def finding(cells: Cells, token: str) -> APIRouter:
    router = APIRouter(prefix="/internal", dependencies=[Depends(service_token(token))])

    @router.post(
        "/payments/find", response_model=FoundPayments, openapi_extra=described(FindPayments)
    )
    async def find_payments(request: Request) -> Response:
        """Payments by their ids alone, each from its cell, in the order of the question."""
        asked = (await read_body(request, FindPayments)).payment_ids
        by_cell: dict[int, list[UUID]] = {}
        for payment_id in asked:
            cell = cells.of_thing(payment_id)
            if cell is not None:
                by_cell.setdefault(cell, []).append(payment_id)
        found: dict[UUID, Payment] = {}
        for cell, payment_ids in by_cell.items():
            async with cells.reading(cell) as tx:
                found |= await payments_by_id(tx, payment_ids)
        views = [payment_view(found[each]) for each in dict.fromkeys(asked) if each in found]
        return respond(answer(200, {"payments": views}))

    return router
