"""A program that somebody here keeps running: what to start, how to stop it, when it is ready."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

TETHER = Path(__file__).with_name("tether.py")


class NotStarted(Exception):
    """A program ended, or did not become ready in time; its log says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """`ready` is asked again and again; it answers False while the program is still starting."""

    name: str
    command: Sequence[str]
    log: Path
    ready: Callable[[], bool]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    user: str = ""
    stop_signal: signal.Signals = signal.SIGTERM

    def tethered(self) -> list[str]:
        """The command line that dies with this process."""
        return tethered(self.command, user=self.user, on_death=self.stop_signal)

    def start(self) -> subprocess.Popen[bytes]:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self.tethered(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.env},
                cwd=self.cwd,
                start_new_session=True,
            )

    def failed(self, reason: str) -> NotStarted:
        return NotStarted(f"{self.name} {reason}; the end of {self.log}:\n{tail(self.log)}")


def tethered(
    command: Sequence[str], *, user: str = "", on_death: signal.Signals = signal.SIGKILL
) -> list[str]:
    tether = [sys.executable, "-I", "-S", str(TETHER), str(os.getpid()), str(int(on_death)), user]
    return [*tether, *command]


def tail(log: Path, lines: int = 15) -> str:
    if not log.exists():
        return "(no log)"
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def await_ready(program: Program, child: subprocess.Popen[bytes], within_seconds: float) -> None:
    """Return when the program is ready; raises NotStarted when it ended or time is up."""
    deadline = time.monotonic() + within_seconds
    while not program.ready():
        if child.poll() is not None:
            raise program.failed(f"ended with {child.returncode}")
        if time.monotonic() > deadline:
            raise program.failed(f"was not ready within {within_seconds:.0f} s")
        time.sleep(0.05)


def stop(child: subprocess.Popen[bytes], how: signal.Signals, within_seconds: float = 10) -> None:
    """Ask the child to stop, then insist."""
    if child.poll() is None:
        child.send_signal(how)
    try:
        child.wait(within_seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
