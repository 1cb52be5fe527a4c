"""What a signature covers, and the text that is signed (RFC 9421 §2)."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote_plus, urlsplit

from gm.fields import (
    Component,
    Covered,
    SignatureInvalid,
    byte_sequence,
    parse_dictionary,
    strictly_serialised,
)

Header = tuple[bytes, bytes] | tuple[str, str]

LONGEST_BASE = 32768
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Message(NamedTuple):
    """A request, or a response with its request; `fields` as `joined_fields` makes them."""

    fields: Mapping[str, str]
    headers: Sequence[Header]
    method: str | None = None
    target_uri: str | None = None
    status: int | None = None
    request: "Message | None" = None


def joined_fields(headers: Iterable[Header]) -> dict[str, str]:
    """Lowercase name → trimmed values, several lines joined by a comma and a space."""
    fields: dict[str, str] = {}
    for raw_name, raw_value in headers:
        # Not by a function: there are many of them.
        name = raw_name.decode("latin-1") if type(raw_name) is bytes else str(raw_name)
        value = raw_value.decode("latin-1") if type(raw_value) is bytes else str(raw_value)
        name, value = name.lower(), value.strip(" \t")
        if "\n" in value:
            value = _unfolded(value)
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


def signature_base(message: Message, covered: Covered, params: str) -> bytes:
    """The text that is signed; `params` is the canonical form of list and parameters.

    Raises `SignatureInvalid` where a component is missing, unknown or not a single line of ASCII.
    """
    base = _usual_base(message, covered, params)
    if base is None:
        lines = [
            f"{component.text}: {_value(message, component)}" for component in covered.components
        ]
        base = "\n".join([*lines, f'"@signature-params": {params}'])
    if not base.isascii() or base.count("\n") != len(covered.components) or "\r" in base:
        raise SignatureInvalid("a covered component is not one line of ASCII")
    if len(base) > LONGEST_BASE:
        raise SignatureInvalid("what is covered is too long")
    return base.encode()


def _usual_base(message: Message, covered: Covered, params: str) -> str | None:
    # Plain fields, method and target of a request, and all of them there.
    if covered.pick is None or message.method is None or message.target_uri is None:
        return None
    values = {**message.fields, "@method": message.method, "@target-uri": message.target_uri}
    try:
        return covered.lines % (*covered.pick(values), params)
    except KeyError:
        return None


def _as_text(raw: bytes | str) -> str:
    return raw.decode("latin-1") if type(raw) is bytes else str(raw)


def _unfolded(value: str) -> str:
    # Obsolete line folding counts as one space; a bare line break stays, to be refused.
    return re.sub(r"[ \t]*\r\n[ \t]+", " ", value).strip(" \t")


def _value(message: Message, component: Component) -> str:
    params = dict(component.params)
    if params.get("req") is True:
        del params["req"]
        if message.request is None:
            raise SignatureInvalid("req stands for nothing in a request")
        message = message.request
    if component.name.startswith("@"):
        return _derived(message, component.name, params)
    return _field(message, component.name, params)


def _field(message: Message, name: str, params: Mapping[str, object]) -> str:
    if name not in message.fields:
        raise SignatureInvalid(f"covered field {name} is not in the message")
    match dict(params):
        case {} if not params:
            return message.fields[name]
        case {"sf": True, **rest} if not rest:
            return strictly_serialised(name, message.fields[name])
        case {"bs": True, **rest} if not rest:
            return _byte_sequences(message, name)
        case {"key": str() as key, **rest} if not rest or rest == {"sf": True}:
            members = parse_dictionary(name, message.fields[name])
            if key not in members:
                raise SignatureInvalid(f"covered field {name} has no such member")
            return members[key].text
    raise SignatureInvalid(f"covered field {name} has parameters that are not supported")


def _byte_sequences(message: Message, name: str) -> str:
    return ", ".join(
        byte_sequence(_unfolded(_as_text(value)).encode("latin-1"))
        for field_name, value in message.headers
        if _as_text(field_name).lower() == name
    )


def _derived(message: Message, name: str, params: Mapping[str, object]) -> str:
    if name == "@query-param":
        return _query_param(message, params)
    if params:
        raise SignatureInvalid(f"{name} has parameters that are not supported")
    value: str | None = None
    if name == "@method":
        value = message.method
    elif name == "@target-uri":
        value = message.target_uri
    elif name == "@status":
        value = None if message.status is None else str(message.status)
    elif name in _OF_TARGET and message.target_uri is not None:
        value = _OF_TARGET[name](message.target_uri)
    if value is None:
        raise SignatureInvalid(f"{name} is not known here")
    return value


def _authority(target_uri: str) -> str:
    try:
        parts = urlsplit(target_uri)
        port = parts.port
    except ValueError as why:
        raise SignatureInvalid("the target has no valid authority") from why
    authority = parts.netloc.rpartition("@")[2].lower()
    if port is not None and port == _DEFAULT_PORTS.get(parts.scheme):
        return authority.rpartition(":")[0]
    return authority


def _path_and_query(target_uri: str) -> tuple[str, str | None]:
    after_scheme = target_uri.partition("://")[2]
    path, question, query = after_scheme.partition("?")
    slash = path.find("/")
    path = path[slash:] if slash >= 0 else "/"
    return path, query if question else None


def _query(target_uri: str) -> str:
    return f"?{_path_and_query(target_uri)[1] or ''}"


def _request_target(target_uri: str) -> str:
    path, query = _path_and_query(target_uri)
    return path if query is None else f"{path}?{query}"


def _query_param(message: Message, params: Mapping[str, object]) -> str:
    wanted = params.get("name")
    if message.target_uri is None or not isinstance(wanted, str) or len(params) != 1:
        raise SignatureInvalid("@query-param needs a name and nothing else")
    query = _path_and_query(message.target_uri)[1] or ""
    pairs = parse_qsl(query, keep_blank_values=True)
    found = [value for name, value in pairs if name == unquote_plus(wanted)]
    if len(found) != 1:
        raise SignatureInvalid("the covered query parameter is not there exactly once")
    # The form's own percent-encode set, with spaces as %20 (RFC 9421 §2.2.8).
    return quote(found[0], safe="*").replace("~", "%7E")


_OF_TARGET: Mapping[str, Callable[[str], str]] = {
    "@authority": _authority,
    "@scheme": lambda target_uri: target_uri.partition("://")[0].lower(),
    "@path": lambda target_uri: _path_and_query(target_uri)[0],
    "@query": _query,
    "@request-target": _request_target,
}
