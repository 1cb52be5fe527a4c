"""Migrations that landed: `python -m tests.tidy.landed` notes the checksums of those there are.

A migration that ran somewhere is never changed; what is wrong in it is mended by the next one.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from tests.tidy.source import ROOT

NOTED = Path(__file__).with_name("landed.sha256")
FOLDERS = ("services/*/migrations", "sandbox/migrations", "libs/kit/schema")


def checksums(root: Path = ROOT) -> dict[str, str]:
    """Path → sha256 of every migration there is."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for pattern in FOLDERS
        for path in sorted(root.glob(f"{pattern}/*.sql"))
    }


def noted() -> dict[str, str]:
    if not NOTED.exists():
        return {}
    lines = (line.split(maxsplit=1) for line in NOTED.read_text(encoding="utf-8").splitlines())
    return {path: digest for digest, path in lines}


def broken(landed: dict[str, str], present: dict[str, str]) -> list[str]:
    """Which landed migrations are gone or changed, and which new ones would run before them."""
    found = [
        f"{path} landed and {'is gone' if path not in present else 'was changed'}"
        for path, digest in landed.items()
        if present.get(path) != digest
    ]
    newest: dict[str, int] = {}
    for path in landed:
        folder, number = _place(path)
        newest[folder] = max(number, newest.get(folder, 0))
    for path in present:
        folder, number = _place(path)
        if path not in landed and number <= newest.get(folder, 0):
            found.append(f"{path} is new and stands before one that landed")
    return found


def _place(path: str) -> tuple[str, int]:
    folder, _, name = path.rpartition("/")
    number = re.match(r"(\d{4})_[a-z0-9_]+\.sql$", name)
    assert number, f"{path}: a migration is called 0001_what_it_does.sql"
    return folder, int(number[1])


def main() -> None:
    wrong = broken(noted(), checksums())
    if wrong:
        raise SystemExit("\n".join(wrong))
    lines = [f"{digest}  {path}" for path, digest in sorted(checksums().items())]
    NOTED.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
