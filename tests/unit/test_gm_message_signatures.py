"""Requests signed by RFC 9421: what is accepted and what is refused."""

from base64 import b64encode
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gm.fields import SignatureInvalid
from gm.message_signatures import (
    parse_request,
    sign_request,
    verify_request,
)
from gm.signing import generate_key_pair, verifying_key
from tests.support.signed import (
    BASIC,
    BODY,
    KEY,
    NOW,
    PUBLIC,
    URI,
    Handmade,
    T,
    accept,
    digest_of,
    replaced,
    signed_by_us,
)


def test_what_we_sign_is_accepted() -> None:
    signed = accept(signed_by_us())
    assert (signed.label, signed.keyid, signed.nonce) == ("sig1", KEY.keyid, "n-1")
    assert signed.created == T
    assert '"idempotency-key"' in signed.covered


def test_a_request_without_body_needs_no_digest() -> None:
    added = sign_request(KEY, method="GET", target_uri=URI, headers=[], body=b"", now=NOW)
    assert "content-digest" not in added
    assert accept(list(added.items()), method="GET", body=b"").keyid == KEY.keyid


@given(
    order=st.permutations(
        ['"@method"', '"@target-uri"', '"content-digest"', '"content-type"', '"idempotency-key"']
    ),
    parameters=st.permutations(
        [
            f";created={T}",
            ';nonce="n-1"',
            ';keyid="P65900200001-1"',
            ';alg="ed25519"',
            ';tag="gongji"',
            f";expires={T + 5}",
        ]
    ),
    label=st.from_regex(r"[a-z*][a-z0-9_.*-]{0,20}", fullmatch=True),
)
def test_any_label_and_any_order_is_accepted(
    order: list[str], parameters: list[str], label: str
) -> None:
    made = Handmade(components=" ".join(order), params="".join(parameters), label=label)
    assert made.accepted().label == label


@pytest.mark.parametrize(
    ("what", "changed"),
    [
        ("the body", {"body": b'{"amount_fen":9999}'}),
        ("the method", {"method": "PUT"}),
        ("the path", {"uri": "http://127.0.0.1:8080/v1/quotes?dry=1"}),
        ("the query", {"uri": "http://127.0.0.1:8080/v1/payments?dry=0"}),
        ("the host", {"uri": "http://127.0.0.2:8080/v1/payments?dry=1"}),
    ],
)
def test_tampering_with_a_request_is_refused(what: str, changed: dict[str, str]) -> None:
    with pytest.raises(SignatureInvalid):
        accept(signed_by_us(), **changed)  # type: ignore[arg-type]  # one keyword of several types


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("content-type", "text/plain"),
        ("idempotency-key", "k-2"),
        ("content-digest", digest_of(b"{}")),
        ("content-digest", digest_of(BODY, "sha-512")),
        ("signature", f"sig1=:{b64encode(bytes(64)).decode()}:"),
        ("signature", "sig1=:AAAA:"),
        ("signature", "sig1=::"),
    ],
)
def test_tampering_with_a_header_is_refused(name: str, value: str) -> None:
    with pytest.raises(SignatureInvalid):
        accept(replaced(signed_by_us(), name, value))


@given(position=st.integers(min_value=0), flip=st.integers(min_value=1, max_value=127))
def test_no_character_of_what_is_signed_may_change(position: int, flip: int) -> None:
    headers = signed_by_us()
    value = dict(headers)["signature-input"]
    at = position % len(value)
    changed = value[:at] + chr(ord(value[at]) ^ flip) + value[at + 1 :]
    with pytest.raises(SignatureInvalid):
        accept(replaced(headers, "signature-input", changed))


def covering(*components: str) -> dict[str, object]:
    return {"components": " ".join(components)}


def saying(**changed: str | None) -> dict[str, object]:
    params = {"created": f"{T}", "nonce": '"n"', "keyid": f'"{KEY.keyid}"'} | changed
    said = {name: value for name, value in params.items() if value is not None}
    return {"params": "".join(f";{name}={value}" for name, value in said.items())}


def digests(*values: str) -> dict[str, object]:
    return {"headers": (*BASIC, *(("content-digest", value) for value in values))}


METHOD, TARGET, DIGEST, TYPE, IDEMPOTENCY = (
    '"@method"',
    '"@target-uri"',
    '"content-digest"',
    '"content-type"',
    '"idempotency-key"',
)


