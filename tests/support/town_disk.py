"""A small disk for a server: a tmpfs in a mount namespace of its own, so that it can be filled.

    folder ──copied──▶ tmpfs, mounted over it ──entered by──▶ the server alone

Nobody outside the namespace sees the mount; we look into it through the process that holds it,
and with that process the disk is gone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from deploy.local.program import Program, tethered

_HOLD = """
mount -t tmpfs -o mode=0755,size="$3" small "$2" && cp -a "$1/." "$2/" && mount --move "$2" "$1" &&
echo ready && exec cat
"""
BALLAST = "ballast"
BLOCK = bytes(1 << 20)


class CannotMount(Exception):
    """This machine does not let us mount anything, not even for ourselves."""


class SmallDisk:
    """Holds what a folder held when it was made, and no more than `megabytes` in all."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self._folder = folder
        beside = folder.with_name(f"{folder.name}.small")
        beside.mkdir()
        unshare = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _HOLD, "sh"]
        self._holder = subprocess.Popen(
            [*unshare, str(folder), str(beside), f"{megabytes}m"],
            stdin=subprocess.PIPE,  # closed when we die, and the holder ends
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        assert self._holder.stderr is not None
        if self._holder.stdout.readline() != b"ready\n":
            self._holder.wait()
            raise CannotMount(self._holder.stderr.read().decode().strip())

    @property
    def inside(self) -> Path:
        """The folder as the server sees it."""
        return Path(f"/proc/{self._holder.pid}/root{self._folder}")

    def entered(self, program: Program) -> Program:
        """The same program, on this disk."""
        inner = tethered(program.command, user=program.user, on_death=program.stop_signal)
        enter = ["nsenter", f"--mount=/proc/{self._holder.pid}/ns/mnt", "--"]
        return replace(program, user="", command=[*enter, *inner])

    def fill(self) -> int:
        """Leave no room at all; how many bytes that took."""
        with (self.inside / BALLAST).open("ab", buffering=0) as ballast:
            for size in (len(BLOCK), 4096):
                with contextlib.suppress(_Full):
                    while True:
                        _write(ballast.fileno(), BLOCK[:size])
            return ballast.tell()

    def free_bytes(self) -> int:
        found = os.statvfs(self.inside)
        return found.f_bavail * found.f_frsize

    def empty(self) -> None:
        """Give the room back."""
        (self.inside / BALLAST).unlink()

    def leave(self) -> None:
        self._holder.kill()
        self._holder.wait()


class _Full(Exception):
    pass


def _write(file: int, block: bytes) -> None:
    try:
        os.write(file, block)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise _Full from None


@contextmanager
def small_disks(folders: Sequence[Path], megabytes: int) -> Iterator[list[SmallDisk]]:
    """A small disk over each folder. Raises CannotMount."""
    disks: list[SmallDisk] = []
    try:
        for folder in folders:
            disks.append(SmallDisk(folder, megabytes))
        yield disks
    finally:
        for disk in disks:
            disk.leave()
