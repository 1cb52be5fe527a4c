"""Check a running stack by hand: `python -m proof [var/stack.json]`; exit 1 if it is broken."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from proof.report import check_stack


def main() -> None:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "var/stack.json")
    stack = json.loads(path.read_text(encoding="utf-8"))
    results = asyncio.run(check_stack(stack, logs=path.parent / "log"))
    for each in results:
        mark = "ok " if each.ok else "BAD"
        sys.stdout.write(f"{mark} {each.id:<4}{each.title_en} · {each.title_zh}\n")
        sys.stdout.write(f"         {each.detail}\n")
    sys.exit(not all(each.ok for each in results))


if __name__ == "__main__":
    main()
