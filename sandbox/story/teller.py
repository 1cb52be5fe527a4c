"""What the story shows: chapters, numbered steps in both languages, tables, the verdict."""

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
class Chapter:
    """`ended_at` is set when the next one begins; both are seconds of a steady clock."""

    zh: str
    en: str
    began_at: float
    ended_at: float | None = None
    steps: int = 0

    @property
    def seconds(self) -> float:
        return (self.ended_at or time.monotonic()) - self.began_at

    @property
    def milliseconds(self) -> int:
        return round(1000 * self.seconds)


@dataclass(slots=True)
class Teller:
    console: Console = field(default_factory=new_console)
    chapters: list[Chapter] = field(default_factory=list)
    began_at: float = field(default_factory=time.monotonic)

    def title(self, chinese: str, english: str) -> None:
        self.console.rule(f"[bold]{escape(chinese)}[/]  {escape(english)}", characters="═")

    def chapter(self, chinese: str, english: str) -> None:
        """The next chapter; the one before it is over."""
        self.end()
        self.chapters.append(Chapter(zh=chinese, en=english, began_at=time.monotonic()))
        number = len(self.chapters)
        self.console.print()
        self.console.rule(f"[bold]{number}  {escape(chinese)}[/]  {escape(english)}", align="left")

    def end(self) -> None:
        """The chapter is over."""
        if self.chapters and self.chapters[-1].ended_at is None:
            self.chapters[-1].ended_at = time.monotonic()

    def step(self, chinese: str, english: str) -> None:
        """The next step of the chapter."""
        chapter = self.chapters[-1]
        chapter.steps += 1
        number = f"{len(self.chapters)}.{chapter.steps}"
        self.console.print(f"\n[bold cyan]{number}[/] [bold]{escape(chinese)}[/]")
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
        """Since the story began."""
        return time.monotonic() - self.began_at
