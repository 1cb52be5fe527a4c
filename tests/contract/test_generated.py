"""What is committed is what the code says: schemas, AsyncAPI, OpenAPI, the page of rules."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import jsonschema
import pytest

from contracts import asyncapi, events, topics
from contracts.generate import ROOT, schemas


def test_all_is_as_generated() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "contracts.generate", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", schemas())
def test_each_schema_is_a_schema(path: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schemas()[path])


def test_each_event_is_on_one_topic_and_no_type_is_used_twice() -> None:
    told = Counter(
        message
        for channel in asyncapi.document()["channels"].values()
        for message in channel["messages"]
    )
    assert told == Counter(event.__name__ for event in events.ALL)
    types = Counter(event.TYPE for event in events.ALL)
    assert max(types.values()) == 1


def test_each_topic_is_described() -> None:
    described = asyncapi.document()["channels"].values()
    patterns = {channel["address"]: channel for channel in described}
    for topic in topics.ALL:
        direction = topic.name.partition(".")[0]
        parameter = {"from": "{province}", "to": "{province}", "dead": "{service}"}.get(direction)
        channel = patterns[f"{direction}.{parameter}" if parameter else topic.name]
        assert channel["bindings"]["kafka"]["partitions"] == topic.partitions
