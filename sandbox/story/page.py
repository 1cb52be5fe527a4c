"""The page that the story leaves behind: one file, readable without a network.

What is shown of months is what their statements say; nothing is reckoned anew but sums.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree as ET

from sandbox.story.cast import PLACES
from sandbox.story.elements import Child, data, el, money, source, table, written
from sandbox.story.flows import Matrix, lines_of, matrix_of, named, relatives_of, sankey_of
from sandbox.story.months import KINDS as PAID_FOR
from sandbox.story.record import MonthTold, Told
from sandbox.story.shares import KINDS

HERE = Path(__file__).parent
ECHARTS = HERE.parent / "vendor" / "echarts" / "echarts.min.js"

ALONE = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
"""The page may load nothing at all."""

PARTS = {
    "flows": "资金流向 · Flows",
    "people": "人物与共济 · People",
    "months": "月结 · Months",
    "invariants": "不变量 · Invariants",
    "chapters": "章节用时 · Chapters",
}


def write_page(told: Told, file: Path) -> None:
    """Write the page, whole or not at all."""
    scratch = file.with_name(f".{file.name}")
    scratch.write_text(page_of(told), encoding="utf-8")
    scratch.replace(file)


def page_of(told: Told) -> str:
    """The page as HTML."""
    matrix = matrix_of(told.months)
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", http_equiv="Content-Security-Policy", content=ALONE),
        el("title", "共济 Gongji"),
        source("style", (HERE / "page.css").read_text(encoding="utf-8")),
    )
    body = el(
        "body",
        el("h1", "共济 Gongji"),
        el(
            "p",
            "跨省共济的一个故事，以及它留下的账 · A story of mutual aid across provinces, and the "
            f"books that it left. {told.ended_at:%Y-%m-%d %H:%M} UTC. 人名皆为虚构 · All people "
            "are made up.",
        ),
        el("nav", *(el("a", title, href=f"#{name}") for name, title in PARTS.items())),
        figures(told, matrix),
        *flows(matrix),
        *people(told),
        *months(told),
        *invariants(told),
        *chapters(told),
        data("flow", sankey_of(matrix)),
        data("family", relatives_of(told.shares)),
        source("script", ECHARTS.read_text(encoding="utf-8")),
        source("script", (HERE / "page.js").read_text(encoding="utf-8")),
    )
    return written(el("html", head, body, lang="zh-CN"))


def heading(name: str, chinese: str, english: str) -> list[ET.Element]:
    return [el("h2", PARTS[name], id=name), el("p", f"{chinese} {english}")]


def figures(told: Told, matrix: Matrix) -> ET.Element:
    holds = all(result.ok for result in told.results)
    verdict = ("good", "✓") if holds else ("bad", "✗")
    provinces = {person.part.place.province for person in told.people}
    shown: list[tuple[Child, str]] = [
        (str(len(told.people)), "人 people"),
        (str(len(provinces)), "省级统筹 provinces"),
        (str(len(told.shares)), "共济关系 relations"),
        (money(matrix.total, "span"), "元，各月合计 yuan, all months"),
        (el("span", verdict[1], class_=verdict[0]), "不变量 invariants"),
    ]
    return el(
        "div", *(el("div", el("b", figure), what) for figure, what in shown), class_="figures"
    )


def flows(matrix: Matrix) -> list[ET.Element]:
    return [
        *heading(
            "flows",
            "行为应付省，列为应收省，单位元，各月合计；虚线框为对角线：债务不出本省，不入全国划拨。",
            "Rows owe, columns are owed, in yuan, all months together; dashed is the diagonal: it "
            "stays inside a province and is part of no national transfer.",
        ),
        el("div", matrix_table("matrix", matrix), class_="scroll"),
        el("div", id="sankey", role="img", aria_label="各省应付与应收 who owes whom"),
    ]


def matrix_table(name: str, matrix: Matrix) -> ET.Element:
    most = max([1, *matrix.owed.values()])
    rows: list[list[Child]] = []
    for debtor in matrix.provinces:
        cells = [
            _cell(matrix.owed.get((debtor, creditor)), most, inside=debtor == creditor)
            for creditor in matrix.provinces
        ]
        rows.append([f"{debtor} {named(debtor)}", *cells, money(matrix.owed_by(debtor))])
    owed_to = [money(matrix.owed_to(each)) for each in matrix.provinces]
    rows.append(["合计 total", *owed_to, money(matrix.total)])
    headings = [
        "应付 \\ 应收",
        *(f"{each} {named(each)}" for each in matrix.provinces),
        "合计 total",
    ]
    return table(name, headings, rows, foot=True)


def _cell(fen: int | None, most: int, *, inside: bool) -> ET.Element:
    if fen is None:
        return el("td", "", class_="amount inside" if inside else "amount")
    cell = money(fen)
    percent = max(0, 10 + 50 * fen // most)
    cell.set("style", f"background: rgba(var(--wash), {percent}%)")
    if inside:
        cell.set("class", cell.get("class", "") + " inside")
    return cell


def people(told: Told) -> list[ET.Element]:
    return [
        *heading(
            "people",
            "三个家庭、三代人；姓名均为虚构。",
            "Three families of three generations; the names are nobody's.",
        ),
        table(
            "cast",
            [
                "家庭 family",
                "谁 who",
                "姓名 name",
                "代",
                "岁 age",
                "险种 scheme",
                "参保地 insured at",
            ],
            [
                [
                    *(each.part.family, each.who, each.citizen.name),
                    *(str(each.part.generation), str(each.part.age), each.part.insutype),
                    _place(each.part.pool),
                ]
                for each in told.people
            ],
        ),
        el("div", id="relatives", role="img", aria_label="谁与谁共济 who shares with whom"),
        table(
            "shares",
            [
                *("共济人 sharer", "参保地 at", "被共济人 beneficiary", "参保地 at", "关系 kind"),
                *("状态 state", "冻结过 granted", "可用 available", "占用 held", "已用 spent"),
            ],
            [
                [
                    *(each.sharer.who, _place(each.sharer.part.pool)),
                    *(each.beneficiary.who, _place(each.beneficiary.part.pool)),
                    *(f"{KINDS[each.kind]} {each.kind}", str(each.quota["state"])),
                    money(each.quota["granted_fen"]),
                    money(each.quota["available_fen"]),
                    money(each.quota["held_fen"]),
                    money(each.quota["spent_fen"]),
                ]
                for each in told.shares
            ],
        ),
    ]


def _place(pool: str) -> str:
    place = PLACES[pool]
    return f"{pool} {place.zh} {place.en}"


def months(told: Told) -> list[ET.Element]:
    parts = heading(
        "months",
        "全国对账单逐行照录；退费为红字，切割之后退回的记入下月。",
        "The national statements, line by line; what was given back after the cut falls into "
        "the next month.",
    )
    for month in told.months:
        parts += _month(month, told)
    return parts


def _month(month: MonthTold, told: Told) -> list[ET.Element]:
    period, totals = month.period, month.statement["totals"]
    name = str(period["period"])
    rows: list[list[Child]] = [
        [
            *_sides(line["debtor"], line["creditor"]),
            f"{PAID_FOR[line['kind']]} {line['kind']}",
            str(line["count"]),
            money(line["sum_fen"]),
            money(line["adjustments_fen"]),
        ]
        for line in lines_of(month)
    ]
    rows.append(
        [
            *("全国合计，不含对角线 national, without the diagonal", "", ""),
            *(str(totals["count"]), money(totals["sum_fen"]), money(totals["adjustments_fen"])),
        ]
    )
    headings = (
        *("应付 debtor", "应收 creditor", "类别 kind", "笔数 count"),
        *("金额 sum", "其中往期 adjusted"),
    )
    parts = [
        el("h3", f"{name}  {period['state']}"),
        el(
            "p",
            f"切割 cut {period['cut_at']} · 关账 closed {period['closed_at']} · "
            f"版本 version {period['version']} · 摘要 digest {period['digest']}",
        ),
        table(f"statement-{name}", headings, rows, foot=True),
    ]
    if period["transfers"]:
        parts.append(_transfers(month))
    if month.institutions:
        parts.append(_institutions(month, told))
    return parts


def _sides(debtor: str, creditor: str) -> tuple[str, str]:
    return f"{debtor} {named(debtor)}", f"{creditor} {named(creditor)}"


def _transfers(month: MonthTold) -> ET.Element:
    return table(
        f"transfers-{month.period['period']}",
        ["付款 payer", "收款 payee", "应付 owed", "已付 paid"],
        [
            [
                *_sides(each["payer"], each["payee"]),
                money(each["amount_fen"]),
                money(each["paid_fen"]),
            ]
            for each in month.period["transfers"]
        ],
    )


def _institutions(month: MonthTold, told: Told) -> ET.Element:
    def row(code: str) -> list[Child]:
        name, level, pool = told.institutions[code]
        totals = month.institutions[code]["totals"]
        return [code, name, level, _place(pool), str(totals["count"]), money(totals["sum_fen"])]

    return table(
        f"institutions-{month.period['period']}",
        [
            *("机构 institution", "名称 name", "级别 level", "就医地 at"),
            *("笔数 count", "金额 sum"),
        ],
        map(row, month.institutions),
    )


def invariants(told: Told) -> list[ET.Element]:
    return [
        *heading(
            "invariants",
            "由数据库、消息与各省账户重新计算。",
            "Computed anew from databases, topics and provincial accounts.",
        ),
        table(
            "results",
            ["", "编号 id", "不变量 invariant", "看了什么 looked at"],
            [
                [
                    el("td", "✓" if each.ok else "✗", class_="good" if each.ok else "bad"),
                    *(each.id, f"{each.title_zh} {each.title_en}", each.detail),
                ]
                for each in told.results
            ],
        ),
    ]


def chapters(told: Told) -> list[ET.Element]:
    longest = max([1, *(chapter.milliseconds for chapter in told.chapters)])
    return [
        *heading("chapters", "每一章用了多久，秒。", "How long each chapter took, in seconds."),
        table("took", ["", "章 chapter", "步 steps", "秒 s", ""], _chapter_rows(told, longest)),
    ]


def _chapter_rows(told: Told, longest: int) -> Iterable[list[Child]]:
    for number, each in enumerate(told.chapters, start=1):
        percent = 100 * each.milliseconds // longest
        yield [
            *(str(number), f"{each.zh} {each.en}", str(each.steps)),
            el("td", f"{each.seconds:.1f}", class_="amount"),
            el("td", el("span", "", class_="bar", style=f"width: {percent * 3}px")),
        ]
