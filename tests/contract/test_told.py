"""Events of former times are still read, and readers ignore what they do not know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from contracts import events
from contracts.generate import schemas

TOLD: dict[str, dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("told.yaml").read_text(encoding="utf-8")
)
MAY_BE_BELOW_ZERO = ("used_fen",)
"""More may be given back of a prefund than was used since it was last replenished."""
MODELS = {told.TYPE: told for told in events.ALL}


def test_each_type_was_told_once() -> None:
    assert TOLD.keys() == MODELS.keys()


@pytest.mark.parametrize("event", TOLD)
def test_what_was_told_is_still_read(event: str) -> None:
    body = json.dumps(TOLD[event])
    read = MODELS[event].model_validate_json(body)
    again = json.loads(read.model_dump_json(by_alias=True, exclude_none=True))
    assert again == TOLD[event]


@pytest.mark.parametrize("event", TOLD)
def test_a_reader_ignores_what_it_does_not_know(event: str) -> None:
    body = json.dumps({**TOLD[event], "said_by_a_later_version": [1]})
    assert MODELS[event].model_validate_json(body) == MODELS[event].model_validate_json(
        json.dumps(TOLD[event])
    )


@pytest.mark.parametrize("event", TOLD)
def test_what_was_told_fits_the_schema(event: str) -> None:
    schema = schemas()[f"events/{event}"]
    jsonschema.validate(TOLD[event], schema, format_checker=jsonschema.FormatChecker())


@pytest.mark.parametrize("event", TOLD)
@pytest.mark.parametrize("wrong", [1.5, "1", -1, None, True])
def test_amounts_are_whole_fen(event: str, wrong: object) -> None:
    amounts = [name for name in TOLD[event] if name.endswith("_fen")]
    if wrong == -1:
        amounts = [name for name in amounts if name not in MAY_BE_BELOW_ZERO]
    for name in amounts:
        body = json.dumps({**TOLD[event], name: wrong})
        with pytest.raises(ValueError, match=name):
            MODELS[event].model_validate_json(body)
