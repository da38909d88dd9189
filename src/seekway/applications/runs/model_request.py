"""An application's choice of model as the canonical request has it."""

from __future__ import annotations

import math
from typing import Any, Final, cast

import msgspec

from seekway.applications.definition import ModelChoice
from seekway.core.errors import AppUnavailable
from seekway.core.types import GenerateRequest, Message, ResponseFormat, Sampling, Thinking

MARK: Final = "~"
"""No client can put it into a request's id."""

_END: Final = "."
"""No application's name holds it; an agent numbers its calls behind it."""

_NUMBERS: Final = ("temperature", "top_p", "min_p", "frequency_penalty", "presence_penalty")
_COUNTS: Final = ("top_k", "max_tokens", "seed")
_EFFORTS: Final = ("none", "low", "high", "max")


def request_id(asked: str, slug: str) -> str:
    """Of a model call made by an application for ``asked``: it tells the application's name, behind those of the applications that asked for it."""
    return f"{asked}{MARK}{slug}{_END}"


def asking_apps(identifier: str) -> list[str]:
    """The applications that stand in an id of :func:`request_id`, the first one first."""
    return [part.partition(_END)[0] for part in identifier.split(MARK)[1:]]


class ModelAsk:
    """Read once from a definition; raises ``AppUnavailable`` for parameters that cannot be meant. Those that no stage knows are handed on."""

    def __init__(self, choice: ModelChoice) -> None:
        left = dict(choice.parameters)
        self._model = choice.name
        values: dict[str, Any] = {name: _number(left.pop(name, None), name) for name in _NUMBERS}
        values |= {name: _count(left.pop(name, None), name) for name in _COUNTS}
        values["stop"] = _stop(left.pop("stop", None))
        self.sampling = Sampling(**values)
        self._thinking = _thinking(left)
        self._format = _format(left)
        self._extra = {name: value for name, value in left.items() if value is not None}

    def request(
        self, request_id: str, messages: tuple[Message, ...], *, user: str | None, stream: bool, deadline_s: float
    ) -> GenerateRequest:
        return GenerateRequest(
            request_id,
            self._model,
            messages,
            sampling=self.sampling,
            thinking=self._thinking,
            response_format=self._format,
            user_id=user,
            stream=stream,
            deadline_s=deadline_s,
            extra=self._extra,
        )

    def brief(
        self, request_id: str, messages: tuple[Message, ...], max_tokens: int, deadline_s: float
    ) -> GenerateRequest:
        """For what is asked beside the answer: cool, short and without thinking."""
        return GenerateRequest(
            request_id,
            self._model,
            messages,
            sampling=Sampling(temperature=0.0, max_tokens=max_tokens),
            thinking=Thinking(enabled=False),
            stream=False,
            deadline_s=deadline_s,
        )


def _number(value: object, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _wrong(name, "a number")
    return float(value)


def _count(value: object, name: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(name, "a whole number")
    return value


def _stop(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,) if value else ()
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in cast("list[object]", value)):
        return tuple(cast("list[str]", value))
    raise _wrong("stop", "a text or a list of texts")


def _thinking(left: dict[str, Any]) -> Thinking:
    """Dify's plugin says ``thinking`` as a truth, DeepSeek's API as an object."""
    said = left.pop("thinking", None)
    switch = left.pop("enable_thinking", None)
    if isinstance(said, dict):
        said = {"enabled": True, "disabled": False}.get(str(cast("dict[str, object]", said).get("type")))
    enabled = said if isinstance(said, bool) else switch if isinstance(switch, bool) else None
    effort = left.pop("reasoning_effort", None)
    if effort is None or enabled is False:
        return Thinking(enabled)
    if effort not in _EFFORTS:
        raise _wrong("reasoning_effort", f"one of {', '.join(_EFFORTS)}")
    return Thinking(False if effort == "none" else enabled, effort)


def _format(left: dict[str, Any]) -> ResponseFormat:
    said = left.pop("response_format", None)
    if isinstance(said, dict):
        said = cast("dict[str, object]", said).get("type")
    if said in (None, "", "text"):
        return ResponseFormat()
    if said in ("json_object", "JSON"):
        return ResponseFormat("json_object")
    if said == "json_schema":
        try:
            schema = msgspec.convert(left.pop("json_schema", None), dict[str, Any])
        except msgspec.ValidationError as error:
            raise _wrong("json_schema", "an object") from error
        return ResponseFormat("json_schema", schema.get("schema", schema), schema.get("name"))
    raise _wrong("response_format", "text, json_object or json_schema")


def _wrong(name: str, wanted: str) -> AppUnavailable:
    return AppUnavailable(
        f"The application's model parameter {name} is not {wanted}; its operator must mend it.", param=name
    )
