"""Signed answers, and what another implementation of RFC 9421 thinks of ours."""

from datetime import UTC, datetime

import pytest
import requests
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, MappingKeyResolver
from http_message_signatures.algorithms import ED25519

from gm.fields import SignatureInvalid
from gm.message_signatures import (
    sign_request,
    sign_response,
    verify_response,
)
from gm.signing import generate_key_pair, signing_key, verifying_key
from tests.support.signed import (
    BASIC,
    BODY,
    KEY,
    NOW,
    PAIR,
    URI,
    Handmade,
    Headers,
    accept,
    signed_by_us,
)

# -- the other implementation ------------------------------------------------------------------

ORACLE_KEYS = MappingKeyResolver(
    public_keys={KEY.keyid: PAIR.public}, private_keys={KEY.keyid: PAIR.private}
)


def oracle_request(headers: dict[str, str], body: bytes) -> requests.PreparedRequest:
    return requests.Request("POST", URI, headers=headers, data=body).prepare()


def test_what_we_sign_is_accepted_by_another_implementation() -> None:
    now = datetime.now(UTC)
    added = sign_request(KEY, method="POST", target_uri=URI, headers=BASIC, body=BODY, now=now)
    verifier = HTTPMessageVerifier(signature_algorithm=ED25519, key_resolver=ORACLE_KEYS)
    [result] = verifier.verify(oracle_request(dict(BASIC) | added, BODY), body=BODY)
    assert result.parameters["keyid"] == KEY.keyid
    assert result.body == BODY


def test_what_another_implementation_signs_is_accepted_by_us() -> None:
    request = oracle_request(dict(BASIC), BODY)
    HTTPMessageSigner(signature_algorithm=ED25519, key_resolver=ORACLE_KEYS).sign(
        request,
        key_id=KEY.keyid,
        created=NOW,
        nonce="oracle",
        label="pyhms",
        body=BODY,
        covered_component_ids=(
            "idempotency-key",
            "content-type",
            "content-digest",
            "@target-uri",
            "@method",
            '"@query-param";name="dry"',
        ),
    )
    signed = accept(list(request.headers.items()))
    assert (signed.label, signed.nonce) == ("pyhms", "oracle")


# -- responses ---------------------------------------------------------------------------------

GATEWAY_PAIR = generate_key_pair("ed25519")
GATEWAY = signing_key("gateway-1", "ed25519", GATEWAY_PAIR.private)
GATEWAY_PUBLIC = verifying_key("gateway-1", "ed25519", GATEWAY_PAIR.public)
ANSWER = b'{"state":"captured"}'


def check_answer(
    answer: dict[str, str], *, status: int = 201, body: bytes = ANSWER, sent: Headers
) -> None:
    verify_response(
        GATEWAY_PUBLIC,
        status=status,
        headers=list(answer.items()),
        body=body,
        request_headers=sent,
        now=NOW,
    )


def test_a_signed_answer_is_bound_to_its_request() -> None:
    sent = signed_by_us()
    answer = sign_response(GATEWAY, status=201, body=ANSWER, now=NOW, request=accept(sent))
    check_answer(answer, sent=sent)
    with pytest.raises(SignatureInvalid, match="does not fit"):
        check_answer(answer, status=200, sent=sent)
    with pytest.raises(SignatureInvalid, match="does not fit the body"):
        check_answer(answer, body=b"{}", sent=sent)
    another = Handmade(params=Handmade.params.replace("n-1", "n-2")).signed()
    with pytest.raises(SignatureInvalid, match="does not fit"):
        check_answer(answer, sent=another)


def test_an_answer_to_nobody_does_not_pass_for_an_answer_to_us() -> None:
    answer = sign_response(GATEWAY, status=401, body=ANSWER, now=NOW, request=None)
    with pytest.raises(SignatureInvalid, match="request's signature"):
        check_answer(answer, status=401, sent=signed_by_us())


def test_an_answer_by_another_key_is_refused() -> None:
    sent = signed_by_us()
    answer = sign_response(KEY, status=201, body=ANSWER, now=NOW, request=accept(sent))
    with pytest.raises(SignatureInvalid, match="not signed by that key"):
        check_answer(answer, sent=sent)


def test_another_implementation_accepts_our_answers() -> None:
    request = oracle_request(dict(signed_by_us()), BODY)
    signed = accept(list(request.headers.items()))
    answer = sign_response(GATEWAY, status=201, body=ANSWER, now=datetime.now(UTC), request=signed)
    response = requests.Response()
    response.status_code = 201
    response.request = request
    response.headers.update(answer)
    keys = MappingKeyResolver(public_keys={"gateway-1": GATEWAY_PAIR.public}, private_keys={})
    verifier = HTTPMessageVerifier(signature_algorithm=ED25519, key_resolver=keys)
    [result] = verifier.verify(response, body=ANSWER)
    assert '"signature";req;key="sig1"' in result.covered_components
