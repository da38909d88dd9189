"""The bytes of a generation's request: an ordinary chat is encoded straight from the canonical structs, anything else as ``request_body`` has it.

The two ways give the same members; the tests compare them.
"""

from __future__ import annotations

from typing import Any

import msgspec

from seekway.core.errors import InvalidRequest
from seekway.core.sections.backends import BackendSettings
from seekway.core.types import GenerateRequest, Message
from seekway.engine.upstream.request_body import generate_request, server_of
from seekway.engine.upstream.transport import Transport, with_body


class _StreamOptions(msgspec.Struct, frozen=True):
    include_usage: bool


class _ChatBody(msgspec.Struct, omit_defaults=True):
    """An ordinary chat; what is None is left out, and so are the defaults of :class:`seekway.core.types.Message`."""

    model: str
    messages: tuple[Message, ...]
    stream: bool
    stream_options: _StreamOptions | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stop: tuple[str, ...] | None = None
    seed: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    user: str | None = None
    user_id: str | None = None


_INCLUDE_USAGE = _StreamOptions(True)
_ENCODER = msgspec.json.Encoder()
_RESERVED = frozenset(
    (*_ChatBody.__struct_fields__, "n", "chat_template_kwargs", "continue_final_message", "add_generation_prompt")
)


class RequestEncoder:
    """Makes the payloads, heads included, that go to the backend of ``settings`` over ``transport``."""

    def __init__(self, settings: BackendSettings, transport: Transport) -> None:
        self._settings = settings
        self._server = server_of(settings)
        self._transport = transport
        self._heads: dict[tuple[str, bool], bytes] = {}
        self._chat_url = f"{settings.base_url.rstrip('/')}/chat/completions"
        self._chat_heads = self._head(self._chat_url, False), self._head(self._chat_url, True)

    def encode(self, request: GenerateRequest) -> bytes:
        """Raises ``InvalidRequest`` and ``UnsupportedParameter`` for what cannot be sent to this server."""
        try:
            if _is_ordinary(request):
                return with_body(self._chat_heads[request.stream], self._ordinary(request))
            wire = generate_request(request, self._settings)
            return with_body(self._head(wire.url, request.stream), _ENCODER.encode(wire.body))
        except (UnicodeEncodeError, TypeError, OverflowError):
            raise InvalidRequest("The request holds text or values that JSON cannot carry.") from None

    def encode_json(self, url: str, body: dict[str, Any]) -> bytes:
        """A payload that posts ``body`` to ``url`` and asks for JSON."""
        try:
            return with_body(self._transport.head("POST", url, "application/json"), _ENCODER.encode(body))
        except (UnicodeEncodeError, TypeError, OverflowError):
            raise InvalidRequest("The request holds text or values that JSON cannot carry.") from None

    def _head(self, url: str, stream: bool) -> bytes:
        head = self._heads.get((url, stream))
        if head is None:
            head = self._transport.head("POST", url, "text/event-stream" if stream else "application/json")
            self._heads[url, stream] = head  # a server has two addresses for chats and two for prompts, no more
        return head

    def _ordinary(self, request: GenerateRequest) -> bytes:
        sampling = request.sampling
        body = _ChatBody(request.model, request.messages, request.stream)
        if request.stream:
            body.stream_options = _INCLUDE_USAGE
        if sampling is not _DEFAULT_SAMPLING:
            body.temperature = sampling.temperature
            body.top_p = sampling.top_p
            body.top_k = sampling.top_k
            body.min_p = sampling.min_p
            body.frequency_penalty = sampling.frequency_penalty
            body.presence_penalty = sampling.presence_penalty
            if self._server == "openai_cloud":
                body.max_completion_tokens = sampling.max_tokens
            else:
                body.max_tokens = sampling.max_tokens
            body.stop = sampling.stop or None
            body.seed = sampling.seed
            if sampling.top_logprobs is not None:
                body.logprobs = True
                body.top_logprobs = sampling.top_logprobs or None
        if request.user_id is not None:
            if self._server == "deepseek":
                body.user_id = request.user_id
            else:
                body.user = request.user_id
        encoded = _ENCODER.encode(body)
        if request.extra:
            return b"%b,%b" % (encoded[:-1], _ENCODER.encode(request.extra)[1:])
        return encoded


_DEFAULT_SAMPLING = GenerateRequest("", "").sampling


def _is_ordinary(request: GenerateRequest) -> bool:
    """Whether every member reads the same in canonical and wire form."""
    thinking = request.thinking
    if (
        request.prompt is not None
        or request.tools
        or request.response_format.type != "text"
        or thinking.enabled is not None
        or thinking.effort is not None
        or not request.messages
        or (request.extra and not _RESERVED.isdisjoint(request.extra))
    ):
        return False
    for message in request.messages:
        # An empty text would be left out as the default that it is.
        if (
            message.reasoning is not None
            or message.tool_calls
            or message.prefix
            or not message.content
            or type(message.content) is not str
        ):
            return False
    return True
