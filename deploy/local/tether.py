"""Become another program that dies with its parent: `python tether.py PARENT SIGNAL USER CMD…`.

    parent dies --PR_SET_PDEATHSIG--> SIGNAL to CMD

A script of its own, run without site-packages, because a fork inside a threaded parent may not
touch Python; the pid stays the same through exec. USER is "" or a system user to become first
(PostgreSQL refuses root). Where there is no prctl (macOS) the tether is left out.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1


def become(user: str) -> None:
    entry = pwd.getpwnam(user)
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def main() -> None:
    parent, signal_number, user, *command = sys.argv[1:]
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    if user:
        become(user)
    if libc is not None:
        # After the change of user, which would forget it.
        libc.prctl(PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit("the parent died before its child was tethered")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
