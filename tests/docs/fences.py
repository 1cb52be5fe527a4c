"""The fenced blocks of a document: its commands, its examples, its pictures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FENCE = re.compile(
    r"(?:^<!-- schema: (?P<schema>\S+) -->\n)?^```(?P<language>\S*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
HELD_ELSEWHERE = {
    "make run": "tests/unit/test_local_stack.py",
    "make test": "tests/docs/test_commands.py",
}
"""What a document shows and is not run with it → who holds it: the command `run`, whose story
`tests/flow/apart/test_story_in_cells.py` plays; and `make test` is what runs all this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """`at` is the document and the line; `schema` the one that a JSON example has to fit."""

    at: str
    language: str
    text: str
    schema: str | None


def fences(path: str) -> list[Fence]:
    """All of a document, in order."""
    text = (ROOT / path).read_text(encoding="utf-8")
    return [
        Fence(
            at=f"{path}:{text.count(chr(10), 0, found.start()) + 1}",
            language=found["language"],
            text=found["text"],
            schema=found["schema"],
        )
        for found in FENCE.finditer(text)
    ]


def script(path: str) -> str:
    """A document's commands as one bash script, which says which block it is in."""
    parts = ["set -euo pipefail"]
    for fence in fences(path):
        if fence.language == "sh":
            lines = [
                line
                for line in fence.text.splitlines()
                if line.partition("#")[0].strip() not in HELD_ELSEWHERE
            ]
            parts += [f"echo '== {fence.at}'", *lines]
    return "\n".join([*parts, "echo '== the end'", ""])
