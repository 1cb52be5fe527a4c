"""How each service of the local stack is started: its command, its environment, its readiness."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import httpx

from deploy.local.checkout import ROOT, Checkout
from deploy.local.choice import SERVICES, Choice
from deploy.local.keys import Keys
from deploy.local.ports import LOOPBACK
from deploy.local.program import Program

POLICY = Path(__file__).with_name("policy")
AUDIENCE = "gongji"


def url(choice: Choice, service: str) -> str:
    return f"http://{LOOPBACK}:{choice.ports[service]}"


WALLET = {
    "ASK_AGAIN_FIRST_SECONDS": "4",
    "ASK_AGAIN_LONGEST_SECONDS": "10",
    "EARLY_CUT": "true",
    "ASK_PREMIUM_AGAIN_FIRST_SECONDS": "4",
    "ASK_PREMIUM_AGAIN_LONGEST_SECONDS": "10",
}
"""Conversations with provinces settle within ten seconds here, also after a lost answer."""


def programs(
    checkout: Checkout, choice: Choice, keys: Keys, databases: Mapping[str, str], kafka: str
) -> list[Program]:
    """All services and the sandbox, ready to be started side by side."""
    common = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka,
        "TOPIC_PREFIX": choice.topic_prefix,
        "HOST": LOOPBACK,
        "CELLS": str(choice.cells),
        "SERVICE_TOKEN": keys.service_token,
        "POLICY_DIR": str(POLICY),
        "PYTHONUNBUFFERED": "1",
    }
    own = {
        "gateway": gateway(checkout, choice, keys),
        "relations": {
            "IDENTITY_SM4_KEY": keys.identity_sm4,
            "IDENTITY_INDEX_KEY": keys.identity_index,
            "PROVINCE_KEYS_FILE": str(keys.provinces),
        },
        "wallet": WALLET,
        "settlement": {"WALLET_URL": url(choice, "wallet")},
        "sandbox": sandbox(checkout, choice, keys),
    }
    return [
        Program(
            name=service,
            command=[sys.executable, "-P", "-m", service, "all"],
            log=checkout.log(service),
            ready=partial(is_ready, url(choice, service)),
            env={
                **common,
                "PORT": str(choice.ports[service]),
                "DATABASE_URL": databases[service],
                **own[service],
            },
            cwd=ROOT,
        )
        for service in SERVICES
    ]


def gateway(checkout: Checkout, choice: Choice, keys: Keys) -> dict[str, str]:
    sandbox_url = url(choice, "sandbox")
    return {
        "RELATIONS_URL": url(choice, "relations"),
        "WALLET_URL": url(choice, "wallet"),
        "WALLET_CELLS": str(choice.cells),
        "SETTLEMENT_URL": url(choice, "settlement"),
        "PUBLIC_URL": url(choice, "gateway"),
        "JWKS_URL": f"{sandbox_url}/.well-known/jwks.json",
        "TOKEN_ISSUER": sandbox_url,
        "TOKEN_AUDIENCE": AUDIENCE,
        "EC_DECODER_URL": f"{sandbox_url}/ec/query",
        "RESPONSE_KEY_FILE": str(keys.gateway_response),
        "PRESENCE_KEY": keys.presence,
        "INSTITUTIONS_FILE": str(checkout.institutions_file),
    }


def sandbox(checkout: Checkout, choice: Choice, keys: Keys) -> dict[str, str]:
    return {
        "GATEWAY_URL": url(choice, "gateway"),
        "TOKEN_ISSUER": url(choice, "sandbox"),
        "TOKEN_AUDIENCE": AUDIENCE,
        "PROVINCE_KEYS_FILE": str(keys.provinces),
        "WORLD_FILE": str(checkout.world_file),
        "EMPTY_PROVINCES": choice.empty_provinces,
        "SIGNING_KEY_FILE": str(keys.sandbox_signing),
    }


def is_ready(address: str) -> bool:
    try:
        # trust_env: a proxy of the machine has no business on the loopback.
        return httpx.get(f"{address}/readyz", timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
