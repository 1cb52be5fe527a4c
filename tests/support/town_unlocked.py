"""The wallet with its lock taken out, as a process: what a race has to be seen to fail with."""

from __future__ import annotations

from kit.perform import Door
from kit.run import main
from tests.support.doors import NoLock
from wallet.main import SERVICE

if __name__ == "__main__":
    setattr(Door, "_lock", NoLock._lock)  # noqa: B010 -- mypy forbids assigning to a method
    main(SERVICE)
