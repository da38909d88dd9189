"""A client of the gateway's ``POST /v1/chat-messages`` and ``/v1/completion-messages``, streaming, for the terminal."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

import aiohttp
import msgspec

from seekway.app.server_events import events_of
from seekway.core.errors import (
    AuthenticationFailed,
    BackendProtocolError,
    BackendUnavailable,
    SeekwayError,
    StreamInterrupted,
    error_from_code,
)


class Piece(msgspec.Struct, frozen=True):
    """More of the answer, or where ``instead`` is set what takes the place of all of it."""

    text: str
    instead: bool = False


class Step(msgspec.Struct, frozen=True):
    """A call of a tool, when its result is there."""

    tool: str
    tool_input: str
    observation: str


class Cited(msgspec.Struct, frozen=True):
    position: int = 0
    document_name: str = ""
    score: float = 0.0


class Answered(msgspec.Struct, frozen=True):
    conversation: str
    sources: tuple[Cited, ...]


class _Metadata(msgspec.Struct):
    retriever_resources: tuple[Cited, ...] = ()


class _Event(msgspec.Struct):
    event: str = ""
    answer: str = ""
    conversation_id: str = ""
    tool: str = ""
    tool_input: str = ""
    observation: str = ""
    message: str = ""
    code: str = ""
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


class _Refusal(msgspec.Struct):
    message: str
    code: str = ""


class AppClient:
    """Talks to the gateway at ``base_url`` (without ``/v1``) with an application's ``key``."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, key: str) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    async def ask(self, path: str, body: Mapping[str, object]) -> AsyncGenerator[Piece | Step | Answered, None]:
        """What ``/v1/PATH`` answers to ``body``; the last thing is ``Answered``. Closing the generator stops the answer. Raises ``SeekwayError``."""
        url = f"{self._base_url}/v1/{path}"
        ended = False
        try:
            async with self._session.post(
                url, data=msgspec.json.encode({**body, "response_mode": "streaming"}), headers=self._headers
            ) as response:
                if response.status != 200:
                    raise _refused(response.status, await response.read())
                async with aclosing(events_of(response)) as events:
                    async for data in events:
                        for said in _said(data):
                            ended = isinstance(said, Answered)
                            yield said
        except (aiohttp.ClientError, TimeoutError) as error:
            raise BackendUnavailable(
                f"No gateway answers at {self._base_url}; start one with seekway up, or name it with --url."
            ) from error
        if not ended:
            raise StreamInterrupted("The answer broke off: the gateway closed the connection.")


def _said(data: bytes) -> list[Piece | Step | Answered]:
    try:
        event = msgspec.json.decode(data, type=_Event)
    except msgspec.DecodeError as error:
        raise BackendProtocolError("The gateway sent an event that cannot be read.") from error
    match event.event:
        case "message" | "agent_message":
            return [Piece(event.answer)]
        case "message_replace":
            return [Piece(event.answer, instead=True)]
        case "agent_thought" if event.observation:
            return [Step(event.tool, event.tool_input, event.observation)]
        case "message_end":
            return [Answered(event.conversation_id, event.metadata.retriever_resources)]
        case "error":
            raise error_from_code(event.code, event.message)
        case _:
            return []


def _refused(status: int, body: bytes) -> SeekwayError:
    try:
        refusal = msgspec.json.decode(body, type=_Refusal)
    except msgspec.DecodeError:
        return BackendProtocolError(f"What answers there is not a Seekway gateway: it says {status}.")
    if status == 401:
        return AuthenticationFailed(
            f"{refusal.message.rstrip('.')}; make a key with seekway keys create --app SLUG and give it as --api-key or SEEKWAY_API_KEY."
        )
    return error_from_code(refusal.code, refusal.message)
