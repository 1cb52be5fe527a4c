"""The page that the story leaves: it shows what statements say, escaped, and loads nothing."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proof.report import Result
from sandbox.citizen import Citizen
from sandbox.story.cast import PARTS, Person
from sandbox.story.elements import data, el, source, written
from sandbox.story.flows import lines_of, matrix_of, sankey_of
from sandbox.story.months import KINDS
from sandbox.story.page import ECHARTS, page_of, write_page
from sandbox.story.record import MonthTold, Shared, Told
from sandbox.story.teller import Chapter, yuan
from tests.support.page import Cell, Page

HOSTILE = """</script><script>alert(1)</script><!-- & "'<b onclick=x>"""
PROVINCES = ("110000", "440000", "650000", "660000", "310000")


def line(debtor: str, creditor: str, kind: str, sum_fen: int) -> dict[str, Any]:
    given_back = min(sum_fen, 0)
    return {
        **{"debtor": debtor, "creditor": creditor, "kind": kind, "count": 1, "sum_fen": sum_fen},
        **{"adjustments_count": int(given_back < 0), "adjustments_fen": given_back},
    }


def month_of(period: str, lines: list[dict[str, Any]]) -> MonthTold:
    national = [each for each in lines if each["debtor"] != each["creditor"]]
    total = sum(each["sum_fen"] for each in national)
    totals = {"count": len(national), "sum_fen": total, "adjustments_fen": 0}
    return MonthTold(
        period={
            **{"period": period, "state": "closed", "cut_at": "a", "closed_at": "b"},
            **{"version": 1, "digest": "d" * 64},
            "transfers": [
                {"payer": "440000", "payee": "660000", "amount_fen": 123_456, "paid_fen": 123_456}
            ],
        },
        statement={
            "lines": national,
            "diagonal": [each for each in lines if each["debtor"] == each["creditor"]],
            "totals": totals,
        },
        institutions={"P1": {"totals": {"count": 2, "sum_fen": 7}}},
    )


def person(number: int, name: str) -> Person:
    citizen = Citizen(
        psn_no="1",
        name=name,
        psn_cert_type="01",
        cert_no="SECRET-NUMBER",
        insutype="310",
        insuplc_admdvs="440300",
        province="440000",
        token="SECRET-TOKEN",
        gateway="http://gateway.test",
        client=httpx.AsyncClient(),
    )
    return Person(part=PARTS[number], citizen=citizen)


def told_of(months: list[MonthTold], *, text: str = "示例", ok: bool = True) -> Told:
    people = (person(0, text), person(1, "示例·甲子"))
    amounts = {"available_fen": 5, "held_fen": 0, "spent_fen": 95, "granted_fen": 100}
    return Told(
        ended_at=datetime(2026, 11, 1, tzinfo=UTC),
        people=people,
        shares=[
            Shared(
                sharer=people[1],
                beneficiary=people[0],
                kind="parent",
                quota={"state": text, **amounts},
            )
        ],
        months=months,
        institutions={"P1": (text, "3", "659002")},
        chapters=[Chapter(zh=text, en="first", began_at=1, ended_at=3, steps=2)],
        results=[Result(id="I1", title_en="nothing lost", title_zh="不丢", ok=ok, detail=text)],
    )


a_line = st.builds(
    line,
    st.sampled_from(PROVINCES),
    st.sampled_from(PROVINCES),
    st.sampled_from(sorted(KINDS)),
    st.integers(-(10**7), 10**7),
)


@given(st.lists(st.lists(a_line, max_size=8), min_size=1, max_size=3))
def test_the_matrix_and_the_picture_are_the_statements_added_up(
    found: list[list[dict[str, Any]]],
) -> None:
    matrix = matrix_of([month_of(f"2026-0{n}", lines) for n, lines in enumerate(found, start=1)])
    expected: Counter[tuple[str, str]] = Counter()
    for each in (line for lines in found for line in lines):
        expected[each["debtor"], each["creditor"]] += each["sum_fen"]
    assert matrix.owed == dict(expected)
    assert matrix.total == sum(map(matrix.owed_by, matrix.provinces)) == expected.total()
    assert matrix.total == sum(map(matrix.owed_to, matrix.provinces))

    picture = sankey_of(matrix)
    links = {(each["source"], each["target"]): each["value"] for each in picture["links"]}
    assert links == {
        (f"owes {debtor}", f"is owed {creditor}"): fen
        for (debtor, creditor), fen in expected.items()
        if fen > 0
    }
    names = [node["name"] for node in picture["nodes"]]
    assert len(names) == len(set(names))
    assert set(names) == {end for link in links for end in link}


