"""A town's processes: real ones, started again when they die, armed to die where a test says.

kept ──dies──▶ started again at once ──/readyz──▶ ready again, and how long that took is known
a death that no test asked for is a surprise, and no surprise is forgiven
"""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from deploy.local.ports import LOOPBACK
from deploy.local.program import Program, tail
from tests.support.town_until import until_so

FIRST_READY_SECONDS = 120.0
READY_AGAIN_SECONDS = 10.0
"""F01: how soon a killed process has to be ready again."""

FULL_LOAD = 3.0
"""Runnable processes a core while a town has as many callers as it can take."""

STOP_SECONDS = 20.0
LOOK_EVERY_SECONDS = 0.05


def answers(port: int) -> bool:
    """Whether /readyz says 200."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def crowding() -> float:
    """How many times more is to be done on this machine than a town at full load gives it; or 1."""
    cores = os.cpu_count() or 1
    return max(1.0, os.getloadavg()[0] / (FULL_LOAD * cores))


@dataclass(slots=True, kw_only=True)
class Kept:
    """One program, the process that runs it now, and what became of those before."""

    program: Program
    arming: Path
    reached: Path
    wanted: bool = True
    child: subprocess.Popen[bytes] | None = None
    ready: bool = False
    since: float = 0.0
    deaths: int = 0
    allowed: int = 0
    pids_lost: list[int] = field(default_factory=list)
    seconds_away: list[float] = field(default_factory=list)

    def is_alive(self) -> bool:
        return self.child is not None and self.child.poll() is None

    def is_gone(self) -> bool:
        return not self.is_alive()

    def points_reached(self) -> list[str]:
        return self.reached.read_text().split() if self.reached.exists() else []


class Watchman:
    """Keeps programs running; all are started by one thread, with which tethered children die."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[str, Kept] = {}
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchman", daemon=True)
        self._thread.start()

    @property
    def names(self) -> list[str]:
        return list(self._kept)

    def __getitem__(self, name: str) -> Kept:
        return self._kept[name]

    def begin(self, program: Program, port: int) -> None:
        """Start a program and keep it running; does not wait for it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        arming, reached = (self._folder / f"{program.name}.{end}" for end in ("arm", "reached"))
        env = {
            **program.env,
            "PORT": str(port),
            "FAULTPOINTS_FILE": str(arming),
            "FAULTPOINTS_REACHED": str(reached),
        }
        program = replace(program, ready=partial(answers, port), env=env)
        self._kept[program.name] = Kept(program=program, arming=arming, reached=reached)

    def _watch(self) -> None:
        while not self._leaving.wait(LOOK_EVERY_SECONDS):
            for kept in list(self._kept.values()):
                if kept.wanted:
                    self._look_after(kept)

    def _look_after(self, kept: Kept) -> None:
        now = time.monotonic()
        if not kept.is_alive():
            if kept.child is not None:
                kept.deaths += 1
                kept.pids_lost.append(kept.child.pid)
            kept.ready, kept.since = False, now
            kept.child = kept.program.start()
        elif not kept.ready and kept.program.ready():
            kept.seconds_away.append(time.monotonic() - kept.since)
            kept.ready = True

    def await_ready(self, names: Iterable[str] | None = None) -> None:
        """Return when all are ready for the first time; raises NotStarted."""
        deadline = time.monotonic() + FIRST_READY_SECONDS * crowding()
        for kept in [self._kept[name] for name in (names or self.names)]:
            while not kept.ready:
                if kept.deaths or time.monotonic() > deadline:
                    raise kept.program.failed(f"is not ready, died {kept.deaths} times")
                self._leaving.wait(LOOK_EVERY_SECONDS)

    async def first_ready(self, *names: str) -> None:
        """The same without standing in the way of anything else."""
        await asyncio.to_thread(self.await_ready, names)

    async def ready_again(self, name: str) -> None:
        """Wait until a process that died is ready, which may not take longer than F01 says."""
        kept = self._kept[name]
        await until_so(
            lambda: kept.ready and kept.is_alive(),
            f"{name} is ready again",
            2 * FIRST_READY_SECONDS,
        )
        first, *_, away = kept.seconds_away
        # A machine that is busy with other things was so when all started together, too.
        allowed = max(READY_AGAIN_SECONDS * crowding(), first)
        assert away <= allowed, f"{name} was away for {away:.1f} s"

    async def arm(self, name: str, point: str) -> None:
        """Have a running process kill itself when it next passes this fault point."""
        kept = self._kept[name]
        assert kept.ready, f"{name} is not ready to be armed"
        assert kept.child is not None
        kept.reached.unlink(missing_ok=True)
        kept.allowed += 1
        scratch = kept.arming.with_suffix(".new")
        scratch.write_text(point)
        scratch.rename(kept.arming)
        os.kill(kept.child.pid, signal.SIGUSR1)
        await until_so(lambda: not kept.arming.exists(), f"{name} is armed")

    async def died_at(self, name: str, point: str, within: float) -> None:
        """Wait until an armed process killed itself at this point, as its own file proves."""
        kept = self._kept[name]
        await until_so(
            lambda: point in kept.points_reached(), f"{name} passes the fault point {point}", within
        )
        await until_so(lambda: kept.deaths >= kept.allowed, f"{name} died at {point}")

    async def kill(self, name: str) -> None:
        """SIGKILL; it is started again."""
        kept = self._kept[name]
        assert kept.child is not None
        kept.allowed += 1
        kept.child.kill()
        await until_so(lambda: kept.deaths >= kept.allowed, f"{name} was killed")

    async def stop(self, *names: str) -> None:
        """SIGTERM; they are not started again. They have to leave by themselves and in peace."""
        for name in names:
            kept = self._kept[name]
            kept.wanted = False
            assert kept.child is not None
            kept.child.terminate()
        for name in names:
            kept = self._kept.pop(name)
            await until_so(kept.is_gone, f"{name} ends", STOP_SECONDS)
            assert kept.child is not None
            assert kept.child.returncode == 0, f"{name} ended with {kept.child.returncode}"

    def lost(self, *names: str) -> dict[str, int]:
        """Of these processes, the id of the one that died last."""
        return {name: self._kept[name].pids_lost[-1] for name in names}

    def surprises(self) -> list[str]:
        """Processes that died more often than tests asked for, with the end of their logs."""
        return [
            f"{name} died {kept.deaths} times, {kept.allowed} were asked for:\n"
            f"{tail(kept.program.log, 30)}"
            for name, kept in self._kept.items()
            if kept.deaths > kept.allowed
        ]

    def leave(self) -> None:
        """End all of them, at once and without ceremony: their databases are about to go."""
        self._leaving.set()
        self._thread.join()
        for kept in self._kept.values():
            if kept.child is not None:
                kept.child.kill()
        for kept in self._kept.values():
            if kept.child is not None:
                kept.child.wait()
