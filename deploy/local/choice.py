"""What the person who starts a stack may choose, read from the environment once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from deploy.local.checkout import Checkout
from deploy.local.keys import PROVINCES

SERVICES = ("gateway", "relations", "wallet", "settlement", "sandbox")
DEFAULT_PORTS = {
    "gateway": 8080,
    "relations": 8081,
    "wallet": 8082,
    "settlement": 8083,
    "sandbox": 8090,
}


class NotUnderstood(Exception):
    """A variable that we cannot make sense of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """`database_url` and `kafka` are None for servers of our own."""

    ports: dict[str, int]
    postgres_port: int | None
    kafka_port: int | None
    cells: int
    empty_provinces: str
    database_url: str | None
    kafka: str | None
    topic_prefix: str

    @classmethod
    def read(cls, checkout: Checkout, env: Mapping[str, str] = os.environ) -> Choice:
        ports = {
            name: number(env, port_variable(name), port) for name, port in DEFAULT_PORTS.items()
        }
        if len(set(ports.values())) < len(ports):
            raise NotUnderstood(f"two services on one port / 端口重复: {ports}")
        empty = env.get("EMPTY_PROVINCES", "")
        if unknown := {each.strip() for each in empty.split(",")} - {"", *PROVINCES}:
            raise NotUnderstood(f"EMPTY_PROVINCES: no such province / 没有这个省份: {unknown}")
        kafka = env.get("KAFKA_BOOTSTRAP_SERVERS") or None
        # On a broker that others use too, nobody shall read our topics for theirs.
        prefix = f"gongji-{checkout.mark}." if kafka else ""
        return cls(
            ports=ports,
            postgres_port=optional_number(env, "POSTGRES_PORT"),
            kafka_port=optional_number(env, "KAFKA_PORT"),
            cells=number(env, "CELLS", 1),
            empty_provinces=empty,
            database_url=env.get("DATABASE_URL") or None,
            kafka=kafka,
            topic_prefix=env.get("TOPIC_PREFIX") or prefix,
        )

    def as_json(self) -> dict[str, object]:
        return asdict(self)

    def database_names(self, checkout: Checkout) -> dict[str, str]:
        """Service → name of its database: plain on our own server, marked on a foreign one."""
        mark = f"gongji_{checkout.mark}_" if self.database_url else ""
        return {service: f"{mark}{service}" for service in SERVICES}


def port_variable(name: str) -> str:
    return f"{name.upper()}_PORT"


def number(env: Mapping[str, str], variable: str, default: int) -> int:
    found = optional_number(env, variable)
    return default if found is None else found


def optional_number(env: Mapping[str, str], variable: str) -> int | None:
    text = env.get(variable)
    if not text:
        return None
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise NotUnderstood(f"{variable}={text} is not a number / {variable}={text} 不是有效的数字")
    return int(text)
