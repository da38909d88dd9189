"""``UpstreamBackend``: another OpenAI-compatible server as one of Seekway's backends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import msgspec
from structlog.typing import FilteringBoundLogger

from seekway.core.asking import answer_of
from seekway.core.errors import BackendProtocolError, SeekwayError, UnsupportedParameter
from seekway.core.ports import AnswerSink, EventSink, Flow
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
from seekway.engine.upstream.event_queue import EventQueue
from seekway.engine.upstream.generation import Generation
from seekway.engine.upstream.question import Question
from seekway.engine.upstream.request_body import generate_request, server_of
from seekway.engine.upstream.request_encoding import RequestEncoder
from seekway.engine.upstream.token_count import (
    CANNOT_COUNT,
    estimate,
    read_count,
    tokenize_address,
    tokenize_body,
)
from seekway.engine.upstream.transport import Answer, Transport, deadline_after
from seekway.engine.upstream.wire import WireModel, WireModels

T = TypeVar("T")

MAX_BODY_BYTES = 64 * 1024 * 1024
_MODELS_TIMEOUT_S = 30.0

_DEEPSEEK: tuple[Capability, ...] = (
    "chat", "completion", "fim", "tools", "reasoning", "json", "logprobs", "top_logprobs",
)  # fmt: skip
_ANY: tuple[Capability, ...] = (*_DEEPSEEK, "embed", "rerank")


class UpstreamBackend:
    """Serves the models of the server at ``settings.base_url``.

    ``api_key`` is the key itself, already read from where the settings name it; it is sent to that server only.
    A generation is asked for as the request says, streamed or whole, and stopped by closing its connection.
    Raises ``ConfigError`` for an address or a key that cannot be sent.
    """

    def __init__(
        self, settings: BackendSettings, api_key: str | None = None, log: FilteringBoundLogger | None = None
    ) -> None:
        self.name = settings.name
        self._settings = settings
        self._base_url = settings.base_url.rstrip("/")
        self._refusals = Refusals(settings.name, api_key, log)
        self._transport = Transport(settings, api_key, self._refusals.log)
        self._encoder = RequestEncoder(settings, self._transport)

    def start(self, request: GenerateRequest, sink: EventSink, /) -> Generation:
        """See :class:`seekway.core.ports.PushBackend`."""
        call = Generation(self._transport.pool, self._refusals, request.id, sink, streamed=request.stream)
        try:
            call.payload = self._encoder.encode(request)
        except SeekwayError as error:
            asyncio.get_running_loop().call_soon(call.lost, error)
            return call
        if request.deadline_s is not None:
            call.deadline = deadline_after(request.deadline_s)
        self._transport.pool.submit(call)
        return call

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[Event]:
        """See :class:`seekway.core.ports.Backend`; closing the iterator closes the connection to the server."""
        queue = EventQueue()
        call = self.start(request, queue)
        queue.flow = call
        try:
            while events := await queue.take():
                for event in events:
                    yield event
            await call.released()
        finally:
            call.cancel()

    async def embed(self, request: EmbedRequest) -> EmbedResult:
        """Vectors from ``/embeddings``; ``purpose`` is not sent, for no such parameter is common to the servers."""
        return await answer_of(partial(self.start_embed, request))

    async def rerank(self, request: RerankRequest) -> RerankResult:
        """Scores from ``/rerank``, in Cohere's and Jina's form, as vLLM, SGLang and Seekway have it."""
        return await answer_of(partial(self.start_rerank, request))

    async def count_tokens(self, request: GenerateRequest) -> TokenCount:
        """The server's own count where it has one, else an estimate that says so; see :mod:`seekway.engine.upstream.token_count`."""
        return await answer_of(partial(self.start_count, request))

    def start_embed(self, request: EmbedRequest, sink: AnswerSink[EmbedResult], /) -> Flow:
        """See :class:`seekway.core.ports.AskedBackend`."""
        body: dict[str, Any] = {"model": request.model, "input": list(request.inputs), "encoding_format": "float"}
        if request.dimensions is not None:
            body["dimensions"] = request.dimensions
        count = len(request.inputs)

        def read(answer: Answer) -> EmbedResult:
            return read_embeddings(self._expect_json(answer), self.name, count)

        return self._ask("/embeddings", body, request.deadline_s, read, sink, "embeddings")

    def start_rerank(self, request: RerankRequest, sink: AnswerSink[RerankResult], /) -> Flow:
        body: dict[str, Any] = {
            "model": request.model,
            "query": request.query,
            "documents": list(request.documents),
            "return_documents": False,
        }
        if request.top_n is not None:
            body["top_n"] = request.top_n
        count, top_n = len(request.documents), request.top_n

        def read(answer: Answer) -> RerankResult:
            return read_scores(self._expect_json(answer), self.name, count, top_n)

        return self._ask("/rerank", body, request.deadline_s, read, sink, "reranking")

    def start_count(self, request: GenerateRequest, sink: AnswerSink[TokenCount], /) -> Flow:
        def read(answer: Answer) -> TokenCount:
            if answer.status == 200:
                return read_count(answer.body) or estimate(request)
            if answer.status not in CANNOT_COUNT:
                raise self._refusals.from_answer(answer.status, answer.body, answer.retry_after)
            return estimate(request)

        question = Question(self._transport.pool, MAX_BODY_BYTES, read, sink)
        if server_of(self._settings) != "compatible":
            question.over = True
            asyncio.get_running_loop().call_soon(sink.answer, estimate(request))
            return question
        try:
            body = tokenize_body(generate_request(request, self._settings).body)
        except SeekwayError as error:
            return self._refused(question, error)
        question.payload = self._encoder.encode_json(tokenize_address(self._base_url), body)
        return self._submit(question, request.deadline_s)

    async def models(self) -> tuple[ModelInfo, ...]:
        """What the server lists, or of it what ``settings.models`` names; asked anew each time."""
        head = self._transport.head("GET", f"{self._base_url}/models", "application/json")
        answer = await self._transport.fetch(head, limit=MAX_BODY_BYTES, deadline=deadline_after(_MODELS_TIMEOUT_S))
        if answer.status in (404, 405) and self._settings.models:
            return tuple(self._info(name, None) for name in self._settings.models)
        body = self._expect_json(answer)
        listed = self._listed(body)
        names = self._settings.models or tuple(listed)
        return tuple(self._info(name, listed.get(name)) for name in names)

    @property
    def busy(self) -> int:
        """Requests that hold one of the ``max_connections`` places now."""
        return self._transport.pool.busy

    @property
    def connections(self) -> int:
        """Connections open now, the idle ones among them."""
        return self._transport.pool.connections

    async def close(self) -> None:
        await self._transport.close()

    def _ask(
        self,
        path: str,
        body: dict[str, Any],
        deadline_s: float | None,
        read: Callable[[Answer], T],
        sink: AnswerSink[T],
        what: str,
    ) -> Question[T]:
        question = Question(self._transport.pool, MAX_BODY_BYTES, read, sink)
        if self._settings.kind == "deepseek":
            refused = UnsupportedParameter(f"DeepSeek's API has no {what}; choose another model.", param="model")
            return self._refused(question, refused)
        question.payload = self._encoder.encode_json(self._base_url + path, body)
        return self._submit(question, deadline_s)

    def _submit(self, question: Question[T], deadline_s: float | None) -> Question[T]:
        question.deadline = deadline_after(deadline_s)
        self._transport.pool.submit(question)
        return question

    def _refused(self, question: Question[T], error: SeekwayError) -> Question[T]:
        asyncio.get_running_loop().call_soon(question.lost, error)
        return question

    def _expect_json(self, answer: Answer) -> bytes:
        """The body, or the refusal raised; a server that names no media type is given the benefit of the doubt."""
        if answer.status != 200:
            raise self._refusals.from_answer(answer.status, answer.body, answer.retry_after)
        if answer.media_type not in ("application/json", ""):
            raise BackendProtocolError(
                f"The backend {self.name} answered {answer.media_type[:64]} in place of application/json; check its base_url."
            )
        return answer.body

    def _listed(self, body: bytes) -> dict[str, WireModel]:
        try:
            models = msgspec.json.decode(body, type=WireModels).data
        except (msgspec.DecodeError, UnicodeDecodeError):
            models = None
        if models is None:
            raise BackendProtocolError(f"The backend {self.name} did not answer a list of models; check its base_url.")
        return {model.id: model for model in models}

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


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
