"""The client for ordinary programs: the asynchronous one on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Generator, Iterable, Sequence
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from seekway.client.asynchronous import DEFAULT_TARGET, AsyncClient
from seekway.client.conversation import Answer, Delta, Options
from seekway.core.errors import BackendUnavailable
from seekway.core.streaming import closing
from seekway.core.types import Message, ModelInfo, RerankScore
from seekway.model_service.analysis import Analysis, AnalysisFailed, AnalyzeText

T = TypeVar("T")


class Client:
    """As :class:`seekway.client.AsyncClient`, without asyncio; use it as a context manager, from any thread."""

    def __init__(self, target: str = DEFAULT_TARGET, *, model: str | None = None, api_key: str | None = None) -> None:
        self._client = AsyncClient(target, model=model, api_key=api_key)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def generate(
        self, prompt: str, *, model: str | None = None, options: Options | None = None
    ) -> Generator[str, None, None]:
        """Stream the text that answers ``prompt``; reasoning is left out, :meth:`stream` has it."""
        return self._stream(self._client.generate(prompt, model=model, options=options))

    def stream(
        self, messages: Sequence[Message], *, model: str | None = None, options: Options | None = None
    ) -> Generator[Delta, None, None]:
        """Stream the next turn of a chat, reasoning and text apart. Closing the stream stops the work."""
        return self._stream(self._client.stream(messages, model=model, options=options))

    def chat(self, messages: Sequence[Message], *, model: str | None = None, options: Options | None = None) -> Answer:
        """The next turn of a chat as a whole, with its usage."""
        return self._run(self._client.chat(messages, model=model, options=options))

    def embed(
        self,
        texts: Sequence[str],
        *,
        model: str | None = None,
        purpose: Literal["query", "passage"] = "passage",
        timeout_s: float | None = None,
    ) -> list[tuple[float, ...]]:
        """One unit vector a text. ``purpose`` matters to models that embed questions and passages differently."""
        return self._run(self._client.embed(texts, model=model, purpose=purpose, timeout_s=timeout_s))

    def rerank(
        self,
        query: str,
        documents: Sequence[str],
        *,
        model: str | None = None,
        top_n: int | None = None,
        timeout_s: float | None = None,
    ) -> list[RerankScore]:
        """``documents`` by how well they answer ``query``, best first, at most ``top_n``."""
        return self._run(self._client.rerank(query, documents, model=model, top_n=top_n, timeout_s=timeout_s))

    def analyze(
        self, text: str, *, labels: Sequence[str] = (), model: str | None = None, timeout_s: float | None = None
    ) -> Analysis:
        """Summary, key points, sentiment and labels of ``text``; ``labels`` are those to choose from."""
        return self._run(self._client.analyze(text, labels=labels, model=model, timeout_s=timeout_s))

    def analyze_stream(
        self, texts: Iterable[AnalyzeText], *, timeout_s: float | None = None
    ) -> Generator[Analysis | AnalysisFailed, None, None]:
        """Many texts in flight; results as they are finished, told apart by the texts' ``id``.

        ``texts`` is read on the client's own thread, as the service has room for more.
        """

        async def results() -> AsyncIterator[Analysis | AnalysisFailed]:
            # Begun here, on the loop that the connection belongs to.
            async with closing(self._client.analyze_stream(texts, timeout_s=timeout_s)) as found:
                async for result in found:
                    yield result

        return self._stream(results())

    def models(self) -> tuple[ModelInfo, ...]:
        """What is served now, with its figures."""
        return self._run(self._client.models())

    def close(self) -> None:
        """End the connection and its thread; safe to call twice."""
        with self._starting:
            loop, thread, self._closed = self._loop, self._thread, True
            self._loop = None
        if loop is not None and thread is not None:
            asyncio.run_coroutine_threadsafe(self._client.close(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            loop = self._running_loop()
        except BackendUnavailable:
            work.close()
            raise
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    def _stream(self, items: AsyncIterator[T]) -> Generator[T, None, None]:
        end = object()

        async def step() -> T | object:
            return await anext(items, end)

        async def stop() -> None:
            aclose = getattr(items, "aclose", None)
            if aclose is not None:
                await aclose()

        try:
            while (item := self._run(step())) is not end:
                yield item  # pyright: ignore[reportReturnType] - anything but `end` came from `items`
        finally:
            if not self._closed:
                self._run(stop())

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._closed:
                raise BackendUnavailable("This client was closed; make another.")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=_turn, args=(self._loop,), name="seekway-client", daemon=True)
                self._thread.start()
            return self._loop


def _turn(loop: asyncio.AbstractEventLoop) -> None:
    """Turn the loop until it is stopped, then let what was left behind end."""
    asyncio.set_event_loop(loop)
    loop.run_forever()
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
