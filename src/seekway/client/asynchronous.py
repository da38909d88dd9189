"""The client for asyncio programs."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Sequence
from types import TracebackType
from typing import Literal, Self
from uuid import uuid4

from seekway.client.conversation import Answer, Delta, Options, answer_of, chat_request, delta_of
from seekway.core.errors import ModelNotFound
from seekway.core.streaming import closing
from seekway.core.types import Capability, EmbedRequest, Message, ModelInfo, RerankRequest, RerankScore
from seekway.model_service.analysis import Analysis, AnalysisFailed, AnalyzeText
from seekway.model_service.client import ModelServiceBackend

DEFAULT_TARGET = "127.0.0.1:50051"


class AsyncClient:
    """Talks to the model service, or to a gateway's gRPC port, at ``target``; use it as an async context manager, from one event loop.

    ``model`` is a name or ``name@version``; left out, it is the first model served that can do what is asked.
    ``api_key`` is for a gateway that asks for one; it goes over the wire as it is, so keep to this machine or a tunnel.
    Every method raises :class:`seekway.client.SeekwayError`; its ``code`` says which error it is.
    """

    def __init__(self, target: str = DEFAULT_TARGET, *, model: str | None = None, api_key: str | None = None) -> None:
        self._target = target
        self._api_key = api_key
        self._model = model
        self._backend: ModelServiceBackend | None = None
        self._found: dict[Capability, str] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def generate(
        self, prompt: str, *, model: str | None = None, options: Options | None = None
    ) -> AsyncGenerator[str, None]:
        """Stream the text that answers ``prompt``; reasoning is left out, :meth:`stream` has it."""
        async with closing(self.stream([Message("user", prompt)], model=model, options=options)) as deltas:
            async for delta in deltas:
                if delta.text:
                    yield delta.text

    async def stream(
        self, messages: Sequence[Message], *, model: str | None = None, options: Options | None = None
    ) -> AsyncGenerator[Delta, None]:
        """Stream the next turn of a chat, reasoning and text apart. Closing the stream stops the work."""
        request = chat_request(await self._pick(model, "chat"), messages, options or Options())
        events = self._service().generate(request)
        try:
            async for event in events:
                if (delta := delta_of(event)) is not None:
                    yield delta
        finally:
            await events.aclose()

    async def chat(
        self, messages: Sequence[Message], *, model: str | None = None, options: Options | None = None
    ) -> Answer:
        """The next turn of a chat as a whole, with its usage."""
        request = chat_request(await self._pick(model, "chat"), messages, options or Options())
        return answer_of([event async for event in self._service().generate(request)])

    async def embed(
        self,
        texts: Sequence[str],
        *,
        model: str | None = None,
        purpose: Literal["query", "passage"] = "passage",
        timeout_s: float | None = None,
    ) -> list[tuple[float, ...]]:
        """One unit vector a text. ``purpose`` matters to models that embed questions and passages differently."""
        request = EmbedRequest(
            uuid4().hex, await self._pick(model, "embed"), tuple(texts), purpose, deadline_s=timeout_s
        )
        result = await self._service().embed(request)
        return [struct.unpack(f"<{result.dimensions}f", vector) for vector in result.vectors]

    async def rerank(
        self,
        query: str,
        documents: Sequence[str],
        *,
        model: str | None = None,
        top_n: int | None = None,
        timeout_s: float | None = None,
    ) -> list[RerankScore]:
        """``documents`` by how well they answer ``query``, best first, at most ``top_n``."""
        request = RerankRequest(
            uuid4().hex, await self._pick(model, "rerank"), query, tuple(documents), top_n, timeout_s
        )
        return list((await self._service().rerank(request)).scores)

    async def analyze(
        self, text: str, *, labels: Sequence[str] = (), model: str | None = None, timeout_s: float | None = None
    ) -> Analysis:
        """Summary, key points, sentiment and labels of ``text``; ``labels`` are those to choose from."""
        asked = AnalyzeText(uuid4().hex, text, model or self._model or "", tuple(labels), timeout_s)
        return await self._service().analyze(asked)

    def analyze_stream(
        self, texts: Iterable[AnalyzeText] | AsyncIterable[AnalyzeText], *, timeout_s: float | None = None
    ) -> AsyncIterator[Analysis | AnalysisFailed]:
        """Many texts in flight; results as they are finished, told apart by the texts' ``id``."""
        return self._service().analyze_stream(_asynchronous(texts), deadline_s=timeout_s)

    async def models(self) -> tuple[ModelInfo, ...]:
        """What is served now, with its figures."""
        return await self._service().models()

    async def close(self) -> None:
        if self._backend is not None:
            await self._backend.close()

    def _service(self) -> ModelServiceBackend:
        """Made at the first call, because a channel belongs to the loop it is made on."""
        if self._backend is None:
            asyncio.get_running_loop()
            self._backend = ModelServiceBackend(self._target, api_key=self._api_key)
        return self._backend

    async def _pick(self, model: str | None, capability: Capability) -> str:
        chosen = model or self._model or self._found.get(capability)
        if chosen is None:
            served = await self._service().models()
            chosen = next((info.id for info in served if capability in info.capabilities), None)
            if chosen is None:
                raise ModelNotFound(f"{self._target} serves no model that can {capability}.", param="model")
            self._found[capability] = chosen
        return chosen


async def _asynchronous(texts: Iterable[AnalyzeText] | AsyncIterable[AnalyzeText]) -> AsyncIterator[AnalyzeText]:
    if isinstance(texts, AsyncIterable):
        async for text in texts:
            yield text
    else:
        for text in texts:
            yield text
