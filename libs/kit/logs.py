"""Logs: one JSON object a line, with the trace id, and without what must never be written down.

What a key names (`cert_no`, `name`, `token`, …) is replaced whatever its value; identity numbers
are replaced in any text, tracebacks and other libraries' messages included.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any

import orjson
import structlog

from kit.tracing import current_trace_id

HIDDEN = "[hidden]"

SECRET_NAMES = frozenset(
    {
        "authorization",
        "body",
        "card_no",
        "card_sn",
        "cert_no",
        "certno",
        "ciphertext",
        "cookie",
        "credential",
        "idempotency_key",
        "key_hex",
        "name",
        "nonce",
        "password",
        "presence_token",
        "private_key",
        "psn_name",
        "sealed",
        "secret",
        "service_token",
        "signature",
        "sm4_key",
        "sm4_key_hex",
        "token",
        "value",
    }
)

# 18 digits with a plausible date of birth, the last perhaps X; or the 15 digits of old cards.
_MONTH_DAY = r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_NUMBER = re.compile(
    rf"(?<![0-9A-Za-z])(?:\d{{6}}(?:18|19|20)\d{{2}}{_MONTH_DAY}\d{{3}}[\dXx]"
    rf"|\d{{8}}{_MONTH_DAY}\d{{3}})(?![0-9A-Za-z])"
)
_NAMED = "|".join(sorted(SECRET_NAMES - {"body", "value", "name"}, key=len, reverse=True))
# `"cert_no": "…"`, `cert_no='…'`, and PostgreSQL's `Key (cert_no)=(…)`.
_PAIR = re.compile(
    rf"""(?ix)
    (?<![a-z_]) ((?:{_NAMED}|psn_name|name|value|input_value) ["']? \s* [:=] \s*)
    ( "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' )
    """
)
_ROW = re.compile(r"(Key \([^)]*\)=\(|Failing row contains \()[^)]*\)")
_BEARER = re.compile(r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/=-]+")


def redacted(text: str) -> str:
    """The text with identity numbers, bearer tokens and values of secret names replaced."""
    text = _NUMBER.sub(HIDDEN, text)
    text = _PAIR.sub(rf"\1{HIDDEN}", text)
    text = _ROW.sub(rf"\1{HIDDEN})", text)
    return _BEARER.sub(rf"\1{HIDDEN}", text)


def clean(value: object) -> Any:
    """A JSON-able copy of `value` that may be logged; keys that name a secret lose their value."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) < 10**14 else redacted(str(value))
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, Mapping):
        return {
            redacted(str(key)): HIDDEN if str(key).lower() in SECRET_NAMES else clean(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [clean(inner) for inner in value]
    return redacted(str(value))


def _redact(_logger: object, _method: str, event: structlog.typing.EventDict) -> dict[str, Any]:
    cleaned: dict[str, Any] = clean(event)
    return cleaned


def _add_trace(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    trace_id = current_trace_id()
    if trace_id is not None:
        event["trace_id"] = trace_id
    return event


def _dump(value: object, **_options: object) -> str:
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def configure(service: str, level: str = "INFO") -> None:
    """Send structlog's and the standard library's logs to stdout, as redacted JSON lines."""

    def add_service(
        _logger: object, _method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        event["service"] = service
        return event

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_service,
        _add_trace,
    ]
    last: list[structlog.typing.Processor] = [
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _redact,
        structlog.processors.JSONRenderer(serializer=_dump),
    ]
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(threshold, logging.WARNING))
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).setLevel(max(threshold, logging.INFO))
        logging.getLogger(name).propagate = True