@pytest.mark.parametrize(
    ("reason", "made"),
    [
        ("@method is not covered", covering(TARGET, DIGEST, TYPE, IDEMPOTENCY)),
        ("@target-uri is not covered", covering(METHOD, DIGEST, TYPE, IDEMPOTENCY)),
        ("content-digest is not covered", covering(METHOD, TARGET, TYPE, IDEMPOTENCY)),
        (
            "content-digest is not covered",
            covering(METHOD, TARGET, f'{DIGEST};key="sha-256"', TYPE, IDEMPOTENCY),
        ),
        ("content-type is not covered", covering(METHOD, TARGET, DIGEST, IDEMPOTENCY)),
        ("idempotency-key is not covered", covering(METHOD, TARGET, DIGEST, TYPE)),
        ("@method is not covered", covering()),
        ("created is missing", saying(created=None)),
        ("created is not a whole number of seconds", saying(created='"1"')),
        ("created is not a whole number of seconds", saying(created=f"{T}.5")),
        ("created is not a whole number of seconds", saying(created="?1")),
        ("created is too far from now", saying(created=f"{T - 301}")),
        ("created is too far from now", saying(created=f"{T + 301}")),
        ("the signature has expired", saying(expires=f"{T - 1}")),
        ("expires is not a whole number of seconds", saying(expires='"9"')),
        ("nonce is missing or not a short text", saying(nonce=None)),
        ("nonce is missing or not a short text", saying(nonce='""')),
        ("nonce is missing or not a short text", saying(nonce="7")),
        ("nonce is missing or not a short text", saying(nonce=f'"{"n" * 256}"')),
        ("no signature names its key", saying(keyid=None)),
        ("no signature names its key", saying(keyid=KEY.keyid)),
        ("signed by another key", saying(keyid='"P65900200001-2"')),
        ("alg does not fit the key", saying(alg='"hmac-sha256"')),
        ("alg does not fit the key", saying(alg="ed25519")),
        ("content-digest does not fit the body", {"body": b"{}"}),
        ("content-digest has no sha-256", digests(digest_of(BODY, "sha-512"))),
        (
            "content-digest does not fit the body",
            digests(digest_of(BODY), digest_of(b"", "sha-512")),
        ),
        (
            "content-digest does not fit the body",
            digests(digest_of(b""), digest_of(BODY, "sha-512")),
        ),
        ("a key stands twice in content-digest", digests(digest_of(b""), digest_of(BODY))),
        ("content-digest is not a dictionary field", digests("sha-256", "=")),
    ],
)
def test_a_well_made_signature_that_says_too_little_is_refused(
    reason: str, made: dict[str, object]
) -> None:
    with pytest.raises(SignatureInvalid) as refused:
        Handmade(**made).accepted()  # type: ignore[arg-type]  # one keyword of several types
    assert refused.value.reason == reason


def test_an_unsigned_request_is_refused() -> None:
    for dropped in ("signature", "signature-input"):
        headers = [pair for pair in signed_by_us() if pair[0] != dropped]
        with pytest.raises(SignatureInvalid, match="not signed"):
            accept(headers)


def test_other_digests_beside_sha_256_are_welcome() -> None:
    both = f"{digest_of(BODY, 'sha-512')}, {digest_of(BODY)}, unixsum=:AAA=:"
    assert Handmade(headers=(*BASIC, ("content-digest", both))).accepted().keyid == KEY.keyid


def test_more_may_be_covered_than_must_be() -> None:
    components = (
        '"@authority" "@path" "@query" "@scheme" "@request-target" "@query-param";name="dry" '
        '"content-digest";sf "@method" "@target-uri" "content-type" "idempotency-key";bs "accept"'
    )
    headers = (*BASIC, ("content-digest", digest_of(BODY)), ("accept", "a"), ("accept", "b"))
    assert Handmade(components=components, headers=headers).accepted().keyid == KEY.keyid


def test_of_several_signatures_the_one_whose_key_is_known_counts() -> None:
    headers = dict(signed_by_us())
    foreign = 'proxy=("@method");created=1;keyid="somebody"'
    headers["signature-input"] = f"{foreign}, {headers['signature-input']}"
    headers["signature"] = f"proxy=:AAAA:, {headers['signature']}"
    candidates = parse_request(method="POST", target_uri=URI, headers=list(headers.items()))
    assert [candidate.keyid for candidate in candidates] == ["somebody", KEY.keyid]
    signed = verify_request(candidates[1], PUBLIC, body=BODY, now=NOW)
    assert signed.label == "sig1"
    with pytest.raises(SignatureInvalid, match="another key"):
        verify_request(candidates[0], PUBLIC, body=BODY, now=NOW)


def test_another_institutions_key_does_not_open_the_door() -> None:
    stranger = verifying_key(KEY.keyid, "ed25519", generate_key_pair("ed25519").public)
    [candidate] = parse_request(method="POST", target_uri=URI, headers=signed_by_us())
    with pytest.raises(SignatureInvalid, match="does not fit"):
        verify_request(candidate, stranger, body=BODY, now=NOW)


def test_a_signature_is_valid_for_five_minutes_both_ways() -> None:
    [candidate] = parse_request(method="POST", target_uri=URI, headers=signed_by_us())
    for seconds in (-300, 300):
        later = NOW + timedelta(seconds=seconds)
        assert verify_request(candidate, PUBLIC, body=BODY, now=later)
