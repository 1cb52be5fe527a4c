"""Ports on the loopback: which are free, and who sits on one that is not."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from functools import cache
from pathlib import Path
from typing import BinaryIO

import psutil

LOOPBACK = "127.0.0.1"

# Below the range from which kernels take the ports of outgoing connections: a server that was
# killed finds its port still free when it comes back.
SERVERS = range(20_000, 30_000)


class PortTaken(Exception):
    """Somebody else listens on a port that we were told to use."""

    def __init__(self, port: int, variable: str) -> None:
        holder = holder_of(port)
        by = f" by {holder}" if holder else ""
        super().__init__(
            f"port {port} is taken{by}; choose another one: {variable}={port + 10_000} make up\n"
            f"端口 {port} 已被占用；请另选一个：{variable}={port + 10_000} make up"
        )


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen()
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port where nobody listens, and which this process alone was given as long as it lives.

    A server that is about to start, or that was killed and comes back, finds it still free.
    """
    for port in random.SystemRandom().sample(SERVERS, 200):
        if port not in _given and _is_reserved(port) and is_free(port):
            _given.add(port)
            return port
    raise RuntimeError(f"no free port between {SERVERS.start} and {SERVERS.stop}")


_given: set[int] = set()


def _is_reserved(port: int) -> bool:
    """Whether this process holds the port's byte of the file that all of this user lock."""
    try:
        fcntl.lockf(_reservations(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


@cache
def _reservations() -> BinaryIO:
    # Opened once: closing any handle of a file gives up all that the process has locked in it.
    return (Path(tempfile.gettempdir()) / f"gongji-{os.getuid()}.ports").open("ab")


def is_listening(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


def holder_of(port: int) -> str:
    """`name (pid 123)` of the process that listens there, "" where we may not know."""
    try:
        connections = psutil.net_connections("tcp")
        pids = [
            each.pid
            for each in connections
            if each.status == psutil.CONN_LISTEN and each.laddr[1:] == (port,) and each.pid
        ]
        return f"{psutil.Process(pids[0]).name()} (pid {pids[0]})" if pids else ""
    except psutil.Error:
        return ""
