"""What a signature may cover, and how its headers are read: RFC 9421 word for word."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gm.components import Message, joined_fields, signature_base
from gm.fields import SignatureInvalid, parse_signature_inputs, parse_signatures
from gm.message_signatures import (
    parse_request,
)
from gm.signing import public_key_of, signing_key, verifying_key
from tests.support.signed import (
    BASIC,
    BODY,
    URI,
    Handmade,
    accept,
    digest_of,
    replaced,
    signed_by_us,
)

PARAM = '"@query-param";name="'


@pytest.mark.parametrize(
    ("component", "uri", "value"),
    [
        ('"@authority"', "https://Example.com:443/a", "example.com"),
        ('"@authority"', "http://example.com:8080/a", "example.com:8080"),
        ('"@scheme"', "https://example.com/a", "https"),
        ('"@path"', "https://example.com/a%20b/?x=/y", "/a%20b/"),
        ('"@path"', "https://example.com", "/"),
        ('"@query"', "https://example.com/a?b=c&d", "?b=c&d"),
        ('"@query"', "https://example.com/a", "?"),
        ('"@request-target"', "https://example.com/a?b=c", "/a?b=c"),
        ('"@request-target"', "https://example.com/a?", "/a?"),
        ('"@request-target"', "https://example.com/a", "/a"),
        # RFC 9421 §2.2.8
        (
            '"@query-param";name="baz"',
            "https://e.cn/p?param=value&foo=bar&baz=batman&qux=",
            "batman",
        ),
        ('"@query-param";name="qux"', "https://e.cn/p?param=value&foo=bar&baz=batman&qux=", ""),
        (
            '"@query-param";name="var"',
            "https://e.cn/p?var=this%20is%20a%20big%0Amultiline%20value",
            "this%20is%20a%20big%0Amultiline%20value",
        ),
        (
            '"@query-param";name="bar"',
            "https://e.cn/p?bar=with+plus+whitespace",
            "with%20plus%20whitespace",
        ),
        (
            '"@query-param";name="fa%C3%A7ade%22%3A%20"',
            "https://e.cn/p?fa%C3%A7ade%22%3A%20=something",
            "something",
        ),
        # RFC 9421 §2.1
        ('"x-ows-header"', URI, "Leading and trailing whitespace."),
        ('"x-obs-fold-header"', URI, "Obsolete line folding."),
        ('"cache-control"', URI, "max-age=60, must-revalidate"),
        ('"example-dict"', URI, "a=1,    b=2;x=1;y=2,   c=(a   b   c)"),
        ('"x-empty-header"', URI, ""),
        # RFC 9421 §2.1.2 and §2.1.3
        ('"signature-dict";key="a"', URI, "1"),
        ('"signature-dict";key="d"', URI, "?1"),
        ('"signature-dict";key="b"', URI, "2;x=1;y=2"),
        ('"signature-dict";key="c"', URI, "(a b c)"),
        ('"example-header";bs', URI, ":dmFsdWUsIHdpdGgsIGxvdHM=:, :b2YsIGNvbW1hcw==:"),
        ('"priority";sf', URI, "u=1, i"),
    ],
)
def test_a_component_has_the_value_of_the_standard(component: str, uri: str, value: str) -> None:
    headers = [
        ("X-OWS-Header", "   Leading and trailing whitespace.   "),
        ("X-Obs-Fold-Header", "Obsolete\r\n    line folding."),
        ("Cache-Control", "max-age=60"),
        ("Cache-Control", "   must-revalidate"),
        ("Example-Dict", " a=1,    b=2;x=1;y=2,   c=(a   b   c)"),
        ("X-Empty-Header", ""),
        ("Signature-Dict", " a=1, b=2;x=1;y=2, c=(a   b   c), d"),
        ("Example-Header", "value, with, lots"),
        ("Example-Header", "of, commas"),
        ("Priority", "u=1,   i=?1"),
    ]
    message = Message(fields=joined_fields(headers), headers=headers, method="GET", target_uri=uri)
    [covered] = parse_signature_inputs(f"s=({component})").values()
    base = signature_base(message, covered.covered, covered.text).decode()
    assert base == f'{component}: {value}\n"@signature-params": ({component})'


RFC_PRIVATE = b"""-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF
-----END PRIVATE KEY-----
"""
RFC_PUBLIC = b"""-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=
-----END PUBLIC KEY-----
"""


def test_the_vector_of_rfc_9421_b_2_6() -> None:
    headers = [
        ("Host", "example.com"),
        ("Date", "Tue, 20 Apr 2021 02:07:55 GMT"),
        ("Content-Type", "application/json"),
        ("Content-Length", "18"),
        (
            "Signature-Input",
            'sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length")'
            ';created=1618884473;keyid="test-key-ed25519"',
        ),
        (
            "Signature",
            "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vu"
            "Qv5lIp5WPpBKRCw==:",
        ),
    ]
    uri = "https://example.com/foo?param=Value&Pet=dog"
    [candidate] = parse_request(method="POST", target_uri=uri, headers=headers)
    assert (candidate.label, candidate.keyid) == ("sig-b26", "test-key-ed25519")
    base = signature_base(candidate.message, candidate.input.covered, candidate.input.text)
    assert public_key_of("ed25519", RFC_PRIVATE) == RFC_PUBLIC
    assert verifying_key("test-key-ed25519", "ed25519", RFC_PUBLIC).verify(
        candidate.signature, base
    )
    assert signing_key("test-key-ed25519", "ed25519", RFC_PRIVATE).sign(base) == candidate.signature


@pytest.mark.parametrize(
    ("reason", "components"),
    [
        ("a component is covered twice", '"@method" "@method"'),
        ("a component is covered twice", '"a";sf;key="x" "a";key="x";sf'),
        ("a covered component has no lowercase name", '"Content-Type"'),
        ("a covered component has no lowercase name", '"con tent"'),
        ("a covered component has no lowercase name", '""'),
        ("a covered component has no lowercase name", "1"),
        ("covered field x-missing is not in the message", '"x-missing"'),
        ("@unknown is not known here", '"@unknown"'),
        ("@status is not known here", '"@status"'),
        ("@method has parameters that are not supported", '"@method";sf'),
        ("req stands for nothing in a request", '"@method";req'),
        ("covered field accept has parameters that are not supported", '"accept";tr'),
        ("covered field accept has parameters that are not supported", '"accept";sf;bs'),
        ("covered field accept has parameters that are not supported", '"accept";key=1'),
        ("idempotency-key is not a known structured field", '"idempotency-key";sf'),
        ("covered field accept has no such member", '"accept";key="b"'),
        ("@query-param needs a name and nothing else", '"@query-param"'),
        ("the covered query parameter is not there exactly once", '"@query-param";name="no"'),
        ("too many covered components", " ".join(f'"a{n}"' for n in range(65))),
        ("a covered component has too long a name", f'"{"a" * 300}"'),
        ("signature-input is too long", '"a" ' * 3000),
    ],
)
def test_a_component_that_cannot_be_covered_is_refused_by_name(
    reason: str, components: str
) -> None:
    with pytest.raises(SignatureInvalid) as refused:
        Handmade(components=components, headers=(*BASIC, ("accept", "a"))).signed()
    assert refused.value.reason == reason


INPUT, SIGNATURE = "signature-input", "signature"


@pytest.mark.parametrize(
    ("reason", "header", "value"),
    [
        ("signature-input is not a dictionary field", INPUT, "sig1=("),
        ("signature-input is not a dictionary field", INPUT, "sig1=()x"),
        ("signature-input is not a dictionary field", INPUT, "Sig1=()"),
        ("signature-input is not a dictionary field", INPUT, "sig1=();created=1234567890123456"),
        ("signature-input is not a dictionary field", INPUT, 'sig1=("\xe9")'),
        ("signature-input is not made of inner lists", INPUT, "sig1=1"),
        ("a key stands twice in signature-input", INPUT, "sig1=(), sig1=()"),
        ("a key stands twice in signature-input", INPUT, "sig1=();a;a"),
        ("a parameter stands twice in signature-input", INPUT, "sig1=();created=1;created=2"),
        ("too many signatures", INPUT, ", ".join(f'a{n}=();keyid="x"' for n in range(9))),
        ("no signature names its key", INPUT, 'other=();keyid="x"'),
        ("no signature names its key", INPUT, ""),
        ("signature is not made of byte sequences", SIGNATURE, "sig1=1"),
        ("signature is not a dictionary field", SIGNATURE, "sig1=:$:"),
        ("a key stands twice in signature", SIGNATURE, "sig1=:AAAA:, sig1=:AAAA:"),
        ("signature is too long", SIGNATURE, f"sig1=:{'A' * 9000}:"),
    ],
)
def test_headers_that_cannot_be_read_are_refused_by_name(
    reason: str, header: str, value: str
) -> None:
    with pytest.raises(SignatureInvalid) as refused:
        accept(replaced(signed_by_us(), header, value))
    assert refused.value.reason == reason


def test_a_covered_field_that_is_not_one_line_of_ascii_is_refused() -> None:
    for value in ("a\nb", "a\rb", "caf\xe9"):
        headers = (*BASIC, ("content-digest", digest_of(BODY)), ("x-note", value))
        with pytest.raises(SignatureInvalid, match="one line of ASCII"):
            Handmade(components='"x-note"', headers=headers).signed()


def test_a_covered_field_may_not_be_huge() -> None:
    headers = (*BASIC, ("content-digest", digest_of(BODY)), ("x-note", "a" * 40_000))
    with pytest.raises(SignatureInvalid, match="too long"):
        Handmade(components='"x-note"', headers=headers).signed()


def test_the_usual_shape_and_any_other_read_the_same() -> None:
    usual = 'sig1=("@method" "a";req;key="b)");created=1;nonce="x;y=1";keyid="k"'
    other = 'sig1=(  "@method"   "a";req;key="b)" );created=01;nonce="x;y=1"; keyid="k"'
    assert parse_signature_inputs(usual) == parse_signature_inputs(other)
    plain = 'sig1=("@method" "content-type");created=1;nonce="n";keyid="k"'
    spaced = plain.replace("(", "( ")
    assert parse_signature_inputs(plain) == parse_signature_inputs(spaced)
    # Without padding and with idle bits set, as RFC 9651 lets it be read: the same bytes.
    for text in ("a=:AAAA: ", "a=:AAAA:"):
        assert parse_signatures(text)["a"] == (bytes(3), ":AAAA:")
    for text in ("a=:AB==:", "a=:AA==:", "a=:AA:", "a=:AA==: "):
        assert parse_signatures(text)["a"] == (bytes(1), ":AA==:")
    assert parse_signatures("a=::")["a"] == (b"", "::")


@given(
    names=st.permutations(["@method", "@target-uri", "content-type", "%s", "a%%b", "x"]),
    count=st.integers(min_value=0, max_value=6),
    more=st.sampled_from(["", ' "@path"', ' "x";bs', ' "x";sf;key="k"']),
)
def test_the_usual_base_and_any_other_are_the_same(names: list[str], count: int, more: str) -> None:
    """The one is made from a form kept for the list, the other component by component."""
    headers = [("%s", "percent %d"), ("a%%b", "%"), ("x", "k=1"), ("content-type", "t/t")]
    fields = joined_fields(headers)
    message = Message(fields=fields, headers=headers, method="POST", target_uri=URI)
    listed = " ".join(f'"{name}"' for name in names[:count]) + more
    [usual] = parse_signature_inputs(f"s=({listed.strip()})").values()
    unusual = replace(usual.covered, pick=None)
    base = signature_base(message, usual.covered, usual.text)
    assert base == signature_base(message, unusual, usual.text)
    assert base.decode().splitlines()[: min(count, 1)] == [
        f'"{name}": {({"@method": "POST", "@target-uri": URI} | fields)[name]}'
        for name in names[: min(count, 1)]
    ]


def test_a_header_that_is_named_like_a_derived_component_does_not_stand_for_it() -> None:
    headers = [("@method", "DELETE"), ("@path", "/x"), ("a", "1")]
    message = Message(fields=joined_fields(headers), headers=headers, method="POST", target_uri=URI)
    for listed, line in (('"@method" "a"', '"@method": POST'), ('"@path" "a"', '"@path": /v1/')):
        [told] = parse_signature_inputs(f"s=({listed})").values()
        assert signature_base(message, told.covered, told.text).decode().startswith(line)
