"""The cases over HTTP: payments in closed and open loops, and the echoes beside them."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from deploy.local.ports import free_port, is_listening
from deploy.local.program import tethered
from tests.bench.choice import Choice
from tests.bench.figures import Figures, curve, in_pairs, of_shots, quantiles
from tests.bench.generator import Generator, Order, Shots
from tests.bench.ground import Ground, counter_code, meter_of
from tests.bench.lag import lag_between, lags_of
from tests.bench.letters import (
    BENCH,
    CAPTURE,
    FIRST_OF_TWO,
    HOLD,
    PRESENCE,
    HoldScript,
    PaymentScript,
    PresenceScript,
    Script,
)
from tests.bench.lines import line_lags
from tests.bench.machine import Look, Meter, between
from tests.bench.proofs import history_of, lines_proved, proved
from tests.support.databases import blocking

CALLERS_OF_OPEN_LOOP = 512
ASSUMED_RATE = 1500
"""Requests a second that are written for the first, short run; the long one knows better."""

LEAST_RATE, MARGIN = 1000, 1.5
"""Requests written for the long run: more than the short one used, which may have been cold."""
READY_SECONDS = 20.0

LINE_RATE = 500
"""Payments a second while the way to settlement's line is timed."""

_CASE = re.compile(r"(hold_capture|payment|sharers|hot|presence|open)_(\d+)(_session)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """A run and what the machine did meanwhile."""

    shots: Shots
    figures: Figures


def fire(generator: Generator, meter: Meter, order: Order) -> Fired:
    generator.write(order)
    before = meter.look()
    shots = generator.fire(order)
    return fired(shots, before, meter.look())


def fired(shots: Shots, before: Look, after: Look) -> Fired:
    """Figures of what was sent between two looks; of two requests that belong together, one."""
    well = max(
        1,
        sum(
            1
            for key, status in zip(shots.keys, shots.statuses, strict=True)
            if 200 <= status < 300 and not key.startswith(FIRST_OF_TWO)
        ),
    )
    beside = between(before, after, count=well, generator_seconds=shots.cpu_seconds)
    return Fired(shots=shots, figures={**of_shots(shots), **beside})


def closed(generator: Generator, meter: Meter, choice: Choice, order: Order) -> tuple[Fired, Shots]:
    """A short run that warms up and tells how many requests the long one needs."""
    short = replace(
        order,
        seconds=choice.warm_seconds,
        count=int(ASSUMED_RATE * choice.warm_seconds) + order.callers,
    )
    generator.write(short)
    warm = generator.fire(short)
    rate = len(warm.statuses) / warm.took_seconds
    count = int(max(LEAST_RATE, MARGIN * rate) * choice.seconds) + 2 * order.callers
    return fire(generator, meter, replace(order, seconds=choice.seconds, count=count)), warm


class PaymentCases:
    """Cases that end in the ledger; each is followed by I1-I5."""

    def __init__(self, ground: Ground, generator: Generator, choice: Choice) -> None:
        self._ground, self._generator, self._choice = ground, generator, choice

    def run(self, name: str) -> Figures:
        if name == "lag_line":
            return self._lag_line()
        case = _CASE.fullmatch(name)
        assert case is not None, f"there is no case {name}"
        kind, number = case[1], int(case[2])
        script = self.script(kind, session=case[3] is not None)
        blocking(self._ground.at_rest())
        if kind == "open":
            return self._open(script, number)
        return self._closed(kind, script, number)

    def script(self, kind: str, *, session: bool = False) -> Script:
        ground = self._ground
        signing = ground.signing(session=session)
        if kind == "presence":
            return PresenceScript(
                url=ground.gateway,
                signing=signing,
                cert_nos=[each.cert_no for each in ground.one],
            )
        people = {"hot": ground.one[:1], "sharers": ground.two}.get(kind, ground.one)
        tokens = [each.token for each in people]
        if kind == "hold_capture":
            return HoldScript(url=ground.gateway, signing=signing, tokens=tokens)
        return PaymentScript(url=ground.gateway, signing=signing, tokens=tokens)

    def order(self, script: Script, callers: int) -> Order:
        address = urlsplit(self._ground.gateway)
        assert address.hostname is not None
        assert address.port is not None
        return Order(
            host=address.hostname,
            port=address.port,
            script=script,
            callers=callers,
            count=0,
            seconds=self._choice.seconds,
        )

    def _closed(self, kind: str, script: Script, callers: int) -> Figures:
        before = blocking(self._batches())
        fired, warm = closed(
            self._generator, self._ground.meter, self._choice, self.order(script, callers)
        )
        after = blocking(self._batches())
        figures = {**fired.figures, "callers": callers, **batches_between(before, after)}
        latencies = fired.shots.latencies
        if kind == "presence":
            figures |= apart(fired.shots, presence=PRESENCE, payment=BENCH)
        if kind == "hold_capture":
            pairs = in_pairs(fired.shots, HOLD, CAPTURE)
            latencies = pairs.latencies
            figures |= {**of_shots(pairs), "answers": figures["answers"]}
            figures |= apart(fired.shots, hold=HOLD, capture=CAPTURE)
        return {**figures, **self.proofs([warm, fired.shots]), "curve_ms": curve(latencies)}

    def _open(self, script: Script, rate: int) -> Figures:
        order = replace(
            self.order(script, CALLERS_OF_OPEN_LOOP), rate=rate, count=rate * self._choice.seconds
        )
        before, lags = blocking(self._batches()), blocking(lags_of(self._ground))
        fired = fire(self._generator, self._ground.meter, order)
        after = blocking(self._batches())
        blocking(self._ground.at_rest())
        return {
            **fired.figures,
            "intended_rate": rate,
            **batches_between(before, after),
            **lag_between(lags, blocking(lags_of(self._ground))),
            **self.proofs([fired.shots]),
            "curve_ms": curve(fired.shots.latencies),
        }

    def _lag_line(self) -> Figures:
        """From the commit of a payment to that of its line; the payments' own latency beside it."""
        blocking(self._ground.at_rest())
        since = blocking(self._ground.now())
        figures = self._open(self.script("open"), LINE_RATE)
        lags = blocking(line_lags(self._ground, since))
        figures |= {
            "payment_p50_ms": figures["p50_ms"],
            "payment_p99_ms": figures["p99_ms"],
            "lines": len(lags),
            **quantiles([1000 * lag for lag in lags]),
            "curve_ms": curve(lags),
        }
        found = blocking(lines_proved(self._ground.site.databases))
        return {**figures, "invariants": {**figures["invariants"], **found}}

    async def _batches(self) -> dict[str, float]:
        wallet = await self._ground.scraped("wallet-api")
        gateway = await self._ground.scraped("gateway-api")
        calls = 'neighbour_batch_calls_{}{{neighbour="wallet"}}'
        return {
            "jobs": wallet.get('door_batch_jobs_sum{cell="0"}', 0.0),
            "transactions": wallet.get('door_batch_jobs_count{cell="0"}', 0.0),
            "calls": gateway.get(calls.format("sum"), 0.0),
            "requests": gateway.get(calls.format("count"), 0.0),
        }

    def proofs(self, runs: Sequence[Shots]) -> Figures:
        caller = f"institution:{counter_code(self._ground.site)}"
        history = [each for shots in runs for each in history_of(shots, caller)]
        since = time.monotonic()
        found, payments = blocking(proved(self._ground.wallet_dsn, history))
        return {
            "invariants": found,
            "payments_in_ledger": payments,
            "proved_in_seconds": round(time.monotonic() - since, 1),
        }


def batches_between(before: dict[str, float], after: dict[str, float]) -> Figures:
    """Payments in a transaction of the wallet, calls in a request of the gateway; warm-up too."""
    change = {name: after[name] - before[name] for name in after}
    return {
        "batch_jobs": round(change["jobs"] / max(1.0, change["transactions"]), 1),
        "batch_calls": round(change["calls"] / max(1.0, change["requests"]), 1),
        "transactions": int(change["transactions"]),
    }


def apart(shots: Shots, **prefixes: str) -> Figures:
    """Of two requests that belong together each one's own latency; the rate is the second's."""
    kinds = {}
    for name, prefix in prefixes.items():
        chosen = [n for n, key in enumerate(shots.keys) if key.startswith(prefix)]
        kinds[name] = of_shots(
            replace(
                shots,
                latencies=[shots.latencies[n] for n in chosen],
                statuses=[shots.statuses[n] for n in chosen],
            )
        )
    told = {
        f"{name}_{figure}": figures[figure]
        for name, figures in kinds.items()
        for figure in ("p50_ms", "p99_ms")
        if figure in figures
    }
    *_, second = kinds.values()
    return {"rate": second["rate"], **told}


def echo(name: str, generator: Generator, choice: Choice, script: PaymentScript) -> Figures:
    """A server that does nothing, asked by 64 callers for the same payments."""
    with echoing(name.partition("_")[2]) as (port, pid):
        meter = meter_of_echo(pid)
        order = Order(
            host="127.0.0.1",
            port=port,
            script=replace(script, url=f"http://127.0.0.1:{port}"),
            callers=64,
            count=0,
            seconds=choice.seconds,
        )
        fired, _ = closed(generator, meter, choice, order)
    spent = fired.figures["cpu_us_by"]
    kept = {"echo": spent["echo"], "generator": spent["generator"]}
    return {**fired.figures, "cpu_us": spent["echo"], "cpu_us_by": kept, "callers": 64}


def meter_of_echo(pid: int) -> Meter:
    meter = meter_of_machine()
    meter.add("echo", pid)
    return meter


def meter_of_machine() -> Meter:
    from tests.support import servers

    return meter_of(servers.address("durable"), None)


@contextmanager
def echoing(kind: str) -> Iterator[tuple[int, int]]:
    """Port and pid of an echo's own process."""
    port = free_port()
    child = subprocess.Popen(tethered([sys.executable, "-m", "tests.bench.echo", kind, str(port)]))
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not is_listening(port):
            assert child.poll() is None, f"the {kind} echo ended with {child.returncode}"
            assert time.monotonic() < deadline, f"the {kind} echo is not ready"
            time.sleep(0.05)
        yield port, child.pid
    finally:
        child.kill()
        child.wait()