LINES = [
    line("440000", "660000", "pharmacy", 200_001),
    line("440000", "660000", "inpatient", 30_000),
    line("440000", "440000", "outpatient", 25_050),
    line("650000", "110000", "premium_390", 7),
]


def amounts(rows: list[list[Cell]]) -> list[list[int]]:
    return [[cell.fen for cell in row if cell.fen is not None] for row in rows]


def test_every_amount_of_the_page_is_what_the_statement_says() -> None:
    late = [line("440000", "660000", "pharmacy", -10_000)]
    months = [month_of("2026-12", LINES), month_of("2027-01", late), month_of("2027-02", [])]
    page = Page.read(page_of(told_of(months)))
    for month in months:
        *shown, foot = page.tables[f"statement-{month.period['period']}"]
        assert amounts(shown) == [
            [each["sum_fen"], each["adjustments_fen"]] for each in lines_of(month)
        ]
        assert [row[0].text[:6] for row in shown] == [each["debtor"] for each in lines_of(month)]
        assert amounts([foot])[0][0] == month.statement["totals"]["sum_fen"]
    assert amounts(page.tables["transfers-2026-12"]) == [[123_456, 123_456]]
    assert amounts(page.tables["institutions-2026-12"]) == [[7]]
    assert amounts(page.tables["shares"]) == [[100, 5, 0, 95]]

    *rows, foot = page.tables["matrix"]
    assert [row[0].text[:6] for row in rows] == ["110000", "440000", "650000", "660000"]
    assert amounts(rows) == [[0], [25_050, 220_001, 245_051], [7, 7], [0]]
    assert amounts([foot]) == [[7, 25_050, 0, 220_001, 245_058]]
    assert [row[0].fen for row in rows] == [None] * 4
    for cell in (cell for rows in page.tables.values() for row in rows for cell in row):
        assert cell.fen is None or cell.text == yuan(cell.fen)
    links = page.data["flow"]["links"]
    assert {each["value"] for each in links} == {220_001, 25_050, 7}


def test_what_is_told_is_text_and_never_markup() -> None:
    harmless = Page.read(page_of(told_of([month_of("2026-12", LINES)])))
    page = Page.read(page_of(told_of([month_of("2026-12", LINES)], text=HOSTILE)))
    assert page.tags == harmless.tags
    assert page.tables["cast"][0][2].text == HOSTILE
    assert page.tables["results"][0][3].text == HOSTILE
    assert page.tables["took"][0][1].text == f"{HOSTILE} first"


@given(st.text(alphabet="<>&/!-'\"\\scriptSCRIPT\u2028\u2029é中", max_size=40))
def test_data_for_a_script_comes_back_as_it_was(text: str) -> None:
    made = written(el("html", data("flow", [text]), el("p", text, title=text)))
    page = Page.read(made)
    assert page.data == {"flow": [text]}
    assert page.tags == ["html", "script", "p"]


def test_a_source_that_would_end_its_own_element_is_not_written() -> None:
    with pytest.raises(AssertionError):
        source("script", "x = '</SCRIPT>'")


def test_the_page_loads_nothing_and_keeps_no_secret() -> None:
    text = page_of(told_of([month_of("2026-12", LINES)]))
    page = Page.read(text)
    assert page.loaded == []
    assert not {"link", "iframe", "img", "object", "embed", "base", "form"} & set(page.tags)
    assert "default-src 'none'" in text
    assert "SECRET" not in text


@pytest.mark.parametrize(("ok", "sign"), [(True, "✓"), (False, "✗")])
def test_a_broken_invariant_shows(ok: bool, sign: str, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    write_page(told_of([month_of("2026-12", LINES)], ok=ok), file)
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
    page = Page.read(file.read_text(encoding="utf-8"))
    assert page.tables["results"][0][0].text == sign


def test_headings_are_in_both_languages() -> None:
    text = page_of(told_of([month_of("2026-12", LINES)]))
    for heading in re.findall(r"<h2[^>]*>([^<]+)</h2>", text):
        chinese, _, english = heading.partition(" · ")
        assert re.search(r"[一-鿿]", chinese)
        assert re.fullmatch(r"[A-Za-z ]+", english)


def test_what_others_made_is_kept_to_the_byte() -> None:
    origin = json.loads((ECHARTS.parent / "origin.json").read_text(encoding="utf-8"))
    kept = {
        path.relative_to(ECHARTS.parent).as_posix()
        for path in ECHARTS.parent.rglob("*")
        if path.is_file() and path.name != "origin.json"
    }
    assert kept == origin["files"].keys()
    for name, told in origin["files"].items():
        found = hashlib.sha256((ECHARTS.parent / name).read_bytes()).hexdigest()
        assert found == told["sha256"], name
    assert f'version="{origin["version"]}"' in ECHARTS.read_text(encoding="utf-8")
