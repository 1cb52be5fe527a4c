"""OpenAPI of the public routes, written from their declarations: what is served is what runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gateway.edge.endpoint import KEY, MONTH, Route
from gateway.edge.routes import (
    AUDIT_ROLE,
    BEARER,
    CLEARING,
    CLEARING_OR_SIGNED,
    CLEARING_ROLE,
    CONCERNED,
    OWN_KEY,
    PREFUND_ROLE,
    PREFUNDS,
    SIGNED,
)
from kit.frame import PROBLEM
from kit.http import Problem
from kit.refusal import Refusal

REFERENCE = "#/components/schemas/{model}"

SECURITY = {
    SIGNED: {
        "type": "http",
        "scheme": "signature",
        "description": (
            "HTTP Message Signatures (RFC 9421): `@method`, `@target-uri`, and where there is a "
            "body `content-digest` (sha-256) and `content-type`, `idempotency-key` where sent; "
            "parameters `created` (± 300 s), `nonce` (once), `keyid`, which fixes institution and "
            "algorithm: `ed25519`, `sm2-sm3` (r and s, 32 bytes each), or `hmac-sm3` of a session "
            "(`POST /v1/sessions`). Answers are "
            "signed by the gateway: `@status`, `content-digest`, `signature`;req; with the key of "
            "the session where it verified the request, else with the gateway's long key."
        ),
    },
    OWN_KEY: {
        "type": "http",
        "scheme": "signature",
        "description": "The same, by a key of the institution's own: a session's is `forbidden`.",
    },
    BEARER: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A citizen's token; where a role is named, that of a clerk who has it.",
    },
}

Requirement = dict[str, list[str]]
REQUIREMENTS: dict[str, list[Requirement]] = {
    SIGNED: [{SIGNED: []}],
    OWN_KEY: [{OWN_KEY: []}],
    BEARER: [{BEARER: []}],
    CLEARING: [{BEARER: [CLEARING_ROLE]}],
    CLEARING_OR_SIGNED: [{BEARER: [CLEARING_ROLE]}, {SIGNED: []}],
    PREFUNDS: [{BEARER: [CLEARING_ROLE]}, {BEARER: [PREFUND_ROLE]}],
    CONCERNED: [{BEARER: []}, {BEARER: [AUDIT_ROLE]}, {SIGNED: []}],
}
"""Each of these ways is enough by itself; what stands beside a bearer token is a role it names."""

CALLERS = {
    SIGNED: ["institutions"],
    OWN_KEY: ["institutions"],
    BEARER: ["citizens"],
    CLEARING: ["clerks"],
    CLEARING_OR_SIGNED: ["clerks", "institutions"],
    PREFUNDS: ["clerks"],
    CONCERNED: ["clerks", "institutions", "citizens"],
}


def described(routes: Sequence[Route]) -> dict[str, Any]:
    """`paths` and `components` of these routes."""
    models = sorted({model for route in routes for model in _models(route)}, key=str)
    schemas, definitions = models_json_schema(models, ref_template=REFERENCE)
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "paths": paths,
        "components": {"schemas": definitions.get("$defs", {}), "securitySchemes": SECURITY},
    }


def _models(route: Route) -> Iterable[tuple[type[BaseModel], Any]]:
    if route.body is not None:
        yield route.body, "validation"
    for model in route.answers.values():
        yield model, "serialization"
    yield Problem, "serialization"


def _operation(route: Route, schemas: Any) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{route.method.lower()}{re.sub(r'[^a-z0-9]+', '_', route.path)}",
        "summary": route.summary,
        "tags": CALLERS[route.authentication],
        "security": REQUIREMENTS[route.authentication],
        "parameters": _parameters(route),
        "responses": _answers(route, schemas) | _refusals(route.refusals, schemas),
    }
    if route.notes:
        operation["description"] = route.notes
    if route.body is not None:
        operation["requestBody"] = {
            "required": any(field.is_required() for field in route.body.model_fields.values()),
            "content": {"application/json": {"schema": schemas[route.body, "validation"]}},
        }
    return operation


def _parameters(route: Route) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": _schema_of(name),
        }
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    if route.query is not None:
        schema = route.query.model_json_schema()
        found += [
            {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", ()),
                "schema": properties,
            }
            for name, properties in schema["properties"].items()
        ]
    if route.needs_key or route.takes_key:
        key = {"type": "string", "pattern": f"^{KEY.pattern}$"}
        named = {"name": "Idempotency-Key", "in": "header", "required": route.needs_key}
        found.append({**named, "schema": key})
    return found


def _schema_of(name: str) -> dict[str, str]:
    if name.endswith("_id"):
        return {"type": "string", "format": "uuid"}
    if name == "month":
        return {"type": "string", "pattern": f"^{MONTH.pattern}$"}
    return {"type": "string"}


def _answers(route: Route, schemas: Any) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if route.needs_key or route.takes_key:
        headers["Idempotency-Replayed"] = {
            "description": "`true` where this is the answer given before",
            "schema": {"type": "string", "enum": ["true"]},
        }
    return {
        str(status): {
            "description": "Success",
            "headers": headers,
            "content": {"application/json": {"schema": schemas[model, "serialization"]}},
        }
        for status, model in route.answers.items()
    }


def _refusals(refusals: Sequence[type[Refusal]], schemas: Any) -> dict[str, Any]:
    by_status: dict[int, list[type[Refusal]]] = {}
    for refusal in dict.fromkeys(refusals):
        by_status.setdefault(refusal.status, []).append(refusal)
    found: dict[str, Any] = {}
    for status, named in sorted(by_status.items()):
        said = {
            "description": "; ".join(f"`{one.code()}`: {one.title()}" for one in named),
            "content": {PROBLEM: {"schema": schemas[Problem, "serialization"]}},
        }
        if any(one.retry_after_seconds is not None for one in named):
            said["headers"] = {
                "Retry-After": {"description": "seconds", "schema": {"type": "integer"}}
            }
        found[str(status)] = said
    return found
