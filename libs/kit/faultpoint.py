"""Named points between the database, Kafka and the caller, at which a test may kill the process.

`FAULTPOINTS=name[:nth]` (comma separated) arms points; each writes its name to the file
`FAULTPOINTS_REACHED` and kills its own process with SIGKILL the nth time it is passed. Unarmed,
a point is one look into an empty dict.

A process that runs is armed by the file `FAULTPOINTS_FILE`: at SIGUSR1 it reads the file and
removes it. Without that variable the signal means nothing to us.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

_armed: dict[str, int] = {}
NAMES: set[str] = set()
"""Every declared point; a test holds this against the calls in the code."""


def declare(*names: str) -> None:
    """Say at import which points a module has."""
    NAMES.update(names)


def arm_from_environment() -> None:
    """Arm what FAULTPOINTS names; called once by the process's main."""
    _arm(os.environ.get("FAULTPOINTS", ""))
    file = os.environ.get("FAULTPOINTS_FILE")
    if file:
        signal.signal(signal.SIGUSR1, lambda _number, _frame: _arm_from(Path(file)))


def _arm_from(file: Path) -> None:
    _arm(file.read_text(encoding="utf-8").strip())
    file.unlink()


def _arm(entries: str) -> None:
    for entry in filter(None, entries.split(",")):
        name, _, nth = entry.partition(":")
        assert name in NAMES, f"no fault point is called {name}"
        _armed[name] = int(nth or 1)


def faultpoint(name: str) -> None:
    """Die here, if a test armed this point."""
    if not _armed:
        return
    _reach(name)


def _reach(name: str) -> None:
    left = _armed.get(name)
    if left is None:
        return
    if left > 1:
        _armed[name] = left - 1
        return
    reached = os.environ.get("FAULTPOINTS_REACHED")
    if reached:
        with open(reached, "a", encoding="utf-8") as file:
            file.write(f"{name}\n")
            file.flush()
            os.fsync(file.fileno())
    os.kill(os.getpid(), signal.SIGKILL)
