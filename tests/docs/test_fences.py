"""What documents show is so: examples fit their schemas, both languages show the same."""

from __future__ import annotations

import json
import re

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from tests.docs.fences import FENCE, HELD_ELSEWHERE, ROOT, Fence, fences, script
from tests.tidy.source import tracked

SCHEMAS = ROOT / "libs" / "contracts" / "schemas"
DOCUMENTS = [path for path in tracked() if re.fullmatch(r"README[^/]*\.md|docs/[^/]*\.md", path)]
PAIRS = [(path.replace(".zh-CN", ""), path) for path in DOCUMENTS if ".zh-CN" in path]
LANGUAGES = {"sh", "json", "mermaid", "sql", ""}
"""Of a fence without a language nothing is promised: it is a picture, or the words of a program."""
EXAMPLES = [each for path in DOCUMENTS for each in fences(path) if each.language == "json"]


def wrong(example: Fence) -> list[str]:
    assert example.schema is not None, f"{example.at}: no <!-- schema: … --> before it"
    schema = json.loads((SCHEMAS / f"{example.schema}.json").read_text(encoding="utf-8"))
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    told = json.loads(example.text)
    unknown = sorted(told.keys() - schema["properties"].keys())
    return [each.message for each in validator.iter_errors(told)] + unknown


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.at)
def test_each_example_fits_its_schema(example: Fence) -> None:
    assert wrong(example) == []


def test_a_planted_example_is_found() -> None:
    good = next(each for each in EXAMPLES if each.schema == "events/account.debited.v1")
    told = json.loads(good.text)
    for planted in ({}, {"order_id": 7}, {**told, "amount": 1}):
        fence = Fence(at="x", language="json", text=json.dumps(planted), schema=good.schema)
        assert wrong(fence)


def test_each_conversation_of_a_province_is_shown() -> None:
    shown = {each.schema for each in fences("docs/quickstart-province.md")}
    for name in ("from_province", "to_province"):
        text = (ROOT / "libs" / "contracts" / "events" / f"{name}.py").read_text(encoding="utf-8")
        types = set(re.findall(r'TYPE = "(\S+)"', text))
        assert len(types) > 8
        assert {f"events/{each}" for each in types - NOT_SHOWN} - shown == set()


NOT_SHOWN = {"institution.changed.v1", "attestation.given.v1", "account.recovery-listed.v1"}
"""For whoever has met the others: the schema says it all."""


@pytest.mark.parametrize("path", DOCUMENTS)
def test_each_fence_has_a_language_that_is_known(path: str) -> None:
    assert [each.at for each in fences(path) if each.language not in LANGUAGES] == []


@pytest.mark.parametrize(("english", "chinese"), PAIRS)
def test_both_languages_show_the_same(english: str, chinese: str) -> None:
    def shown(path: str) -> list[tuple[str, str]]:
        return [(each.language, each.text) for each in fences(path)]

    assert len(shown(english)) >= 3
    assert shown(english) == shown(chinese)
    for path, other in ((english, chinese), (chinese, english)):
        text = (ROOT / path).read_text(encoding="utf-8")
        assert f"({other.rpartition('/')[2]})" in text, f"{path} leads to {other}"


def test_both_readmes_name_the_same_use_cases() -> None:
    def named(path: str) -> set[str]:
        text = (ROOT / path).read_text(encoding="utf-8")
        return set(re.findall(r"`([a-z_]+(?:\.[a-z-]+)?|[^`\n]*make [^`\n]*)`", text))

    assert len(named("README.md")) > 60
    assert named("README.md") == named("README.zh-CN.md")


def prose(path: str) -> str:
    return FENCE.sub("", (ROOT / path).read_text(encoding="utf-8"))


def test_links_lead_somewhere() -> None:
    links = [
        (path, link) for path in DOCUMENTS for link in re.findall(r"\]\(([^)#:]+)\)", prose(path))
    ]
    assert len(links) > 20
    assert [each for each in links if not (ROOT / each[0]).parent.joinpath(each[1]).exists()] == []


def test_nothing_is_left_out_but_what_others_hold() -> None:
    told = script("README.md").splitlines()
    assert any(line.startswith("make up") for line in told)
    assert not any(line.partition("#")[0].strip() in HELD_ELSEWHERE for line in told)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for command, holder in HELD_ELSEWHERE.items():
        assert f"\n{command} " in text, f"{command} is not shown"
        assert (ROOT / holder).is_file()
