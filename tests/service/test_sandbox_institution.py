"""An institution of the sandbox insists with the same key, and believes only signed answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest

from gm.message_signatures import SignatureInvalid, parse_request, sign_response, verify_request
from gm.signing import generate_key_pair, signing_key, verifying_key
from sandbox.institution import GATEWAY_KEY_ID, Institution
from sandbox.patience import NotAnswered

INSTITUTION, GATEWAY, STRANGER = (generate_key_pair("ed25519") for _ in range(3))
BUSY = '{"code": "busy", "retryable": true}'

Answers = Callable[[httpx.Request], httpx.Response]


class Platform:
    """Answers request after request as it was told, signed like the gateway."""

    def __init__(self, *answers: Answers) -> None:
        self.answers = list(answers)
        self.heard: list[tuple[str, bytes, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        [candidate] = parse_request(
            method=request.method, target_uri=str(request.url), headers=request.headers.raw
        )
        key = verifying_key("P1-1", "ed25519", INSTITUTION.public)
        signed = verify_request(candidate, key, body=request.content, now=datetime.now(UTC))
        self.heard.append((request.headers["idempotency-key"], request.content, signed.nonce))
        return self.answers.pop(0)(request)


def says(status: int, text: str, private: bytes = GATEWAY.private) -> Answers:
    def answer(request: httpx.Request) -> httpx.Response:
        [candidate] = parse_request(
            method=request.method, target_uri=str(request.url), headers=request.headers.raw
        )
        signed = verify_request(
            candidate,
            verifying_key("P1-1", "ed25519", INSTITUTION.public),
            body=request.content,
            now=datetime.now(UTC),
        )
        headers = sign_response(
            signing_key(GATEWAY_KEY_ID, "ed25519", private),
            status=status,
            body=text.encode(),
            now=datetime.now(UTC),
            request=signed,
        )
        return httpx.Response(status, text=text, headers=headers)

    return answer


def is_cut_off(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadError("reset", request=request)


def institution(platform: Platform, within_seconds: float = 10.0) -> Institution:
    return Institution(
        code="P1",
        name="示例药店",
        level="ungraded",
        mdtrtarea_admvs="659002",
        gateway="http://gateway.test",
        key=signing_key("P1-1", "ed25519", INSTITUTION.private),
        gateway_key=verifying_key(GATEWAY_KEY_ID, "ed25519", GATEWAY.public),
        client=httpx.AsyncClient(transport=httpx.MockTransport(platform)),
        within_seconds=within_seconds,
    )


async def test_it_asks_again_with_the_same_key_and_body_until_there_is_an_answer() -> None:
    platform = Platform(
        is_cut_off,
        says(409, '{"code": "in-progress", "retryable": true}'),
        says(429, BUSY),
        says(503, BUSY),
        says(201, '{"payment_id": "x"}'),
    )
    reply = await institution(platform).post("/v1/payments", {"amount_fen": 1})
    assert (reply.status, reply.tries) == (201, 5)
    keys, bodies, nonces = zip(*platform.heard, strict=True)
    assert len(set(keys)) == len(set(bodies)) == 1
    assert len(set(nonces)) == 5, "each try is signed anew"


@pytest.mark.parametrize("status", [409, 422])
async def test_a_final_refusal_is_an_answer(status: int) -> None:
    platform = Platform(says(status, '{"code": "wrong-state", "retryable": false}'))
    reply = await institution(platform).post("/v1/payments", {})
    assert (reply.code, reply.tries) == ("wrong-state", 1)


async def test_an_answer_that_somebody_else_signed_is_not_believed() -> None:
    platform = Platform(says(201, "{}", private=STRANGER.private))
    with pytest.raises(SignatureInvalid):
        await institution(platform).post("/v1/payments", {})


async def test_its_patience_ends() -> None:
    platform = Platform(*[is_cut_off] * 50)
    with pytest.raises(NotAnswered, match="ReadError"):
        await institution(platform, within_seconds=0.2).post("/v1/payments", {})
