"""A request's body as a strict model, read from its JSON text, and the same for OpenAPI.

FastAPI would parse the text first and validate Python values after; strict models then refuse
every UUID and instant. So routes read their body here and describe it by themselves.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from kit.http import explain
from kit.refusal import Invalid

M = TypeVar("M", bound=BaseModel)


async def read_body(request: Request, model: type[M]) -> M:
    """The request's body. Raises Invalid, saying where it is wrong and never what it said."""
    return parsed(model, await request.body())


def parsed(model: type[M], body: bytes) -> M:
    """A body as `model`. Raises Invalid."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise Invalid(explain(error.errors(include_input=False))) from None


def described(
    asked: type[BaseModel], answered: type[BaseModel] | None = None, *, status: int = 200
) -> dict[str, Any]:
    """`openapi_extra` of a route that reads `asked` and writes `answered`, refusals apart."""
    found: dict[str, Any] = {"requestBody": {"required": True, "content": _content(asked)}}
    if answered is not None:
        found["responses"] = {
            str(status): {"description": "Successful Response", "content": _content(answered)}
        }
    return found


def _content(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})
    return {"application/json": {"schema": _written_out(schema, definitions)}}


def _written_out(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_written_out(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _written_out(definitions[node["$ref"].rpartition("/")[2]], definitions)
    # A discriminator maps tags to references, of which none are left.
    return {
        name: _written_out(value, definitions)
        for name, value in node.items()
        if name != "discriminator"
    }
