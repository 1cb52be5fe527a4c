"""What the story shows: numbered steps in both languages, tables, the verdict."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

WIDTH = 110


def yuan(fen: int) -> str:
    """268599 → 2 685.99"""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100:,}.{abs(fen) % 100:02}".replace(",", " ")


def new_console() -> Console:
    """As wide as the terminal; wide enough for the tables where there is none."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH)


@dataclass(slots=True)
class Teller:
    console: Console = field(default_factory=new_console)
    steps: int = 0
    began: float = field(default_factory=time.monotonic)

    def title(self, chinese: str, english: str) -> None:
        self.console.rule(f"[bold]{escape(chinese)}[/]  {escape(english)}")

    def step(self, chinese: str, english: str) -> None:
        """The next step of the story."""
        self.steps += 1
        self.console.print(f"\n[bold cyan]{self.steps:>2}[/]  [bold]{escape(chinese)}[/]")
        self.console.print(f"    {escape(english)}")

    def note(self, text: str) -> None:
        self.console.print(f"    [dim]{escape(text)}[/]")

    def good(self, text: str) -> None:
        self.console.print(f"    [green]✓[/] {escape(text)}")

    def bad(self, text: str) -> None:
        self.console.print(f"    [red]✗ {escape(text)}[/]")

    def table(
        self, headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()
    ) -> None:
        """A table; the columns numbered in `right` hold amounts."""
        table = Table(show_edge=False, pad_edge=False, header_style="dim")
        for n, heading in enumerate(headings):
            table.add_column(escape(heading), justify="right" if n in right else "left")
        for row in rows:
            table.add_row(*map(escape, row))
        self.console.print(Padding(table, (0, 0, 0, 4)))

    def seconds(self) -> float:
        return time.monotonic() - self.began
