"""Answers: a status and the exact text the caller gets, kept so that a replay is byte for byte."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import orjson

from kit.refusal import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer as it goes out: HTTP status and JSON text.

    `replayed` is true when a receipt gave it; `kept` is false for what no receipt may remember.
    """

    status: int
    body: str
    replayed: bool = False
    retry_after: int | None = None
    kept: bool = True


def answer(status: int, content: object) -> Answer:
    """Render `content` (JSON-able: dicts, lists, str, int, bool, None, UUID, aware datetime)."""
    return Answer(status=status, body=render(content))


def render(content: object) -> str:
    return orjson.dumps(content, default=_plain, option=orjson.OPT_UTC_Z).decode()


def _plain(value: object) -> str:
    # asyncpg's UUIDs are a subclass, which the renderer does not take for one.
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(type(value).__name__)


def problem(refusal: Refusal, instance: str) -> Answer:
    """A refusal as RFC 9457 problem+json, bilingual; `instance` is the path that was asked."""
    code = refusal.code()
    body = {
        "type": f"urn:gongji:refusal:{code}",
        "title": refusal.title(),
        "title_zh": refusal.title_zh,
        "status": refusal.status,
        "code": code,
        "detail": refusal.detail or refusal.title(),
        "instance": instance,
        "retryable": refusal.retryable,
    }
    return Answer(
        status=refusal.status,
        body=render(body),
        retry_after=refusal.retry_after_seconds,
        kept=refusal.kept,
    )
