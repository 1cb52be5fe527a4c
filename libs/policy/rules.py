"""The rules by their ids, in both languages, as a clerk reads them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

_WORDS = Path(__file__).parent / "law" / "rules.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a rule says, and how sure we are of it (its grade)."""

    grade: str
    text: str
    zh: str


@cache
def rules() -> Mapping[str, Rule]:
    """All rules by id, in their order."""
    told = yaml.safe_load(_WORDS.read_text(encoding="utf-8"))
    return {name: Rule(**words) for name, words in told.items()}
