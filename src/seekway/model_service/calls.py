"""The contract's calls over what a desk brings, with one edge at which every failure becomes a status with its code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar, cast

from google.protobuf.message import DecodeError, Message
from structlog.typing import FilteringBoundLogger

from seekway.core.errors import (
    Cancelled,
    DeadlineExceeded,
    InternalError,
    InvalidRequest,
    OperatorError,
    SeekwayError,
)
from seekway.core.streaming import closing
from seekway.model_service import status
from seekway.model_service.contract import model_service_pb2 as pb
from seekway.model_service.desk import Desk, Visit
from seekway.model_service.rpc import SERVICE, CallContext, Handlers, UnaryHandler
from seekway.model_service.translate import requests, results
from seekway.model_service.translate.events import event_to_proto

ANALYZE_IN_FLIGHT = 16
"""Texts of one AnalyzeStream that are read ahead; a client that sends more waits."""
_NO_TIME_S = 0.01

Asked = TypeVar("Asked", bound=Message)


class Calls:
    """Messages come and go as bytes: what cannot be read is then the call's failure like any other, and not gRPC's ``UNKNOWN``."""

    def __init__(self, desk: Desk, log: FilteringBoundLogger) -> None:
        self._desk = desk
        self._log = log

    def handlers(self) -> Handlers:
        return Handlers(
            unary={
                "Embed": self._unary("Embed", pb.EmbedRequest, _embed),
                "Rerank": self._unary("Rerank", pb.RerankRequest, _rerank),
                "CountTokens": self._unary("CountTokens", pb.GenerateRequest, _count_tokens),
                "Analyze": self._unary("Analyze", pb.AnalyzeRequest, _analyze),
                "ListModels": self._unary("ListModels", pb.ListModelsRequest, _list_models),
            },
            answered_by_stream={"Generate": self._generate},
            streamed_both_ways={"AnalyzeStream": self._analyze_stream},
        )

    def _unary(
        self,
        method: str,
        kind: type[Asked],
        answer: Callable[[Visit, Asked, float | None], Awaitable[Message]],
    ) -> UnaryHandler:
        async def handle(raw: bytes, context: CallContext) -> bytes:
            async with self._visit(method, context) as visit:
                answered = await answer(visit, _read(kind, raw), context.time_remaining())
                return answered.SerializeToString()
            return b""  # the caller is gone

        return handle

    async def _generate(self, raw: bytes, context: CallContext) -> None:
        async with self._visit("Generate", context) as visit:
            wanted = requests.generate_from_proto(_read(pb.GenerateRequest, raw), context.time_remaining())
            # A client that cancels, or its deadline, cancels this task, and leaving the block closes the stream.
            async with closing(visit.backend.generate(wanted)) as events:
                async for event in events:
                    await context.write(event_to_proto(event).SerializeToString())

    async def _analyze_stream(self, texts: AsyncIterator[bytes], context: CallContext) -> None:
        """A text that fails is answered as failed, and one that cannot be read ends the call: its id is not known."""
        slots = asyncio.Semaphore(ANALYZE_IN_FLIGHT)
        writing = asyncio.Lock()  # gRPC allows one write of a call at a time

        async def one(visit: Visit, message: pb.AnalyzeRequest) -> None:
            try:
                result = await self._analyze_one(visit, message, context)
                async with writing:
                    await context.write(result.SerializeToString())
            finally:
                slots.release()

        async with self._visit("AnalyzeStream", context) as visit, asyncio.TaskGroup() as group:
            async for raw in texts:
                await slots.acquire()
                group.create_task(one(visit, _read(pb.AnalyzeRequest, raw)))

    async def _analyze_one(self, stream: Visit, message: pb.AnalyzeRequest, context: CallContext) -> pb.AnalyzeResult:
        visit = stream.text()
        try:
            response = await _analyze(visit, message, context.time_remaining())
        except asyncio.CancelledError:
            visit.ended(_gone(context))
            raise
        except Exception as error:  # noqa: BLE001 - the process's edge: one text must not end the others
            shown = self._for_client(error, visit)
            visit.ended(shown)
            failure = pb.AnalyzeError(code=shown.code, message=shown.message, param=shown.param)
            return pb.AnalyzeResult(id=message.id, error=failure)
        visit.ended(None)
        return pb.AnalyzeResult(id=message.id, response=response)

    @asynccontextmanager
    async def _visit(self, method: str, context: CallContext) -> AsyncGenerator[Visit, None]:
        """Every call's edge. What fails within ends the call with its status; nobody is told when the caller is gone."""
        visit = self._desk.open(f"/{SERVICE}/{method}", context.invocation_metadata() or (), context.time_remaining)
        shown: SeekwayError | None = None
        try:
            visit.admit()
            yield visit
        except asyncio.CancelledError:
            visit.ended(_gone(context))
            raise
        except Exception as error:  # noqa: BLE001 - the process's edge
            shown = self._for_client(error, visit)
        visit.ended(shown)
        if context.done():
            return
        if shown is None:
            context.set_trailing_metadata(visit.trailing())
            return
        metadata = (*status.metadata_of(shown), *visit.trailing())
        await context.abort(status.status_of(shown), status.details_of(shown), metadata)

    def _for_client(self, failure: Exception, visit: Visit) -> SeekwayError:
        error = _first(failure)
        if isinstance(error, SeekwayError) and not isinstance(error, OperatorError):
            if isinstance(error, InternalError) and error.__cause__ is not None:
                self._log.error("call_failed", request_id=visit.request_id, exc_info=error.__cause__)
            return error
        self._log.error("call_failed", request_id=visit.request_id, exc_info=error)
        return InternalError("This call failed for a reason of ours; the log says why.")


