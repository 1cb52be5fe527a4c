"""How the headers of a signature are read: Structured Fields (RFC 9651).

The shape that signers usually send is read by hand, the list of what is covered once for all
requests that bear it; whatever else is allowed goes through `http_sf`, several times slower and
right about all of it. Both give the same answer. What is made anew for each request is a
NamedTuple, as unchangeable as a frozen dataclass and made in a third of the time.
"""

import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

import http_sf

LONGEST_FIELD = 8192
MOST_COMPONENTS = 64
LONGEST_COMPONENT = 256
USUAL_DERIVED = ("@method", "@target-uri")

_KEY = r"[a-z*][a-z0-9_.*-]*"
_PLAIN = r'"[ !#-\[\]-~]*"'
_INTEGER = r"0|[1-9][0-9]{0,14}"
_USUAL_LIST = re.compile(rf'({_KEY})=(\((?:{_PLAIN}|[^"()\\])*\))')
_USUAL_PARAMETERS = re.compile(rf"(?:;{_KEY}=(?:{_PLAIN}|{_INTEGER}))*")
_PARAMETER = re.compile(rf';({_KEY})=(?:"([^"]*)"|([0-9]+))')
_LABEL = re.compile(_KEY)
_UNQUOTABLE = re.compile(r'[^ -~]|["\\]')
_FIELD_NAME = re.compile(r"@?[a-z0-9!#$%&'*+.^_`|~-]+")


