"""HTML as a tree, so that whatever is text is escaped when it is written out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET

from sandbox.story.teller import yuan

Child = ET.Element | str


def el(tag: str, *children: Child, **attributes: str) -> ET.Element:
    """An element; `_` in an attribute's name stands for `-`, a `_` at its end for nothing."""
    made = ET.Element(
        tag, {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
    )
    for child in children:
        if not isinstance(child, str):
            made.append(child)
        elif len(made):
            made[-1].tail = (made[-1].tail or "") + child
        else:
            made.text = (made.text or "") + child
    return made


def money(fen: int, tag: str = "td") -> ET.Element:
    """An amount in yuan, and in fen for who reads the page by a program."""
    sign = " negative" if fen < 0 else ""
    return el(tag, yuan(fen), class_=f"amount{sign}", data_fen=str(fen))


def table(
    name: str, headings: Sequence[str], rows: Iterable[Sequence[Child]], *, foot: bool = False
) -> ET.Element:
    """A table with an id; a text becomes a cell. With `foot` the last row sums the others up."""
    body = [
        el("tr", *(cell if isinstance(cell, ET.Element) else el("td", cell) for cell in row))
        for row in rows
    ]
    parts = [el("thead", el("tr", *(el("th", heading) for heading in headings)))]
    last = [body.pop()] if foot else []
    parts.append(el("tbody", *body))
    parts += [el("tfoot", *last)] if last else []
    return el("table", *parts, id=name)


def source(tag: str, text: str) -> ET.Element:
    """A script or a style of our own, which is written out as it is."""
    assert f"</{tag}" not in text.lower(), "it would end its own element"
    return el(tag, text)


def data(name: str, content: object) -> ET.Element:
    """Data for a script; what could end its element, or begin another, is spelled out."""
    text = json.dumps(content, ensure_ascii=False)
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return el("script", text, id=name, type="application/json")


def written(page: ET.Element) -> str:
    """The page as text."""
    return "<!doctype html>\n" + ET.tostring(page, encoding="unicode", method="html") + "\n"