def _first(error: Exception) -> Exception:
    """A task group's first failure is the call's."""
    if isinstance(error, ExceptionGroup):
        return _first(cast("ExceptionGroup[Exception]", error).exceptions[0])
    return error


async def _embed(visit: Visit, message: pb.EmbedRequest, left_s: float | None) -> pb.EmbedResponse:
    return results.embed_result_to_proto(await visit.backend.embed(requests.embed_from_proto(message, left_s)))


async def _rerank(visit: Visit, message: pb.RerankRequest, left_s: float | None) -> pb.RerankResponse:
    return results.rerank_result_to_proto(await visit.backend.rerank(requests.rerank_from_proto(message, left_s)))


async def _count_tokens(visit: Visit, message: pb.GenerateRequest, left_s: float | None) -> pb.CountTokensResponse:
    wanted = requests.generate_from_proto(message, left_s)
    return results.token_count_to_proto(await visit.backend.count_tokens(wanted))


async def _analyze(visit: Visit, message: pb.AnalyzeRequest, left_s: float | None) -> pb.AnalyzeResponse:
    return results.analysis_to_proto(await visit.analyzer.analyze(results.analyze_from_proto(message, left_s)))


async def _list_models(visit: Visit, message: pb.ListModelsRequest, left_s: float | None) -> pb.ListModelsResponse:
    return results.models_to_proto(await visit.backend.models())


def _read(kind: type[Asked], raw: bytes) -> Asked:
    """Raises ``InvalidRequest`` for what is no message of this kind."""
    message = kind()
    try:
        message.ParseFromString(raw)
    except DecodeError as error:
        name = message.DESCRIPTOR.full_name
        raise InvalidRequest(f"This is no {name} of proto/seekway/v1/model_service.proto; encode it as one.") from error
    return message


def _gone(context: CallContext) -> SeekwayError:
    """Why gRPC ended a call over the caller's head."""
    left = context.time_remaining()
    if left is not None and left <= _NO_TIME_S:
        return DeadlineExceeded("The answer was not finished within the call's deadline.")
    return Cancelled("The call was cancelled.")