class SignatureInvalid(Exception):
    """The signature is missing, malformed, incomplete, too old or wrong; `reason` says which."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One thing that a signature covers; `text` is its canonical form in the signature base."""

    name: str
    text: str
    params: tuple[tuple[str, Any], ...] = ()

    @property
    def identity(self) -> tuple[str, frozenset[tuple[str, Any]]]:
        """Equal for components that mean the same, whatever the order of their parameters."""
        return self.name, frozenset(self.params)

    @property
    def is_whole(self) -> bool:
        """`sf` and `bs` cover all of a field as well; `key` a part of it, `req` another message."""
        return not self.params or self.params in ((("sf", True),), (("bs", True),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """What one signature covers, in its order; `whole` are the names that are covered entirely.

    `pick` is there where every component is a plain field, method or target: it takes their values
    out by name. They and the parameters, put into `lines`, are the signature base.
    """

    components: tuple[Component, ...]
    texts: tuple[str, ...]
    whole: frozenset[str]
    pick: Callable[[Mapping[str, str]], tuple[str, ...]] | None = field(compare=False)
    lines: str


class SignatureInput(NamedTuple):
    """One member of Signature-Input; `text` is its canonical form, the last line of the base."""

    covered: Covered
    params: Mapping[str, Any]
    text: str


class Member(NamedTuple):
    """One member of a dictionary: value, and canonical form with its parameters."""

    value: Any
    text: str


def parse_signature_inputs(value: str) -> dict[str, SignatureInput]:
    """Label → what that signature covers, from Signature-Input. Raises `SignatureInvalid`."""
    end = _bounded("signature-input", value).find(")") + 1
    usual = _usual_list(value[:end])
    if usual is not None and _USUAL_PARAMETERS.fullmatch(value, end):
        label, covered = usual
        return {label: _usual_input(covered, value, end, value[len(label) + 1 :])}
    inputs = {}
    for label, (member, params) in _dictionary("signature-input", value).items():
        if not isinstance(member, list):
            raise SignatureInvalid("signature-input is not made of inner lists")
        inputs[label] = SignatureInput(
            covered=_covered(member),
            params=params,
            text=_serialised((member, params)),
        )
    return inputs


def parse_signatures(value: str) -> dict[str, Member]:
    """Label → signature's bytes, from Signature. Raises `SignatureInvalid`."""
    label, _, text = _bounded("signature", value).partition("=")
    usual = _usual_bytes(text)
    if usual is not None and _is_label(label):
        return {label: Member(value=usual, text=text)}
    signatures = parse_dictionary("signature", value)
    for member in signatures.values():
        if not isinstance(member.value, bytes):
            raise SignatureInvalid("signature is not made of byte sequences")
    return signatures


def parse_dictionary(name: str, value: str) -> dict[str, Member]:
    """The members of a dictionary field; a key that stands twice is refused, not overwritten."""
    return {
        key: Member(value=member[0], text=_serialised(member))
        for key, member in _dictionary(name, value).items()
    }


def strictly_serialised(name: str, value: str) -> str:
    """A registered structured field in canonical form (`;sf`). Raises `SignatureInvalid`."""
    kind = "dictionary" if name in _DICTIONARIES else None
    try:
        return http_sf.ser(http_sf.parse(_bounded(name, value).encode(), name=name, tltype=kind))
    except (KeyError, ValueError) as why:
        raise SignatureInvalid(f"{name} is not a known structured field") from why


def byte_sequence(value: bytes) -> str:
    """Bytes as a structured field writes them."""
    return f":{b2a_base64(value, newline=False).decode()}:"


def quoted(value: str) -> str:
    """Text as a structured field writes it; ValueError beyond printable ASCII."""
    if _UNQUOTABLE.search(value):
        return _serialised(value)
    return f'"{value}"'


_DICTIONARIES = frozenset(
    [
        "accept-signature",
        "content-digest",
        "repr-digest",
        "signature",
        "signature-input",
        "want-content-digest",
        "want-repr-digest",
    ]
)


def _bounded(name: str, value: str) -> str:
    if len(value) > LONGEST_FIELD:
        raise SignatureInvalid(f"{name} is too long")
    return value


@lru_cache(maxsize=512)
def _usual_list(head: str) -> tuple[str, Covered] | None:
    # Every client sends the same label and list again and again. None: not written canonically.
    usual = _USUAL_LIST.fullmatch(head)
    if usual is None:
        return None
    label, listed = usual.groups()
    member, params = _dictionary("signature-input", f"list={listed}")["list"]
    return (label, _covered(member)) if _serialised((member, params)) == listed else None


@lru_cache(maxsize=512)
def _is_label(text: str) -> bool:
    return _LABEL.fullmatch(text) is not None


def _usual_bytes(text: str) -> bytes | None:
    if len(text) < 2 or text[0] != ":" or text[-1] != ":":
        return None
    try:
        value = a2b_base64(text[1:-1])
    except ValueError:
        return None
    # The decoder forgives much; what it read is written back and compared.
    return value if byte_sequence(value) == text else None


def _usual_input(covered: Covered, value: str, end: int, text: str) -> SignatureInput:
    found: dict[str, Any] = {}
    pairs = _PARAMETER.findall(value, end)
    for key, string, integer in pairs:
        found[key] = int(integer) if integer else string
    if len(found) != len(pairs):
        raise SignatureInvalid("a parameter stands twice in signature-input")
    return SignatureInput(covered=covered, params=found, text=text)


def _component(item: Any) -> Component:
    name, params = item
    if not isinstance(name, str) or not _FIELD_NAME.fullmatch(name):
        raise SignatureInvalid("a covered component has no lowercase name")
    return Component(name=name, text=_serialised(item), params=tuple(params.items()))


def _covered(items: Sequence[Any]) -> Covered:
    components = tuple(_component(item) for item in items)
    if len(components) > MOST_COMPONENTS:
        raise SignatureInvalid("too many covered components")
    if any(len(component.text) > LONGEST_COMPONENT for component in components):
        raise SignatureInvalid("a covered component has too long a name")
    if len({component.identity for component in components}) != len(components):
        raise SignatureInvalid("a component is covered twice")
    return covering(components)


def covering(components: Sequence[Component]) -> Covered:
    """The components as a signature covers them, in this order."""
    texts = tuple(component.text for component in components)
    usual = [
        component.name
        for component in components
        if not component.params and (component.name[0] != "@" or component.name in USUAL_DERIVED)
    ]
    # itemgetter gives no tuple for one name alone.
    pick = itemgetter(*usual) if 1 < len(usual) == len(components) else None
    lines = [f"{text.replace('%', '%%')}: %s" for text in texts]
    return Covered(
        components=tuple(components),
        texts=texts,
        whole=frozenset(component.name for component in components if component.is_whole),
        pick=pick,
        lines="\n".join([*lines, '"@signature-params": %s']),
    )


def _dictionary(name: str, value: str) -> dict[str, Any]:
    def refuse_duplicate(_key: str, _context: str) -> None:
        raise SignatureInvalid(f"a key stands twice in {name}")

    try:
        parsed = http_sf.parse(
            _bounded(name, value).encode(), tltype="dictionary", on_duplicate_key=refuse_duplicate
        )
    except ValueError as why:
        raise SignatureInvalid(f"{name} is not a dictionary field") from why
    assert isinstance(parsed, dict)
    return parsed


def _serialised(member: Any) -> str:
    # As the one member of a list, because `ser` takes an inner list for nothing else.
    text: str = http_sf.ser([member])
    return text
