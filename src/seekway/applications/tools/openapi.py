"""Operations of an OpenAPI 3 description as tools (https://spec.openapis.org/oas/v3.1.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, cast

import msgspec

from seekway.core.errors import ConfigError
from seekway.core.types import JsonSchema

_METHODS: Final = ("get", "post", "put", "patch", "delete")
_MOST_DEPTH: Final = 24
_MOST_NODES: Final = 20_000
Place = Literal["path", "query", "header"]


class Operation(msgspec.Struct, frozen=True):
    """One request that can be made. ``places`` says where each argument that is not of the body goes; ``body`` names those that are, as members of a JSON object.

    ``whole_body`` is the argument that is the body itself, where that is no object.
    """

    name: str
    label: str
    description: str
    method: str
    path: str
    parameters: JsonSchema
    places: dict[str, Place]
    body: tuple[str, ...] = ()
    whole_body: str = ""


def read_operations(document: Mapping[str, Any], name: str) -> tuple[str, tuple[Operation, ...]]:
    """The server's address (empty where none is named) and the operations. Raises ``ConfigError`` for what is no OpenAPI 3 description."""
    if not str(document.get("openapi", "")).startswith("3."):
        raise ConfigError(f"tools: {name}: the description is not OpenAPI 3; give one that is.", param="spec")
    servers = _list(document.get("servers"))
    address = str(_table(servers[0]).get("url") or "") if servers else ""
    return address, tuple(_operations(document, name))


def _operations(document: Mapping[str, Any], name: str) -> Iterator[Operation]:
    seen: set[str] = set()
    for path, raw in _table(document.get("paths")).items():
        item = _table(raw)
        shared = _list(item.get("parameters"))
        for method in _METHODS:
            if method in item:
                made = _operation(document, name, method, path, _table(item[method]), shared)
                if made.name in seen:
                    raise ConfigError(f"tools: {name}: two operations are called {made.name}.", param="spec")
                seen.add(made.name)
                yield made


def _operation(
    document: Mapping[str, Any], name: str, method: str, path: str, raw: Mapping[str, Any], shared: list[object]
) -> Operation:
    properties: dict[str, Any] = {}
    required: list[str] = []
    places: dict[str, Place] = {}
    resolver = _Resolver(document, name)
    for one in (*shared, *_list(raw.get("parameters"))):
        parameter = _table(resolver.resolve(one))
        called, place = str(parameter.get("name") or ""), parameter.get("in")
        if not called or place not in ("path", "query", "header"):
            continue
        schema = dict(_table(resolver.resolve(parameter.get("schema") or {"type": "string"})))
        if parameter.get("description"):
            schema["description"] = str(parameter["description"])
        properties[called], places[called] = schema, place
        if (parameter.get("required") or place == "path") and called not in required:
            required.append(called)
    body, whole = _body(resolver, raw, properties, required)
    label = str(raw.get("summary") or raw.get("operationId") or f"{method.upper()} {path}")
    return Operation(
        tool_name(str(raw.get("operationId") or f"{method}_{path}")),
        label,
        str(raw.get("description") or raw.get("summary") or label)[:1024],
        method.upper(),
        path,
        {"type": "object", "properties": properties, "required": required},
        places,
        body,
        whole,
    )


def _body(
    resolver: _Resolver, raw: Mapping[str, Any], properties: dict[str, Any], required: list[str]
) -> tuple[tuple[str, ...], str]:
    """Puts the members of a JSON body beside the parameters."""
    request = _table(resolver.resolve(raw.get("requestBody") or {}))
    content = _table(_table(request.get("content")).get("application/json"))
    if not content:
        return (), ""
    schema = _table(resolver.resolve(content.get("schema") or {}))
    members = _table(schema.get("properties"))
    # A member that is called as a parameter is would be both.
    if schema.get("type", "object") != "object" or not members or set(members) & set(properties):
        properties["body"] = schema
        if request.get("required"):
            required.append("body")
        return (), "body"
    properties.update(members)
    required += [str(one) for one in _list(schema.get("required")) if str(one) not in required]
    return tuple(members), ""


def tool_name(text: str) -> str:
    """What models may call a tool: letters, digits, ``_`` and ``-``, at most 64."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_")[:64] or "tool"


class _Resolver:
    """Puts what ``$ref`` points at in its place; what points at itself is left open."""

    def __init__(self, document: Mapping[str, Any], name: str) -> None:
        self._document = document
        self._name = name
        self._nodes = 0

    def resolve(self, value: object, trail: tuple[str, ...] = ()) -> object:
        self._nodes += 1
        if self._nodes > _MOST_NODES or len(trail) > _MOST_DEPTH:
            raise ConfigError(f"tools: {self._name}: an operation of the description is too large for a model.")
        if isinstance(value, list):
            return [self.resolve(one, (*trail, "")) for one in cast("list[object]", value)]
        if not isinstance(value, dict):
            return value
        table = cast("dict[str, object]", value)
        reference = table.get("$ref")
        if isinstance(reference, str):
            if reference in trail:
                return {}
            return self.resolve(self._find(reference), (*trail, reference))
        return {key: self.resolve(one, (*trail, "")) for key, one in table.items()}

    def _find(self, reference: str) -> object:
        found: object = self._document
        for step in reference.removeprefix("#/").split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            if not reference.startswith("#/") or not isinstance(found, dict) or key not in found:
                raise ConfigError(f"tools: {self._name}: the description has no {reference}.", param="spec")
            found = cast("dict[str, object]", found)[key]
        return found


def _table(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []
