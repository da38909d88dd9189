"""The OpenAPI document's bodies and answers, made from the structs that decode them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from fastapi import FastAPI

SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}
_RETRY = {"retry-after": {"required": True, "schema": {"type": "integer", "minimum": 1}}}
_EVENT = {
    "description": "One event of the stream.",
    "type": "object",
    "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
    "required": ["data"],
}
_TEMPLATE = "#/components/schemas/{name}"


class DescribedApp(FastAPI):
    """FastAPI whose document also holds the schemas of msgspec structs that ``openapi_extra`` refers to."""

    structs: Sequence[type[msgspec.Struct]] = ()

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = super().openapi()
            _, components = msgspec.json.schema_components(self.structs, ref_template=_TEMPLATE)
            described = document.setdefault("components", {})
            described.setdefault("schemas", {}).update(components)
            described["securitySchemes"] = SECURITY
        return super().openapi()


def body_of(
    struct: type[msgspec.Struct], answer: type[msgspec.Struct], error: type[msgspec.Struct], *, streams: bool = False
) -> dict[str, Any]:
    """``openapi_extra`` of a route that takes and answers JSON; ``streams`` where the answer may also be server-sent events."""
    described = answers_of(answer, error)
    described["requestBody"] = {"required": True, **_json(struct)}
    if streams:
        ok = described["responses"]["200"]
        ok["description"] = "The answer; server-sent events with `stream: true`."
        ok["content"]["text/event-stream"] = {"schema": _EVENT}
    described["responses"]["429"] = {"description": "Too many requests.", "headers": _RETRY, **_json(error)}
    return described


def answers_of(
    answer: type[msgspec.Struct],
    error: type[msgspec.Struct],
    *,
    parameter: str | None = None,
    open_to_all: bool = False,
) -> dict[str, Any]:
    """``openapi_extra`` of a route that answers JSON; ``parameter`` stands in its path, ``open_to_all`` needs no key."""
    described: dict[str, Any] = {
        "responses": {
            "200": {"description": "The answer.", **_json(answer)},
            "4XX": {"description": "The request cannot be served as it is.", **_json(error)},
            "5XX": {"description": "The request could not be served.", **_json(error)},
        }
    }
    if parameter is not None:
        described["parameters"] = [
            {"name": parameter, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        ]
    if not open_to_all:
        described["security"] = [{name: []} for name in SECURITY]
        described["responses"]["401"] = {
            "description": "The API key is missing or not known.",
            "headers": {"www-authenticate": {"required": True, "schema": {"type": "string"}}},
            **_json(error),
        }
    return described


def health_of(health: type[msgspec.Struct]) -> dict[str, Any]:
    """``openapi_extra`` of a probe, whose body is the same whether it is well or not."""
    return {
        "responses": {
            "200": {"description": "Requests are served.", **_json(health)},
            "503": {"description": "Requests are not served now.", **_json(health)},
        }
    }


TEXT_METRICS: dict[str, Any] = {
    "responses": {
        "200": {
            "description": "The figures.",
            "content": {
                kind: {"schema": {"type": "string"}}
                for kind in (
                    "text/plain; version=0.0.4; charset=utf-8",
                    "text/plain; version=1.0.0; charset=utf-8; escaping=underscores",
                    "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
                )
            },
        }
    }
}


def _json(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": {"$ref": _TEMPLATE.format(name=kind.__name__)}}}}
