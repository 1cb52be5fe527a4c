"""The script of the story: its people, what they may give, and what its chapters hold against."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from rich.console import Console

from deploy.local.world import INSTITUTIONS as WORLD
from sandbox.domain.regions import province_of
from sandbox.story import visits
from sandbox.story.cast import EMPLOYEE, PARTS, PLACES, PROVINCES, Part
from sandbox.story.leaving import BURDEN_FEN, FROM_GRANDFATHER
from sandbox.story.months import Owed, following, preceding
from sandbox.story.pharmacy import DAUGHTER_GIVES, FROM_SON, SON_GIVES, SON_WANTS_TO_GIVE
from sandbox.story.scenario import FOR_THE_STAY, GUARDIANS, INSTITUTIONS
from sandbox.story.teller import Teller
from sandbox.story.town import Broken

PART = {part.key: part for part in PARTS}
VISITS = [each for each in vars(visits).values() if isinstance(each, visits.Visit)]


def test_three_generations_of_at_least_twelve_people_in_five_provinces() -> None:
    assert len(PARTS) == len(PART) >= 12
    assert {part.place.province for part in PARTS} == set(PROVINCES)
    for family in {part.family for part in PARTS}:
        assert {part.generation for part in PARTS if part.family == family} == {1, 2, 3}
    assert "659002" in {part.pool for part in PARTS}


def test_every_place_of_the_script_lies_where_the_world_has_it() -> None:
    assert {code: place.province for code, place in PLACES.items()} == {
        code: province_of(code) for code in PLACES
    }


def test_the_institutions_of_the_story_are_of_every_level_and_enabled() -> None:
    known = {each.code: each for each in WORLD}
    assert {known[code].level for code in INSTITUTIONS} == {"1", "2", "3", "ungraded"}
    assert {known[code].kind for code in INSTITUTIONS} == {"hospital", "pharmacy"}
    assert all(known[code].wallet_enabled for code in INSTITUTIONS)
    assert {known[code].mdtrtarea_admvs for code in INSTITUTIONS} <= PLACES.keys()


@pytest.mark.parametrize("part", [part for part in PARTS if not part.is_of_age], ids=str)
def test_children_have_a_guardian_who_shares_with_them(part: Part) -> None:
    guardian = GUARDIANS[part.key]
    assert PART[guardian].is_of_age
    assert (guardian, part.key) in {(sharer, other) for sharer, other, *_ in visits.RELATIONS}


def test_nobody_gives_more_than_there_is_on_the_account() -> None:
    given: Counter[str] = Counter({"daughter": DAUGHTER_GIVES + FOR_THE_STAY, "son": SON_GIVES})
    for sharer, _, _, fen in visits.RELATIONS:
        given[sharer] += fen
    for sharer, fen in given.items():
        assert PART[sharer].insutype == EMPLOYEE
        assert fen <= PART[sharer].balance_fen
    assert PART["son"].balance_fen < SON_WANTS_TO_GIVE
    assert 0 < FROM_SON < SON_GIVES


@pytest.mark.parametrize("visit", VISITS, ids=lambda visit: str(visit.patient))
def test_a_visit_spends_no_more_than_its_burden_and_its_quotas(visit: visits.Visit) -> None:
    assert visit.aid + visit.own <= visit.total - visit.fund
    quotas = {(sharer, other): fen for sharer, other, _, fen in visits.RELATIONS}
    assert all(0 < fen <= quotas[sharer, visit.patient] for sharer, fen in visit.given)


def test_only_with_the_brother_there_would_be_enough_for_the_child() -> None:
    left = {sharer: fen for sharer, other, _, fen in visits.RELATIONS if other == "child"}
    for sharer, fen in visits.TWO_SIBLINGS.given:
        left[sharer] -= fen
    assert left["sister"] == 0
    assert left["grandfather"] == FROM_GRANDFATHER < BURDEN_FEN
    assert left["grandfather"] + left["brother"] >= BURDEN_FEN


LINE = ("440000", "660000", "pharmacy")


def statement(count: int, sum_fen: int, *, inside: bool = False) -> dict[str, Any]:
    line = dict(zip(("debtor", "creditor", "kind"), LINE, strict=True))
    told = [{**line, "count": count, "sum_fen": sum_fen}]
    return {"lines": [] if inside else told, "diagonal": told if inside else []}


@pytest.mark.parametrize(
    ("told", "stands"),
    [
        (statement(2, 300), True),
        (statement(2, 300, inside=True), True),
        (statement(3, 999), True),  # somebody else was there, too
        (statement(2, 301), False),
        (statement(1, 300), False),
        ({"lines": [], "diagonal": []}, False),
    ],
)
def test_what_the_story_spent_stands_in_the_statement_to_the_fen(
    told: dict[str, Any], stands: bool
) -> None:
    owed = Owed(sums={LINE: 300}, counts={LINE: 2})
    if stands:
        owed.stand_in(told)
        return
    with pytest.raises(Broken):
        owed.stand_in(told)


def test_months_follow_each_other_over_the_year() -> None:
    assert following("2026-12") == "2027-01"
    assert preceding("2027-01") == "2026-12"


def test_steps_are_numbered_within_their_chapter_and_chapters_end_once() -> None:
    console = Console(record=True, width=80, quiet=False, force_terminal=False)
    tell = Teller(console=console)
    tell.chapter("一", "one")
    tell.step("甲", "a")
    tell.step("乙", "b [bold]")
    tell.chapter("二", "two")
    tell.step("丙", "c")
    tell.end()
    took = [chapter.seconds for chapter in tell.chapters]
    tell.end()
    text = console.export_text()
    assert all(number in text for number in ("1.1", "1.2", "2.1", "[bold]"))
    assert [chapter.seconds for chapter in tell.chapters] == took
