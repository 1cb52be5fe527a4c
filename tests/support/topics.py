"""Sweep up after a test that used Kafka."""

from __future__ import annotations

from deploy.local.foreign import delete_topics
from tests.support.databases import blocking


def delete(bootstrap: str, prefix: str) -> None:
    blocking(delete_topics(bootstrap, prefix))
