"""The story's page, read as a browser would: its tables, its data, and what it would load."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

LOADS = ("src", "srcset", "action", "poster", "data", "formaction")
VOID = ("meta", "br", "hr", "img", "input", "link")


@dataclass(slots=True)
class Cell:
    """`fen` is what it says for programs; None where it is no amount."""

    text: str = ""
    fen: int | None = None


@dataclass(slots=True)
class Page(HTMLParser):
    """`tables` are id → rows of the body and the foot; `data` id → what scripts are given."""

    tables: dict[str, list[list[Cell]]] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    _open: list[tuple[str, str]] = field(default_factory=list)
    _table: list[list[Cell]] = field(default_factory=list)

    def __post_init__(self) -> None:
        HTMLParser.__init__(self)

    @classmethod
    def read(cls, text: str) -> Page:
        """Read it to the end; every element has to be closed."""
        page = cls()
        page.feed(text)
        page.close()
        assert not page._open, page._open
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.loaded += [told[name] for name in LOADS if name in told]
        self.loaded += [told["href"]] if not told.get("href", "#").startswith("#") else []
        self.loaded += [name for name in told if name.startswith("on")]
        if tag in VOID:
            return
        self._open.append((tag, told.get("id", "")))
        match tag:
            case "table":
                self._table = self.tables[told["id"]] = []
            case "tr" if self._within("tbody", "tfoot"):
                self._table.append([])
            case "td":
                fen = told.get("data-fen")
                self._table[-1].append(Cell(fen=None if fen is None else int(fen)))

    def handle_endtag(self, tag: str) -> None:
        opened, _ = self._open.pop()
        assert opened == tag, f"{opened} is closed by {tag}"

    def _hear(self, data: str) -> None:
        if not self._open:
            return
        tag, name = self._open[-1]
        if tag == "script" and name:
            self.data[name] = json.loads(data)
        elif self._within("td"):
            self._table[-1][-1].text += data

    handle_data = _hear  # what HTMLParser calls it

    def _within(self, *tags: str) -> bool:
        return any(tag in tags for tag, _ in self._open)
