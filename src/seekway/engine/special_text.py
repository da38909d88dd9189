"""Keeps a client's text from becoming special tokens, whatever it spells.

A chat template writes control tokens such as ``<|im_start|>`` as text, and the whole prompt is tokenized afterwards.
A client's text that spells one would thus open turns of other roles.
So a mark, one private-use character that occurs nowhere in the request, is put between the characters of every special text that a
client wrote, and at an end of a text that would complete one together with its neighbour.
The template renders the marked text; special tokens are then looked for, and only afterwards are the marks taken out again.
Text that spells nothing special is not touched, so that templates which trim, test or split it see it as it was sent.
"""

from __future__ import annotations

import bisect
import json
import secrets
from collections.abc import Iterable, Iterator
from typing import Any, Final, Protocol, cast

import msgspec
from tokenizers import AddedToken, Tokenizer, models

from seekway.core.errors import InvalidParameter, InvalidRequest
from seekway.core.types import ContentPart, Message, TextPart, Tool, ToolCall
from seekway.engine.reasoning import CLOSE, OPEN

_FIRST_MARK: Final = 0x100000
_MARKS: Final = 0xFFFE
"""Supplementary private use area B: no model was trained on these characters."""
_TRIES: Final = 64


class TakesTokens(Protocol):
    """The part of ``Tokenizer`` whose own types say only "list"."""

    def add_tokens(self, tokens: list[AddedToken]) -> int: ...


class SpecialTexts:
    """The texts of a model's special tokens, found in other text in linear time; safe to use from several threads.

    A text of one character cannot be taken apart and is left out: no template marks a turn with one.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._texts = sorted({text for text in texts if len(text) > 1})
        self._reversed = sorted(text[::-1] for text in self._texts)
        self._first = frozenset(text[0] for text in self._texts)
        self._longest = max(map(len, self._texts), default=0)
        # A vocabulary of nothing but these gives their places and ignores the rest.
        self._finder = Tokenizer(models.BPE())
        cast("TakesTokens", self._finder).add_tokens([AddedToken(text, normalized=False) for text in self._texts])

    def find(self, text: str) -> list[tuple[int, int]]:
        """Where special texts stand, leftmost and longest first, as (begin, end); raises ``InvalidParameter`` for half of a surrogate pair."""
        if not any(character in text for character in self._first):
            return []
        try:
            return self._finder.encode(text, add_special_tokens=False).offsets
        except TypeError as error:
            raise InvalidParameter(
                "The text holds half of a surrogate pair; send valid Unicode.", param="messages"
            ) from error

    def completes(self, text: str) -> bool:
        """Whether ``text`` begins with the rest of a special text."""
        return _ends_begun(self._reversed, text[: self._longest][::-1])

    def begins(self, text: str) -> bool:
        """Whether ``text`` ends with the first part of a special text."""
        return _ends_begun(self._texts, text[-self._longest :] if self._longest else "")


class Shield:
    """The marking of one request; ``mark`` is its character."""

    def __init__(self, special: SpecialTexts, messages: Iterable[Message], tools: Iterable[Tool]) -> None:
        """Raises ``InvalidRequest`` when the request holds nearly every private-use character there is."""
        self._special = special
        written = [text for item in (*messages, *tools) for text in _strings(msgspec.to_builtins(item))]
        for _ in range(_TRIES):
            self.mark = chr(_FIRST_MARK + secrets.randbelow(_MARKS))
            if not any(self.mark in text for text in written):
                return
        raise InvalidRequest("The messages hold too many private-use characters; leave them out.", param="messages")

    def text(self, text: str) -> str:
        """``text`` with marks where it is special; everything else is unchanged."""
        mark, kept, done = self.mark, list[str](), 0
        for begin, end in self._special.find(text):
            kept += (text[done:begin], mark, mark.join(text[begin:end]), mark)
            done = end
        text = "".join((*kept, text[done:])) if kept else text
        return self._closed_at_its_ends(text)

    def value(self, value: Any) -> Any:
        """A JSON value with every string in it marked, keys too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self.value(item) for key, item in cast("dict[str, Any]", value).items()}
        if isinstance(value, list):
            return [self.value(item) for item in cast("list[Any]", value)]
        return value

    def arguments(self, text: str) -> Any:
        """A call's arguments, marked, as a JSON value where they are one, else as text."""
        try:
            # An escape such as \u003c spells nothing before it is read.
            return self.value(json.loads(text.replace(self.mark, "")))
        except (ValueError, RecursionError):
            return text

    def tool(self, tool: Tool) -> Tool:
        return Tool(self.text(tool.name), self.text(tool.description), self.value(tool.parameters), tool.strict)

    def message(self, message: Message, *, thoughts: bool) -> Message:
        """``thoughts`` keeps the tags of one ``<think>…</think>`` in an assistant's text, for a template that takes it out or writes it anew."""
        content = message.content
        if isinstance(content, str):
            content = self._answer(content) if thoughts and message.role == "assistant" else self.text(content)
        else:
            content = tuple(map(self._part, content))
        return msgspec.structs.replace(
            message,
            content=content,
            name=self._optional(message.name),
            reasoning=self._optional(message.reasoning),
            tool_call_id=self._optional(message.tool_call_id),
            tool_calls=tuple(
                ToolCall(self.text(call.id), self.text(call.name), self.text(call.arguments))
                for call in message.tool_calls
            ),
        )

    def _answer(self, content: str) -> str:
        thought, closed, body = content.rpartition(CLOSE)
        before, opened, inner = thought.partition(OPEN)
        if not opened:
            before, inner = "", thought
        return f"{self.text(before)}{opened}{self.text(inner)}{closed}{self.text(body)}" if closed else self.text(body)

    def _part(self, part: ContentPart) -> ContentPart:
        return TextPart(self.text(part.text)) if isinstance(part, TextPart) else part

    def _optional(self, text: str | None) -> str | None:
        return None if text is None else self.text(text)

    def _closed_at_its_ends(self, text: str) -> str:
        """Marks go inside the white space that a template may trim."""
        core = text.strip()
        if not core:
            return text
        before, _, after = text.partition(core)
        if self._special.completes(text) or self._special.completes(core):
            before += self.mark
        if self._special.begins(text) or self._special.begins(core):
            after = self.mark + after
        return f"{before}{core}{after}"


def _ends_begun(texts: list[str], end: str) -> bool:
    """Whether one of the sorted ``texts`` begins with a tail of ``end`` and goes on."""
    for at in range(len(end)):
        tail = end[at:]
        place = bisect.bisect_right(texts, tail)
        if place < len(texts) and texts[place].startswith(tail):
            return True
    return False


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in cast("dict[str, object]", value).items():
            yield key
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in cast("list[object]", value):
            yield from _strings(item)
