"""RFC 9421 and RFC 9530 once more, from the RFCs and the contract alone, as an `auth` of requests.

Nothing is shared with the other client; label, order of components and `alg` are others, too.
"""

from __future__ import annotations

import re
import time
import uuid
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from hashlib import sha256

from nacl.signing import SigningKey, VerifyKey
from requests import PreparedRequest, Response
from requests.auth import AuthBase

LABEL = "jiangxi"
ITEM = re.compile(r'"(?P<name>[a-z0-9@-]+)"(?P<params>(?:;[a-z]+(?:="[^"\\]*"|=[0-9]+)?)*)')
MEMBER = re.compile(
    r"\s*(?P<label>[a-z*][a-z0-9_.*-]*)="
    r"(?P<value>\((?P<items>[^)]*)\)(?P<params>[^,\s]*)|:(?P<bytes>[A-Za-z0-9+/=]*):)\s*(?:,|$)"
)
PARAMETER = re.compile(r';(?P<name>[a-z]+)(?:=(?:"(?P<text>[^"\\]*)"|(?P<number>[0-9]+)))?')


def digest(body: bytes) -> str:
    return f"sha-256=:{b64encode(sha256(body).digest()).decode('ascii')}:"


def members(field_value: str) -> dict[str, re.Match[str]]:
    """The members of `Signature-Input` or `Signature`; raises where it is no such dictionary."""
    found, at = {}, 0
    while at < len(field_value):
        member = MEMBER.match(field_value, at)
        assert member, f"no dictionary: {field_value}"
        found[member["label"]] = member
        at = member.end()
    return found


def parameters(text: str) -> dict[str, str]:
    return {
        each["name"]: each["text"] if each["text"] is not None else each["number"] or ""
        for each in PARAMETER.finditer(text)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed(AuthBase):
    """Signs each request as it leaves; a test names what is to be wrong with it."""

    key_id: str
    key: SigningKey = field(repr=False)
    nonce: str | None = None
    created: int | None = None

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        body = request.body or b""
        assert isinstance(body, bytes)
        values = {"@target-uri": request.url or "", "@method": request.method or ""}
        if body:
            request.headers["Content-Digest"] = digest(body)
        for name in ("Idempotency-Key", "Content-Digest", "Content-Type"):
            if name in request.headers:
                values[name.lower()] = str(request.headers[name])
        created = int(time.time()) if self.created is None else self.created
        items = " ".join(f'"{name}"' for name in values)
        inner = (
            f'({items});keyid="{self.key_id}";alg="ed25519"'
            f';nonce="{self.nonce or uuid.uuid4().hex}";created={created}'
        )
        lines = [f'"{name}": {value}' for name, value in values.items()]
        base = "\n".join([*lines, f'"@signature-params": {inner}'])
        signature = self.key.sign(base.encode("ascii")).signature
        request.headers["Signature-Input"] = f"{LABEL}={inner}"
        request.headers["Signature"] = f"{LABEL}=:{b64encode(signature).decode('ascii')}:"
        return request


def verify(answer: Response, key: VerifyKey) -> None:
    """Raise unless the gateway signed this answer, and as the answer to this very request."""
    asked, told = answer.request.headers, answer.headers
    assert told["Content-Digest"] == digest(answer.content), "the digest is of another body"
    ((label, member),) = members(told["Signature-Input"]).items()
    items = list(ITEM.finditer(member["items"]))
    assert {"@status", "content-digest", "signature"} <= {each["name"] for each in items}
    assert abs(int(parameters(member["params"])["created"]) - time.time()) < 300
    lines = []
    for each in items:
        of = parameters(each["params"])
        if each["name"] == "@status":
            value = str(answer.status_code)
        else:
            value = str((asked if "req" in of else told)[each["name"]]).strip()
        if "key" in of:
            value = f":{members(value)[of['key']]['bytes']}:"
        if each["name"] == "signature":
            assert of.get("req") == "", "bound to the request's signature"
        lines.append(f'"{each["name"]}"{each["params"]}: {value}')
    base = "\n".join([*lines, f'"@signature-params": {member["value"]}'])
    key.verify(base.encode("ascii"), b64decode(members(told["Signature"])[label]["bytes"]))
