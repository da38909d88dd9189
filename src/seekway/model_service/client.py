"""The gRPC model service as a Backend: the same calls, the same errors, another process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from typing import TypeVar

import grpc.aio
from grpc import StatusCode

from seekway.core.errors import (
    BackendUnavailable,
    SeekwayError,
    StreamInterrupted,
)
from seekway.core.types import (
    EmbedRequest,
    EmbedResult,
    Event,
    Finish,
    GenerateRequest,
    ModelInfo,
    RerankRequest,
    RerankResult,
    TokenCount,
)
from seekway.model_service.analysis import Analysis, AnalysisFailed, AnalyzeText
from seekway.model_service.contract import model_service_pb2 as pb
from seekway.model_service.rpc import failure_of, stub
from seekway.model_service.status import CODE, error_of
from seekway.model_service.translate import requests, results
from seekway.model_service.translate.events import event_from_proto

Answer = TypeVar("Answer")

_LIST_MODELS_S = 5.0


class ModelServiceBackend:
    """A model service, or a gateway's gRPC port, at ``target`` (``host:port``); ``api_key`` goes with each call.

    The channel connects by itself when first used and again after a loss, trying at most every second;
    meanwhile calls fail at once with ``BackendUnavailable``.
    """

    def __init__(self, target: str, *, max_message_bytes: int = 32 * 1024 * 1024, api_key: str | None = None) -> None:
        self.target = target
        self._metadata = () if api_key is None else (("authorization", f"Bearer {api_key}"),)
        self._channel = grpc.aio.insecure_channel(
            target,
            options=(
                ("grpc.max_receive_message_length", max_message_bytes),
                ("grpc.max_send_message_length", max_message_bytes),
                ("grpc.initial_reconnect_backoff_ms", 100),
                ("grpc.min_reconnect_backoff_ms", 100),
                ("grpc.max_reconnect_backoff_ms", 1000),
                # A proxy from the environment has no business between two parts of one installation.
                ("grpc.enable_http_proxy", 0),
                # Retries are decided above, where it is known what may be repeated.
                ("grpc.enable_retries", 0),
                ("grpc.use_local_subchannel_pool", 1),
            ),
        )
        self._stub = stub(self._channel)
        self._closed = False

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[Event, None]:
        """Raises ``StreamInterrupted`` when the connection breaks after the first event or the stream ends without a finish."""
        self._check_open()
        call = self._stub.Generate(
            requests.generate_to_proto(request), timeout=request.deadline_s, metadata=self._metadata
        )
        begun = finished = False
        try:
            async for message in call:
                begun = True
                event = event_from_proto(message)
                finished = isinstance(event, Finish)
                yield event
        except (grpc.aio.AioRpcError, asyncio.CancelledError) as failure:
            raise _error_of(failure, begun=begun) from failure
        finally:
            call.cancel()
        if not finished:
            raise StreamInterrupted("The model service ended the stream before its finish; send the request again.")

    async def embed(self, request: EmbedRequest) -> EmbedResult:
        self._check_open()
        call = self._stub.Embed(requests.embed_to_proto(request), timeout=request.deadline_s, metadata=self._metadata)
        return results.embed_result_from_proto(await _answer(call))

    async def rerank(self, request: RerankRequest) -> RerankResult:
        self._check_open()
        call = self._stub.Rerank(requests.rerank_to_proto(request), timeout=request.deadline_s, metadata=self._metadata)
        return results.rerank_result_from_proto(await _answer(call))

    async def count_tokens(self, request: GenerateRequest) -> TokenCount:
        self._check_open()
        call = self._stub.CountTokens(
            requests.generate_to_proto(request), timeout=request.deadline_s, metadata=self._metadata
        )
        return results.token_count_from_proto(await _answer(call))

    async def models(self) -> tuple[ModelInfo, ...]:
        self._check_open()
        call = self._stub.ListModels(pb.ListModelsRequest(), timeout=_LIST_MODELS_S, metadata=self._metadata)
        return results.models_from_proto(await _answer(call))

    async def analyze(self, text: AnalyzeText) -> Analysis:
        self._check_open()
        call = self._stub.Analyze(results.analyze_to_proto(text), timeout=text.deadline_s, metadata=self._metadata)
        return results.analysis_from_proto(await _answer(call))

    async def analyze_stream(
        self, texts: AsyncIterator[AnalyzeText], *, deadline_s: float | None = None
    ) -> AsyncGenerator[Analysis | AnalysisFailed, None]:
        """Results as they are finished, in any order; texts are taken from ``texts`` as the service has room for them."""
        self._check_open()
        call = self._stub.AnalyzeStream(_messages(texts), timeout=deadline_s, metadata=self._metadata)
        begun = False
        try:
            async for message in call:
                begun = True
                if message.WhichOneof("result") == "response":
                    yield results.analysis_from_proto(message.response)
                else:
                    error = message.error
                    param = error.param if error.HasField("param") else None
                    yield AnalysisFailed(message.id, error.code, error.message, param)
        except (grpc.aio.AioRpcError, asyncio.CancelledError) as failure:
            raise _error_of(failure, begun=begun) from failure
        finally:
            call.cancel()

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await self._channel.close(None)

    def _check_open(self) -> None:
        if self._closed:
            raise BackendUnavailable("The connection to the model service was closed.")


async def _messages(texts: AsyncIterator[AnalyzeText]) -> AsyncGenerator[pb.AnalyzeRequest, None]:
    async for text in texts:
        yield results.analyze_to_proto(text)


async def _answer(call: Awaitable[Answer]) -> Answer:
    try:
        return await call
    except (grpc.aio.AioRpcError, asyncio.CancelledError) as failure:
        raise _error_of(failure, begun=False) from failure


def _error_of(
    failure: grpc.aio.AioRpcError | asyncio.CancelledError, *, begun: bool
) -> SeekwayError | asyncio.CancelledError:
    """``begun``: events came already, so that a lost connection is an interruption and not an absence."""
    if isinstance(failure, asyncio.CancelledError):
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            return failure
        # The channel was closed under the call; nobody cancelled this task.
        return StreamInterrupted("The connection was closed while the answer came; send the request again.")
    status, details, metadata = failure_of(failure)
    if not any(key == CODE for key, _ in metadata):
        if begun and status in (StatusCode.UNAVAILABLE, StatusCode.INTERNAL, StatusCode.CANCELLED):
            return StreamInterrupted("The model service went away in the middle of the answer; send the request again.")
        if status is StatusCode.CANCELLED:
            # Nobody here did: a server that ends connections, not yet or no longer serving.
            return BackendUnavailable("The model service refused the call; it may be shutting down.")
    return error_of(status, details, metadata)
