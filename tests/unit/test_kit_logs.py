"""Nothing that names a person may be written down, whichever way it comes."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import asyncpg
import pytest
import structlog
from pydantic import BaseModel, ValidationError

from kit import logs
from kit.tracing import continued

NUMBERS = ["440301199003078233", "11010519491231002X", "11010519491231002x", "440301900307823"]
Written: TypeAlias = Callable[[], list[dict[str, Any]]]
TRACE = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Iterator[Written]:
    """What was written to stdout since; the logs are as they were afterwards."""
    before = structlog.get_config()
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level

    def lines() -> list[dict[str, Any]]:
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    yield lines
    structlog.configure(**before)
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


@pytest.mark.parametrize("number", NUMBERS)
def test_identity_numbers_are_hidden_wherever_they_stand(number: str, written: Written) -> None:
    logs.configure("tally")
    log = structlog.get_logger("test")
    log.warning(
        f"about {number}",
        note=f"/people/{number}?x=1",
        deep={"list": [number, {number: number}], "tuple": (number,)},
        data=f'{{"x": "{number}"}}'.encode(),
    )
    try:
        raise ValueError(f"no such person {number}")
    except ValueError:
        log.exception("failed")
    logging.getLogger("library").warning("cannot parse %s", number)
    given = written()
    assert len(given) == 3
    assert number not in json.dumps(given)
    assert number[:17] not in json.dumps(given)
    assert json.dumps(given).count(logs.HIDDEN) >= 8


def test_a_number_that_is_an_integer_is_hidden_too() -> None:
    assert logs.clean({"x": 440301199003078233}) == {"x": logs.HIDDEN}


@pytest.mark.parametrize(
    "text",
    [
        "123456789012345678",  # no such date
        "440301209913078233",  # nobody is born in 2099, nor in month 13
        "a440301199003078233b",  # part of a longer word
        "1795306537123456",  # microseconds
        "019a2b3c-4d5e-7f00-8123-456789abcdef",
    ],
)
def test_other_numbers_stay_readable(text: str) -> None:
    assert logs.redacted(text) == text


def test_what_a_key_names_is_hidden_whatever_its_value() -> None:
    said = {
        "cert_no": "x",
        "Name": {"first": "y"},
        "sealed": ["z"],
        "authorization": "Bearer abc",
        "amount_fen": 5,
        "deep": {"psn_name": "w", "token": "v", "value": "u", "status": "held"},
    }
    assert logs.clean(said) == {
        "cert_no": logs.HIDDEN,
        "Name": logs.HIDDEN,
        "sealed": logs.HIDDEN,
        "authorization": logs.HIDDEN,
        "amount_fen": 5,
        "deep": {
            "psn_name": logs.HIDDEN,
            "token": logs.HIDDEN,
            "value": logs.HIDDEN,
            "status": "held",
        },
    }


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "Zhao"}',
        "{'psn_name': 'Zhao'}",
        "Person(name='Zhao', age=3)",
        'cert_no="Zhao"',
        "Authorization: Bearer Zhao",
        "input_value='Zhao'",
        r'{"name": "a \" Zhao"}',
        "Key (blind_index)=(Zhao) already exists.",
        "Failing row contains (1, Zhao).",
    ],
)
def test_secrets_inside_texts_are_hidden(text: str) -> None:
    assert "Zhao" not in logs.redacted(text)


def test_what_libraries_say_of_bad_input_is_hidden(written: Written) -> None:
    class Person(BaseModel):
        name: int

    logs.configure("tally")
    log = structlog.get_logger("test")
    try:
        Person.model_validate({"name": "Zhao"})
    except ValidationError as error:
        log.error("bad", exc_info=error)
    duplicate = asyncpg.UniqueViolationError("duplicate key")
    duplicate.detail = "Key (cert_no)=(Zhao) already exists."
    log.error("bad", exc_info=duplicate)
    assert "Zhao" not in json.dumps(written())


def test_a_line_is_json_with_service_level_time_and_trace(written: Written) -> None:
    logs.configure("tally", "DEBUG")
    with continued(f"00-{TRACE}-0123456789abcdef-01"):
        structlog.get_logger("test").info("hold.kept", amount_fen=5)
    structlog.get_logger("test").debug("later")
    first, second = written()
    assert first["event"] == "hold.kept"
    assert first["service"] == "tally"
    assert first["level"] == "info"
    assert first["trace_id"] == TRACE
    assert first["timestamp"].endswith("Z")
    assert first["amount_fen"] == 5
    assert "trace_id" not in second
