"""Puts an operator's prompt around what clients send."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast

import jinja2
import jinja2.meta
import msgspec
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from seekway.core.errors import ConfigError, InvalidRequest
from seekway.core.sections.processing import TemplateRule
from seekway.core.types import GenerateRequest, Message
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.stages.matching import first_match
from seekway.pipeline.stages.message_text import last_user, text_of, with_text

FIELD: Final = "template_variables"
_KNOWN: Final = frozenset({"text", "system_text", "tenant", "model", "user_id", "language", "date"})
_MOST_CHARACTERS: Final = 1024 * 1024
_FAILURES: Final = (TemplateError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError)

Today = Callable[[], datetime.date]


class ApplyTemplate:
    """Templates are Jinja's in a sandbox; what clients send is only ever a value in them, never a template.

    A template knows ``text`` (the last user message), ``system_text``, ``tenant``, ``model``, ``user_id``, ``language``, ``date``
    (ISO 8601, UTC) and the rule's own variables.
    Raises ``ConfigError`` with the rule's name for a template that is none or uses a variable there is not.
    """

    name = "apply_template"

    def __init__(self, rules: Sequence[TemplateRule], today: Today | None = None) -> None:
        self._rules = [(rule, _Template(rule)) for rule in rules]
        self._today = today or _today

    def __call__(self, request: GenerateRequest, exchange: Exchange) -> GenerateRequest:
        template = first_match(self._rules, request, exchange)
        if template is None or not request.messages:
            return request
        given = request.extra.get(FIELD)
        if given is not None:
            extra = {name: value for name, value in request.extra.items() if name != FIELD}
            request = msgspec.structs.replace(request, extra=extra)
        return template.apply(request, template.variables(given) | self._facts(request, exchange))

    def _facts(self, request: GenerateRequest, exchange: Exchange) -> dict[str, str]:
        at = last_user(request)
        return {
            "text": "" if at is None else text_of(request.messages[at]),
            "system_text": "\n\n".join(text_of(m) for m in request.messages if m.role == "system"),
            "tenant": exchange.caller.tenant,
            "model": request.model,
            "user_id": request.user_id or "",
            "language": exchange.language or "",
            "date": self._today().isoformat(),
        }


class _Template:
    def __init__(self, rule: TemplateRule) -> None:
        self._rule = rule
        if clash := _KNOWN & rule.variables.keys():
            raise ConfigError(
                f"processing.templates: {rule.name}: {', '.join(sorted(clash))} is a name that templates know already; choose another.",
                param="variables",
            )
        self._system = None if rule.system is None else _compiled(rule, "system", rule.system)
        self._user = None if rule.user is None else _compiled(rule, "user", rule.user)

    def variables(self, given: object) -> dict[str, str]:
        """The client's values over the rule's. Raises ``InvalidRequest`` for one that the rule does not name, or that is no text or number."""
        if given is None:
            return dict(self._rule.variables)
        if not isinstance(given, dict):
            raise InvalidRequest(f"{FIELD} must be an object of names and texts.", param=FIELD)
        values = dict(self._rule.variables)
        for name, value in cast("Mapping[object, object]", given).items():
            if not isinstance(name, str) or name not in values:
                known = ", ".join(sorted(values)) or "none"
                raise InvalidRequest(f"{FIELD} may give these: {known}; leave out {name!r}.", param=FIELD)
            if not isinstance(value, str | int | float):
                raise InvalidRequest(f"{FIELD}.{name} must be a text or a number.", param=FIELD)
            values[name] = str(value)
        return values

    def apply(self, request: GenerateRequest, values: Mapping[str, str]) -> GenerateRequest:
        messages = request.messages
        at = last_user(request)
        if self._user is not None and at is not None:
            user = with_text(messages[at], self._render(self._user, values))
            messages = (*messages[:at], user, *messages[at + 1 :])
        if self._system is not None:
            messages = self._with_system(messages, values, self._system)
        return request if messages is request.messages else msgspec.structs.replace(request, messages=messages)

    def _with_system(
        self, messages: tuple[Message, ...], values: Mapping[str, str], system: jinja2.Template
    ) -> tuple[Message, ...]:
        place = self._rule.system_place
        own = values["system_text"]
        if place == "if_none" and own:
            return messages
        text = self._render(system, values)
        others = tuple(message for message in messages if message.role != "system")
        if place == "before" and own:
            text = f"{text}\n\n{own}"
        elif place == "after" and own:
            text = f"{own}\n\n{text}"
        return (Message("system", text), *others)

    def _render(self, template: jinja2.Template, values: Mapping[str, str]) -> str:
        kept: list[str] = []
        length = 0
        try:
            for piece in template.generate(values):
                length += len(piece)
                if length > _MOST_CHARACTERS:
                    raise InvalidRequest("The message makes too long a prompt; send less text.", param="messages")
                kept.append(piece)
        except _FAILURES as error:
            raise InvalidRequest(
                f"This gateway's template {self._rule.name} cannot take these messages: {error}.", param="messages"
            ) from error
        return "".join(kept)


def _compiled(rule: TemplateRule, field: str, source: str) -> jinja2.Template:
    where = f"processing.templates: {rule.name}: {field}"
    # Prompts are no HTML, so nothing is escaped; a trailing line end is the operator's own.
    environment = ImmutableSandboxedEnvironment(autoescape=False, undefined=jinja2.StrictUndefined)
    try:
        names = jinja2.meta.find_undeclared_variables(environment.parse(source))
        template = environment.from_string(source)
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        raise ConfigError(
            f"{where} is no Jinja template{f', line {line}' if line else ''}: {error}.", param=field
        ) from error
    if unknown := names - _KNOWN - rule.variables.keys() - environment.globals.keys():
        raise ConfigError(
            f"{where} uses {', '.join(sorted(unknown))}, which is not set; name it in variables.", param=field
        )
    return template


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()
