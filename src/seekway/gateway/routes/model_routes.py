"""The routes that ask a model: chat, completions, embeddings, rerank, and the list of models."""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from structlog.typing import FilteringBoundLogger

from seekway.core.errors import SeekwayError
from seekway.core.sections.gateway import GatewaySettings
from seekway.core.types import Event, GenerateRequest
from seekway.gateway.authentication import Authenticator
from seekway.gateway.dialects.openai_chat import read_chat
from seekway.gateway.dialects.openai_chat_answer import AnswerHead, ChatCollector, ChatStream
from seekway.gateway.dialects.openai_completions import CompletionCollector, CompletionStream, read_completion
from seekway.gateway.dialects.openai_embeddings import encode_embedding, read_embedding
from seekway.gateway.dialects.openai_errors import encode_error
from seekway.gateway.dialects.openai_models import encode_model, encode_models
from seekway.gateway.dialects.rerank import encode_rerank, read_rerank
from seekway.gateway.drain import Drain
from seekway.gateway.request_body import read_body
from seekway.gateway.request_edge import record_of
from seekway.gateway.streaming import Encoder, ModelAnswer
from seekway.pipeline.directory import Route
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.pipeline import Pipeline

ItemT = TypeVar("ItemT")


class WholeAnswer:
    """An answer that is one JSON body from the start, such as embeddings."""

    media_type = "application/json"
    keep_alive = b"\n"

    def __init__(self) -> None:
        self._body = b""

    def feed(self, items: Sequence[bytes]) -> bytes:
        self._body = b"".join((self._body, *items))
        return b""

    def end(self) -> bytes:
        return self._body

    def fail(self, error: SeekwayError) -> bytes:
        return encode_error(error)


class ModelRoutes:
    """Each method is an endpoint; the deadline of a request runs from its first byte."""

    def __init__(
        self,
        settings: GatewaySettings,
        pipeline: Pipeline,
        authenticator: Authenticator,
        drain: Drain,
        log: FilteringBoundLogger,
    ) -> None:
        self._settings = settings
        self._pipeline = pipeline
        self._authenticator = authenticator
        self._drain = drain
        self._log = log

    async def chat_completions(self, request: Request) -> Response:
        """A chat, streamed or whole. A last assistant message with `prefix: true` is continued."""
        body, deadline = await self._open(request, "chat")
        wanted, delivery = read_chat(body, _new_id("chatcmpl"))
        admitted, exchange = await self._admit(request, wanted, deadline)
        kind = "chat.completion.chunk" if delivery.stream else "chat.completion"
        head = _head(admitted, exchange.resolved, kind)
        encoder: Encoder[Event] = ChatStream(head, delivery) if delivery.stream else ChatCollector(head)
        return self._answer(request, self._pipeline.generate(admitted, exchange), encoder, deadline)

    async def completions(self, request: Request) -> Response:
        """A raw completion; with `suffix`, the middle between `prompt` and `suffix` is filled in."""
        body, deadline = await self._open(request, "text_completion")
        beta = request.url.path.startswith("/beta/")
        wanted, delivery = read_completion(body, _new_id("cmpl"), beta=beta)
        admitted, exchange = await self._admit(request, wanted, deadline)
        head = _head(admitted, exchange.resolved, "text_completion")
        encoder: Encoder[Event] = CompletionStream(head, delivery) if delivery.stream else CompletionCollector(head)
        return self._answer(request, self._pipeline.generate(admitted, exchange), encoder, deadline)

    async def embeddings(self, request: Request) -> Response:
        """Vectors of one text or many, as numbers or base64 of little-endian float32."""
        body, deadline = await self._open(request, "embeddings")
        wanted, encoding = read_embedding(body, _new_id("embd"))
        wanted = msgspec.structs.replace(wanted, deadline_s=_left(deadline))
        exchange = Exchange(record_of(request))

        async def embed() -> bytes:
            result = await self._pipeline.embed(wanted, exchange)
            return encode_embedding(result, exchange.resolved.model.id, encoding)

        return self._answer(request, _once(embed), WholeAnswer(), deadline)

    async def rerank(self, request: Request) -> Response:
        """Documents in the order of their relevance to a query."""
        body, deadline = await self._open(request, "rerank")
        wanted, with_documents = read_rerank(body, _new_id("rerank"))
        wanted = msgspec.structs.replace(wanted, deadline_s=_left(deadline))
        exchange = Exchange(record_of(request))

        async def rerank() -> bytes:
            result = await self._pipeline.rerank(wanted, exchange)
            return encode_rerank(result, wanted, exchange.resolved.model.id, with_documents=with_documents)

        return self._answer(request, _once(rerank), WholeAnswer(), deadline)

    async def models(self, request: Request) -> Response:
        """Every model of every backend."""
        self._authenticator.check(request)
        routes = self._pipeline.routes
        if not routes.served():
            await routes.refresh()
        return Response(encode_models(info for _, info in routes.served()), media_type="application/json")

    async def model(self, request: Request) -> Response:
        """One model, also by an alias."""
        self._authenticator.check(request)
        name = str(request.path_params["model_id"])
        route = await self._pipeline.names.route(name)
        return Response(encode_model(route.model, name), media_type="application/json")

    async def _open(self, request: Request, operation: str) -> tuple[bytes, float]:
        """The body and when the request must be over; refuses before it reads."""
        record_of(request).operation = operation
        self._drain.check()
        self._authenticator.check(request)
        spent = record_of(request).duration_s()
        deadline = asyncio.get_running_loop().time() - spent + self._settings.request_timeout_s
        return await read_body(request, self._settings.max_body_bytes, deadline), deadline

    async def _admit(
        self, request: Request, wanted: GenerateRequest, deadline: float
    ) -> tuple[GenerateRequest, Exchange]:
        exchange = Exchange(record_of(request))
        admitted = await self._pipeline.admit(wanted, exchange)
        return msgspec.structs.replace(admitted, deadline_s=_left(deadline)), exchange

    def _answer(
        self, request: Request, items: AsyncGenerator[ItemT], encoder: Encoder[ItemT], deadline: float
    ) -> Response:
        return ModelAnswer(
            items,
            encoder,
            record=record_of(request),
            log=self._log,
            keep_alive_interval_s=self._settings.keep_alive_interval_s,
            deadline=deadline,
        )


async def _once(make: Callable[[], Awaitable[bytes]]) -> AsyncGenerator[bytes]:
    """A single result as a stream of one, so that it is watched like any other answer."""
    yield await make()


def _head(request: GenerateRequest, route: Route, kind: str) -> AnswerHead:
    return AnswerHead(request.id, kind, int(time.time()), route.model.id, _fingerprint(route))


def _fingerprint(route: Route) -> str:
    """Changes with whatever changes a seeded answer: the weights, their quantization, the engine."""
    model = route.model
    what = "\0".join((model.id, model.version, model.quantization, model.engine))
    return f"fp_{hashlib.blake2s(what.encode(), digest_size=6).hexdigest()}"


def _new_id(kind: str) -> str:
    """Ours and not the client's ``x-request-id``: two running requests may carry the same of those."""
    return f"{kind}-{uuid.uuid4().hex}"


def _left(deadline: float) -> float:
    return max(deadline - asyncio.get_running_loop().time(), 0.001)
