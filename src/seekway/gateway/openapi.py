"""The OpenAPI document's bodies, made from the structs that decode them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from fastapi import FastAPI

_TEMPLATE = "#/components/schemas/{name}"


class DescribedApp(FastAPI):
    """FastAPI whose document also holds the schemas of msgspec structs that ``openapi_extra`` refers to."""

    structs: Sequence[type[msgspec.Struct]] = ()

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = super().openapi()
            _, components = msgspec.json.schema_components(self.structs, ref_template=_TEMPLATE)
            document.setdefault("components", {}).setdefault("schemas", {}).update(components)
        return super().openapi()


def body_of(struct: type[msgspec.Struct], answer: type[msgspec.Struct], error: type[msgspec.Struct]) -> dict[str, Any]:
    """``openapi_extra`` of a route that takes and answers JSON."""

    def content(kind: type[msgspec.Struct]) -> dict[str, Any]:
        return {"content": {"application/json": {"schema": {"$ref": _TEMPLATE.format(name=kind.__name__)}}}}

    return {
        "requestBody": {"required": True, **content(struct)},
        "responses": {
            "200": {"description": "The answer; server-sent events with `stream: true`.", **content(answer)},
            "4XX": {"description": "The request cannot be served as it is.", **content(error)},
            "5XX": {"description": "The request could not be served.", **content(error)},
        },
    }
