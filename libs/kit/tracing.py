"""Trace context (W3C `traceparent`), carried from HTTP through outbox and Kafka to consumers.

A context variable of our own, because it is touched by every request. Where a process runs with an
OpenTelemetry SDK, its instrumentations see the same context. Bodies never carry a trace
id, so that a replay is byte for byte.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry.context import attach, detach
from opentelemetry.trace import (
    NonRecordingSpan,
    ProxyTracerProvider,
    SpanContext,
    TraceFlags,
    get_current_span,
    get_tracer_provider,
    set_span_in_context,
)

HEADER = "traceparent"

_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(?:-.*)?"
)

_current: ContextVar[str | None] = ContextVar("traceparent", default=None)

INSTRUMENTED = not isinstance(get_tracer_provider(), ProxyTracerProvider)
"""`opentelemetry-instrument` sets its SDK up before anything of ours is imported."""


@contextmanager
def continued(traceparent: str | None) -> Iterator[str]:
    """Go on with the caller's trace in a span of our own, or begin one; yields our traceparent."""
    ours = begun(traceparent)
    token = _current.set(ours)
    seen = attach(set_span_in_context(_span(ours))) if INSTRUMENTED else None
    try:
        yield ours
    finally:
        if seen is not None:
            detach(seen)
        _current.reset(token)


def begun(traceparent: str | None) -> str:
    """The traceparent of a new span in the caller's trace, or in a new one."""
    found = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    if found is None:
        new = os.urandom(24).hex()
        return f"00-{new[:32]}-{new[32:]}-01"
    sampled = int(found[2], 16) & 1
    return f"00-{found[1]}-{os.urandom(8).hex()}-0{sampled}"


def current() -> str | None:
    """The traceparent to hand to whatever is called from here; None outside any trace."""
    ours = _current.get()
    if not INSTRUMENTED:
        return ours
    span = get_current_span().get_span_context()
    if not span.is_valid:
        return ours
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"


def current_trace_id() -> str | None:
    ours = current()
    return ours[3:35] if ours else None


def _span(traceparent: str) -> NonRecordingSpan:
    return NonRecordingSpan(
        SpanContext(
            trace_id=int(traceparent[3:35], 16),
            span_id=int(traceparent[36:52], 16),
            is_remote=False,
            trace_flags=TraceFlags(int(traceparent[53:], 16)),
        )
    )
