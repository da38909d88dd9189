"""An application's events as Dify's server-sent events: each one line ``data: {json}`` and a blank one, the event's name within the JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import msgspec

from seekway.applications.definition import Mode
from seekway.applications.events import (
    AnswerDelta,
    AnswerReplaced,
    AppEvent,
    Began,
    Ended,
    FileGiven,
    ReasoningDelta,
    ThoughtChanged,
)
from seekway.core.errors import SeekwayError
from seekway.gateway.dify.answer_wire import Metadata, WireMessageFile, given_files, wire_file, wire_metadata
from seekway.gateway.dify.app_call import seconds
from seekway.gateway.dify.app_errors import way_of_answer

PING: Final = b"event: ping\n\n"
_encode = msgspec.json.Encoder().encode
_END: Final = b"}\n\n"


class _Thought(msgspec.Struct, frozen=True):
    id: str
    position: int
    thought: str
    observation: str
    tool: str
    tool_labels: dict[str, dict[str, str]]
    tool_input: str
    message_files: tuple[str, ...]


class _File(msgspec.Struct, frozen=True):
    id: str
    type: str
    belongs_to: Literal["user", "assistant"]
    url: str


class _End(msgspec.Struct, frozen=True):
    id: str
    metadata: Metadata
    files: list[WireMessageFile]


class _Error(msgspec.Struct, frozen=True):
    status: int
    code: str
    message: str


class _Replaced(msgspec.Struct, frozen=True):
    answer: str
    reason: str = "output_moderation"


class _Reasoning(msgspec.Struct, frozen=True):
    message_id: str
    reasoning: str
    node_id: str
    is_final: bool


class AnswerEvents:
    """Writes one answer's events, behind its first. ``base`` gives the gateway's address for files, ``author`` whose annotations they are.

    Reasoning comes as Dify's ``reasoning_chunk``, and is never part of the answer.
    """

    def __init__(self, began: Began, mode: Mode, base: Callable[[], str], author: str) -> None:
        members = f'"task_id":{_text(began.task)},"message_id":{_text(began.message)}'
        if mode != "completion":
            members += f',"conversation_id":{_text(began.conversation)}'
        self._shared = f'{members},"created_at":{seconds(began.created_at)}'.encode()
        self._message = began.message
        self._base = base
        self._author = author
        delta = "agent_message" if mode == "agent-chat" else "message"
        self._delta = self._head(delta) + f',"id":{_text(began.message)},"answer":'.encode()
        self._reasons = False

    def write(self, event: AppEvent) -> bytes:
        """Empty where Dify says nothing."""
        match event:
            case AnswerDelta(text):
                return self._thought_over() + self._delta + _encode(text) + _END
            case ReasoningDelta(text):
                self._reasons = True
                return self._reasoning(text, is_final=False)
            case ThoughtChanged(thought):
                body = _Thought(
                    *(thought.id, thought.position, thought.text, thought.observation, thought.tool),
                    *(thought.labels, thought.tool_input, thought.files),
                )
                return self._thought_over() + self._event("agent_thought", body)
            case FileGiven(file):
                shown = wire_file(self._base, file)
                return self._event("message_file", _File(shown.id, shown.type, shown.belongs_to, shown.url))
            case AnswerReplaced(text):
                return self._thought_over() + self._event("message_replace", _Replaced(text))
            case Ended(message):
                end = _End(message.id, wire_metadata(message, self._author), given_files(self._base, message.files))
                return self._thought_over() + self._event("message_end", end)
            case Began():
                return b""

    def fail(self, error: SeekwayError) -> bytes:
        """The rest of an answer that has begun."""
        status, code = way_of_answer(error)
        return self._event("error", _Error(status, code, error.message))

    def _thought_over(self) -> bytes:
        if not self._reasons:
            return b""
        self._reasons = False
        return self._reasoning("", is_final=True)

    def _reasoning(self, text: str, *, is_final: bool) -> bytes:
        data = _encode(_Reasoning(self._message, text, "", is_final))
        return self._head("reasoning_chunk") + b',"data":' + data + _END

    def _event(self, name: str, body: msgspec.Struct) -> bytes:
        return self._head(name) + b"," + _encode(body)[1:] + b"\n\n"

    def _head(self, name: str) -> bytes:
        return f'data: {{"event":"{name}",'.encode() + self._shared


def _text(text: str) -> str:
    return _encode(text).decode()
