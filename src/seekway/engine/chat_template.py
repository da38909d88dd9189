"""Renders a conversation with the model's own template, as Hugging Face's ``apply_chat_template`` would.

Templates are written for what their authors tried: some know no system role, no tools or no tool results, some want a call's
arguments as JSON text and some as an object. What this one does is found out once, by rendering small conversations when it is
loaded; what it lacks is put into messages it does know.
"""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NoReturn, cast

import jinja2
import jinja2.meta
import msgspec
from jinja2.exceptions import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from seekway.core.errors import InvalidRequest, ModelFileError
from seekway.core.types import GenerateRequest, Message, Tool
from seekway.engine.conversation import CALL_PROBE, TOOL_PROBE, flatten_tools, merge_system, text_of, to_template
from seekway.engine.reasoning import CLOSE, OPEN
from seekway.engine.special_text import Shield, SpecialTexts
from seekway.engine.tool_formats import ToolFormat, tool_format_of

_MAX_SOURCE: Final = 256 * 1024
_MAX_RENDERED: Final = 8 * 1024 * 1024
_MAX_SECONDS: Final = 5.0

_RENDERING_ERRORS: Final = (
    TemplateError,
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
"""What a template can fail with on a conversation its author did not foresee."""


class Prompt(msgspec.Struct, frozen=True):
    """``text`` is ready to tokenize, with marks of ``mark`` in a client's text where that spells special tokens; empty when none is there.

    ``thinking`` says that it ends within an opened ``<think>``, ``reasoning_expected`` that the answer may begin with one.
    """

    text: str
    thinking: bool
    reasoning_expected: bool
    mark: str = ""


class Traits(msgspec.Struct, frozen=True):
    """What the template knows, found by trying."""

    system_role: bool
    tools: bool
    tool_calls: bool
    arguments_as_object: bool
    empty_content_is_none: bool
    thinking_switches: frozenset[str]
    reasons: bool
    takes_thoughts: bool
    """It takes ``<think>…</think>`` out of an assistant's earlier text."""


class ChatTemplate:
    """A model's chat template; ``render`` may be called from several threads."""

    def __init__(self, source: str, special: SpecialTexts, *, bos: str = "", eos: str = "") -> None:
        """``special`` are the texts that no client may spell.

        Raises ``ModelFileError`` when ``source`` is no template or cannot render one plain user message."""
        if len(source) > _MAX_SOURCE:
            raise ModelFileError(f"The chat template has {len(source):,} characters; at most {_MAX_SOURCE:,} are read.")
        environment = _environment()
        try:
            names = jinja2.meta.find_undeclared_variables(environment.parse(source))
            self._template = environment.from_string(source)
        except (TemplateError, RecursionError) as error:
            raise ModelFileError(f"The model's chat template is not valid: {error}.") from error
        self._tokens = {"bos_token": bos, "eos_token": eos}
        self._special = special
        self.format: ToolFormat = tool_format_of(source)
        self.traits = self._find_traits(source, names)

    def render(self, request: GenerateRequest, *, thinking: bool | None) -> Prompt:
        """The prompt for ``request.messages``, up to where the model is to speak.

        ``thinking`` None leaves the model's own default.
        Raises ``InvalidRequest`` with the template's own message when it refuses the conversation,
        ``UnsupportedParameter`` for images and files.
        """
        messages = list(request.messages)
        if not messages:
            raise InvalidRequest("messages is empty; send at least one message.", param="messages")
        last = messages.pop() if messages[-1].prefix else None
        if any(message.prefix for message in messages) or (last and last.role != "assistant"):
            raise InvalidRequest(
                "prefix may stand only on the last message, and its role must be assistant.", param="messages"
            )
        tools = () if request.tool_choice.mode == "none" else request.tools
        shield = Shield(self._special, request.messages, tools)
        tools = tuple(map(shield.tool, tools))
        text = self._render(
            self._prepare(messages, tools, shield), tools if self.traits.tools else (), self._switches(thinking)
        )
        prompt = self._set_thinking(text, thinking)
        if last is not None:
            prompt = _continue(prompt, shield.message(last, thoughts=False), reasons=self.traits.reasons)
        return msgspec.structs.replace(prompt, mark=shield.mark if shield.mark in prompt.text else "")

    def _prepare(self, messages: list[Message], tools: Sequence[Tool], shield: Shield) -> list[dict[str, Any]]:
        traits = self.traits
        messages = [shield.message(message, thoughts=traits.takes_thoughts) for message in messages]
        if not (traits.tools and traits.tool_calls):
            messages = flatten_tools(messages, tools, self.format, shown=traits.tools, calls=traits.tool_calls)
        if not traits.system_role:
            messages = merge_system(messages)
        return [
            to_template(
                message, shield, as_object=traits.arguments_as_object, none_content=traits.empty_content_is_none
            )
            for message in messages
        ]

    def _switches(self, thinking: bool | None) -> dict[str, bool]:
        return {} if thinking is None else dict.fromkeys(self.traits.thinking_switches, thinking)

    def _set_thinking(self, text: str, thinking: bool | None) -> Prompt:
        """Open or close the reasoning by hand where the template has no switch for it."""
        if not self.traits.reasons:
            return Prompt(text, thinking=False, reasoning_expected=False)
        end = text.rstrip()
        opened, closed = end.endswith(OPEN), end.endswith(CLOSE)
        if thinking is False:
            if opened:
                text = f"{end}\n\n{CLOSE}\n\n"
            elif not closed and not self.traits.thinking_switches:
                text += f"{OPEN}\n\n{CLOSE}\n\n"
            return Prompt(text, thinking=False, reasoning_expected=False)
        if thinking and not opened and not closed and not self.traits.thinking_switches:
            return Prompt(f"{text}{OPEN}\n", thinking=True, reasoning_expected=True)
        return Prompt(text, thinking=opened, reasoning_expected=not closed)

    def _render(self, messages: list[dict[str, Any]], tools: Sequence[Tool], extra: Mapping[str, Any]) -> str:
        try:
            return self._bounded(messages, tools, extra)
        except _RENDERING_ERRORS as error:
            raise InvalidRequest(
                f"The model's chat template refuses these messages: {_plain(error)}.", param="messages"
            ) from error

    def _bounded(self, messages: list[dict[str, Any]], tools: Sequence[Tool], extra: Mapping[str, Any]) -> str:
        shown = [
            {"type": "function", "function": {"name": t.name, "description": t.description, "parameters": t.parameters}}
            for t in tools
        ]
        pieces: Iterator[str] = self._template.generate(
            messages=messages, tools=shown or None, add_generation_prompt=True, **self._tokens, **extra
        )
        deadline, length, kept = time.monotonic() + _MAX_SECONDS, 0, list[str]()
        for piece in pieces:
            length += len(piece)
            if length > _MAX_RENDERED or time.monotonic() > deadline:
                raise InvalidRequest("The messages make too long a prompt; send less text.", param="messages")
            kept.append(piece)
        return "".join(kept)

    def _find_traits(self, source: str, names: set[str]) -> Traits:
        hello: dict[str, Any] = {"role": "user", "content": "hello"}
        try:
            self._bounded([hello], (), {})
        except _RENDERING_ERRORS as error:
            raise ModelFileError(f"The model's chat template fails on a plain message: {_plain(error)}.") from error
        system = self._try([{"role": "system", "content": "sys-probe"}, hello])
        shown = "tools" in names and TOOL_PROBE.name in self._try([hello], (TOOL_PROBE,))
        thought = self._try([hello, {"role": "assistant", "content": f"a-probe{CLOSE}b-probe"}, hello])
        shield = Shield(SpecialTexts(), (), ())
        as_object = none = calls = False
        arguments = CALL_PROBE.tool_calls[0].arguments
        for none, as_object in ((True, False), (True, True), (False, False), (False, True)):
            call = to_template(CALL_PROBE, shield, as_object=as_object, none_content=none)
            made = self._try([hello, call, {"role": "tool", "content": "42", "tool_call_id": "call_probe"}, hello])
            calls = CALL_PROBE.tool_calls[0].name in made and arguments in made
            if calls:
                break
        return Traits(
            system_role="sys-probe" in system,
            tools=shown,
            tool_calls=calls,
            arguments_as_object=as_object and calls,
            empty_content_is_none=none and calls,
            thinking_switches=frozenset(names & {"enable_thinking", "thinking"}),
            reasons=CLOSE in source,
            takes_thoughts="b-probe" in thought and f"a-probe{CLOSE}b-probe" not in thought,
        )

    def _try(self, messages: list[dict[str, Any]], tools: Sequence[Tool] = ()) -> str:
        try:
            return self._bounded(messages, tools, {})
        except _RENDERING_ERRORS:
            return ""


def _continue(prompt: Prompt, last: Message, *, reasons: bool) -> Prompt:
    """Append the message that the model is to go on with, its reasoning first."""
    content, text = text_of(last.content), prompt.text
    if not reasons:
        return Prompt(text + content, thinking=False, reasoning_expected=False)
    opening = "" if prompt.thinking else f"{OPEN}\n"
    if last.reasoning and not content:
        return Prompt(f"{text}{opening}{last.reasoning}", thinking=True, reasoning_expected=True)
    if last.reasoning or prompt.reasoning_expected:
        text = f"{text}{opening}{last.reasoning or ''}\n{CLOSE}\n\n"
    return Prompt(text + content, thinking=False, reasoning_expected=False)


def _environment() -> ImmutableSandboxedEnvironment:
    # Prompts are no HTML, so nothing is escaped.
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols], autoescape=False
    )
    environment.filters["tojson"] = _tojson
    cast("dict[str, object]", environment.globals).update(raise_exception=_raise_exception, strftime_now=_strftime_now)
    return environment


def _tojson(
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    # Jinja's own filter escapes < > & ' for HTML, which no model was trained on.
    made = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators, sort_keys=sort_keys)
    # A shield's marks stay characters, else they could not be taken out again.
    return (
        made
        if not ensure_ascii
        else "".join(c if c < "\x7f" or c >= "\U00100000" else json.dumps(c)[1:-1] for c in made)
    )


def _raise_exception(message: str) -> NoReturn:
    raise TemplateError(message)


def _strftime_now(form: str) -> str:
    return datetime.datetime.now().astimezone().strftime(form)


def _plain(error: BaseException) -> str:
    return (str(error) or type(error).__name__)[:500].rstrip(".")
