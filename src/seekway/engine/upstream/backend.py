"""``UpstreamBackend``: another OpenAI-compatible server as one of Seekway's backends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from seekway.core.errors import BackendProtocolError, InvalidRequest, SeekwayError, UnsupportedParameter
from seekway.core.sections.backends import BackendSettings
from seekway.core.types import (
    Capability,
    EmbedRequest,
    EmbedResult,
    Event,
    GenerateRequest,
    ModelInfo,
    RerankRequest,
    RerankResult,
    TokenCount,
)
from seekway.engine.upstream.embeddings import read_embeddings, read_scores
from seekway.engine.upstream.errors import Refusals
from seekway.engine.upstream.request_body import generate_request, server_of
from seekway.engine.upstream.response_events import ResponseEvents
from seekway.engine.upstream.sse import SseParser
from seekway.engine.upstream.token_count import (
    CANNOT_COUNT,
    estimate,
    read_count,
    tokenize_address,
    tokenize_body,
)
from seekway.engine.upstream.transport import Answer, Transport
from seekway.engine.upstream.wire import WireModel, WireModels

MAX_EVENT_BYTES = 4 * 1024 * 1024
MAX_STREAM_BYTES = 256 * 1024 * 1024
MAX_BODY_BYTES = 64 * 1024 * 1024
_MAX_ERROR_BYTES = 64 * 1024
_MODELS_TIMEOUT_S = 30.0

_DEEPSEEK: tuple[Capability, ...] = (
    "chat", "completion", "fim", "tools", "reasoning", "json", "logprobs", "top_logprobs",
)  # fmt: skip
_ANY: tuple[Capability, ...] = (*_DEEPSEEK, "embed", "rerank")


class UpstreamBackend:
    """Serves the models of the server at ``settings.base_url``.

    ``api_key`` is the key itself, already read from where the settings name it; it is sent to that server only.
    Generation always streams from the server, whatever the client asked for, so that it can be stopped at any time.
    """

    def __init__(self, settings: BackendSettings, api_key: str | None = None) -> None:
        self.name = settings.name
        self._settings = settings
        self._base_url = settings.base_url.rstrip("/")
        self._refusals = Refusals(settings.name, api_key)
        self._transport = Transport(settings, api_key)

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[Event]:
        """See :class:`seekway.core.ports.Backend`; closing the iterator closes the connection to the server."""
        wire = generate_request(request, self._settings)
        body = _encode(wire.body)
        deadline = _deadline(request.deadline_s)
        async with self._transport.exchange(
            "POST", wire.url, body, accept="text/event-stream", deadline=deadline
        ) as answer:
            await self._expect(answer, "text/event-stream")
            parser = SseParser(MAX_EVENT_BYTES)
            response = ResponseEvents(request.id, self.name, self._refusals)
            received = 0
            while not response.done and (data := await answer.read()):
                received += len(data)
                if received > MAX_STREAM_BYTES:
                    raise BackendProtocolError(f"The backend {self.name} streamed more than {MAX_STREAM_BYTES} bytes.")
                for message in parser.feed(data):
                    for event in response.read(message.data):
                        yield event
            usage, finish = response.end()
            yield usage
            yield finish
            await answer.drain()

    async def embed(self, request: EmbedRequest) -> EmbedResult:
        """Vectors from ``/embeddings``; ``purpose`` is not sent, for no such parameter is common to the servers."""
        self._refuse_deepseek("embeddings")
        body: dict[str, Any] = {"model": request.model, "input": list(request.inputs), "encoding_format": "float"}
        if request.dimensions is not None:
            body["dimensions"] = request.dimensions
        answer = await self._ask("/embeddings", body, request.deadline_s)
        return read_embeddings(answer, self.name, len(request.inputs))

    async def rerank(self, request: RerankRequest) -> RerankResult:
        """Scores from ``/rerank``, in Cohere's and Jina's form, as vLLM, SGLang and Seekway have it."""
        self._refuse_deepseek("reranking")
        body: dict[str, Any] = {
            "model": request.model,
            "query": request.query,
            "documents": list(request.documents),
            "return_documents": False,
        }
        if request.top_n is not None:
            body["top_n"] = request.top_n
        answer = await self._ask("/rerank", body, request.deadline_s)
        return read_scores(answer, self.name, len(request.documents), request.top_n)

    async def count_tokens(self, request: GenerateRequest) -> TokenCount:
        """The server's own count where it has one, else an estimate that says so; see :mod:`seekway.engine.upstream.token_count`."""
        if server_of(self._settings) != "compatible":
            return estimate(request)
        async with self._transport.exchange(
            "POST",
            tokenize_address(self._base_url),
            _encode(tokenize_body(generate_request(request, self._settings).body)),
            accept="application/json",
            deadline=_deadline(request.deadline_s),
        ) as answer:
            if answer.status == 200:
                return read_count(await answer.body(MAX_BODY_BYTES)) or estimate(request)
            if answer.status not in CANNOT_COUNT:
                raise await self._refusal(answer)
        return estimate(request)

    async def models(self) -> tuple[ModelInfo, ...]:
        """What the server lists, or of it what ``settings.models`` names; asked anew each time."""
        async with self._transport.exchange(
            "GET",
            f"{self._base_url}/models",
            None,
            accept="application/json",
            deadline=_deadline(_MODELS_TIMEOUT_S),
        ) as answer:
            if answer.status in (404, 405) and self._settings.models:
                return tuple(self._info(name, None) for name in self._settings.models)
            await self._expect(answer, "application/json")
            body = await answer.body(MAX_BODY_BYTES)
        listed = self._listed(body)
        names = self._settings.models or tuple(listed)
        return tuple(self._info(name, listed.get(name)) for name in names)

    async def close(self) -> None:
        await self._transport.close()

    async def _ask(self, path: str, body: dict[str, Any], deadline_s: float | None) -> bytes:
        async with self._transport.exchange(
            "POST",
            self._base_url + path,
            _encode(body),
            accept="application/json",
            deadline=_deadline(deadline_s),
        ) as answer:
            await self._expect(answer, "application/json")
            return await answer.body(MAX_BODY_BYTES)

    def _listed(self, body: bytes) -> dict[str, WireModel]:
        try:
            models = msgspec.json.decode(body, type=WireModels).data
        except (msgspec.DecodeError, UnicodeDecodeError):
            models = None
        if models is None:
            raise BackendProtocolError(f"The backend {self.name} did not answer a list of models; check its base_url.")
        return {model.id: model for model in models}

    async def _expect(self, answer: Answer, media_type: str) -> None:
        """Raise unless this is the answer asked for; a server that names no media type is given the benefit of the doubt."""
        if answer.status != 200:
            raise await self._refusal(answer)
        if answer.media_type in (media_type, ""):
            return
        if answer.media_type == "application/json":
            # Some servers answer an error with 200.
            body = await answer.start_of_body(_MAX_ERROR_BYTES)
            if b'"error"' in body:
                raise self._refusals.from_answer(400, body, None)
        raise BackendProtocolError(
            f"The backend {self.name} answered {answer.media_type[:64]} in place of {media_type}; check its base_url."
        )

    async def _refusal(self, answer: Answer) -> SeekwayError:
        body = await answer.start_of_body(_MAX_ERROR_BYTES)
        return self._refusals.from_answer(answer.status, body, answer.retry_after)

    def _refuse_deepseek(self, what: str) -> None:
        if self._settings.kind == "deepseek":
            raise UnsupportedParameter(f"DeepSeek's API has no {what}; choose another model.", param="model")

    def _info(self, name: str, listed: WireModel | None) -> ModelInfo:
        detail = "Capabilities are assumed from the kind of backend and the model's name."
        if listed is None:
            detail = f"Set in the configuration; the backend's /models does not list it. {detail}"
        return ModelInfo(
            id=name,
            version="",
            owned_by=(listed.owned_by if listed is not None else None) or self.name,
            source=_without_credentials(self._base_url),
            capabilities=self._capabilities(name),
            engine="upstream",
            context_length=(listed.max_model_len if listed is not None else None) or 0,
            created=(listed.created if listed is not None else None) or 0,
            detail=detail,
        )

    def _capabilities(self, model: str) -> tuple[Capability, ...]:
        """No server says what its models can; what one cannot, it refuses itself."""
        if self._settings.kind == "deepseek":
            return _DEEPSEEK
        name = model.lower()
        if "rerank" in name:
            return ("rerank",)
        return ("embed",) if "embed" in name else _ANY


def _encode(body: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(body)
    except (UnicodeEncodeError, TypeError, OverflowError):
        raise InvalidRequest("The request holds text or values that JSON cannot carry.") from None


def _deadline(seconds: float | None) -> float | None:
    return None if seconds is None else asyncio.get_running_loop().time() + seconds


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
