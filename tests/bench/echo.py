"""Servers that do nothing, under the same generator.

`python -m tests.bench.echo asgi|fastapi PORT`

What they cost is what HTTP in Python costs at least, and what FastAPI adds to it.
"""

from __future__ import annotations

import sys
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send


class Item(BaseModel):
    category: str
    amount_fen: int
    eligible: bool


class Bill(BaseModel):
    medfee_sumamt_fen: int
    fulamt_ownpay_fen: int
    overlmt_selfpay_fen: int
    preselfpay_fen: int
    inscp_scp_fen: int
    fund_pay_sumamt_fen: int
    hosp_part_fen: int
    psn_part_fen: int
    own_acct_pay_fen: int
    med_type: str
    items: list[Item]


class Payment(BaseModel):
    """As large as the real one, without its rules."""

    presence_token: str
    purpose: str
    bill: Bill
    amount_fen: int


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """Any body comes back."""
    assert scope["type"] == "http"
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def framed() -> FastAPI:
    """A payment's body is validated and comes back."""
    app = FastAPI()

    @app.post("/v1/payments", status_code=201)
    async def echo(payment: Payment) -> Payment:
        return payment

    return app


APPLICATIONS: dict[str, Any] = {"asgi": lambda: bare, "fastapi": framed}

if __name__ == "__main__":
    uvicorn.run(
        APPLICATIONS[sys.argv[1]](),
        host="127.0.0.1",
        port=int(sys.argv[2]),
        http="httptools",
        loop="uvloop",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
    )
