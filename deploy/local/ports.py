"""Ports on the loopback: which are free, and who sits on one that is not."""

from __future__ import annotations

import random
import socket

import psutil

LOOPBACK = "127.0.0.1"

# Below the range from which kernels take the ports of outgoing connections: a server that was
# killed finds its port still free when it comes back.
SERVERS = range(20_000, 32_000)


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
    for port in random.sample(SERVERS, 200):
        if is_free(port):
            return port
    raise RuntimeError(f"no free port between {SERVERS.start} and {SERVERS.stop}")


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
