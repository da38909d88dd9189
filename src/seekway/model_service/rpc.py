"""The one place that touches generated and untyped gRPC code, given its types here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Protocol, cast

import grpc
import grpc.aio
from grpc_health.v1 import (
    health_pb2,  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType] - left out of the stubs
)

from seekway.model_service.contract import model_service_pb2 as pb
from seekway.model_service.contract import model_service_pb2_grpc as generated

if TYPE_CHECKING:
    from grpc.aio import (
        Channel,
        Server,
        ServicerContext,
        StreamStreamMultiCallable,
        UnaryStreamMultiCallable,
        UnaryUnaryMultiCallable,
    )

SERVICE = "seekway.v1.ModelService"
HEALTH = "grpc.health.v1.Health"

HealthState = Literal["SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"]
_untyped_grpc = cast("Any", grpc)
_untyped_health: Any = health_pb2


class CallContext(Protocol):
    """What grpc.aio's context can do, for messages that are bytes."""

    def invocation_metadata(self) -> Sequence[tuple[str, str | bytes]] | None: ...

    def time_remaining(self) -> float | None:
        """Seconds to the caller's deadline, None without one."""
        ...

    def done(self) -> bool: ...

    async def write(self, message: bytes) -> None: ...

    def set_trailing_metadata(self, trailing_metadata: Sequence[tuple[str, str]]) -> None: ...

    async def abort(
        self, code: grpc.StatusCode, details: str, trailing_metadata: Sequence[tuple[str, str]]
    ) -> NoReturn: ...


UnaryHandler = Callable[[bytes, CallContext], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Handlers:
    """What answers the contract's methods, by name and kind."""

    unary: Mapping[str, UnaryHandler]
    answered_by_stream: Mapping[str, Callable[[bytes, CallContext], Awaitable[None]]]
    streamed_both_ways: Mapping[str, Callable[[AsyncIterator[bytes], CallContext], Awaitable[None]]]


class Stub(Protocol):
    """The client's side of the contract."""

    Generate: UnaryStreamMultiCallable[pb.GenerateRequest, pb.GenerateEvent]
    Embed: UnaryUnaryMultiCallable[pb.EmbedRequest, pb.EmbedResponse]
    Rerank: UnaryUnaryMultiCallable[pb.RerankRequest, pb.RerankResponse]
    CountTokens: UnaryUnaryMultiCallable[pb.GenerateRequest, pb.CountTokensResponse]
    Analyze: UnaryUnaryMultiCallable[pb.AnalyzeRequest, pb.AnalyzeResponse]
    AnalyzeStream: StreamStreamMultiCallable[pb.AnalyzeRequest, pb.AnalyzeResult]
    ListModels: UnaryUnaryMultiCallable[pb.ListModelsRequest, pb.ListModelsResponse]


def make_server(options: Sequence[tuple[str, int]]) -> Server:
    return _untyped_grpc.aio.server(options=options)


def stub(channel: Channel) -> Stub:
    make = cast("Callable[[Channel], Stub]", generated.ModelServiceStub)
    return make(channel)


def add_service(server: Server, handlers: Handlers) -> None:
    """The contract's service; messages are handed over as they came, no codec stands between."""
    kinds = (
        (handlers.unary, _untyped_grpc.unary_unary_rpc_method_handler),
        (handlers.answered_by_stream, _untyped_grpc.unary_stream_rpc_method_handler),
        (handlers.streamed_both_ways, _untyped_grpc.stream_stream_rpc_method_handler),
    )
    methods = {name: kind(handler) for named, kind in kinds for name, handler in named.items()}
    cast("Any", server).add_generic_rpc_handlers((_untyped_grpc.method_handlers_generic_handler(SERVICE, methods),))


def add_health(
    server: Server,
    status: Callable[[str], Awaitable[HealthState]],
    changes: Callable[[str], AsyncIterator[HealthState]],
) -> None:
    """grpc.health.v1: ``status`` answers Check for a service's name, ``changes`` streams Watch."""

    async def check(request: Any, context: ServicerContext[Any, Any]) -> Any:
        state = await status(request.service)
        if state == "SERVICE_UNKNOWN":
            await context.abort(
                grpc.StatusCode.NOT_FOUND, f"Neither a service nor a model here is called {request.service!r}."
            )
        return _untyped_health.HealthCheckResponse(status=state)

    async def watch(request: Any, context: ServicerContext[Any, Any]) -> None:
        async for state in changes(request.service):
            await context.write(_untyped_health.HealthCheckResponse(status=state))

    codecs = {
        "request_deserializer": _untyped_health.HealthCheckRequest.FromString,
        "response_serializer": _untyped_health.HealthCheckResponse.SerializeToString,
    }
    handlers = {
        "Check": _untyped_grpc.unary_unary_rpc_method_handler(check, **codecs),
        "Watch": _untyped_grpc.unary_stream_rpc_method_handler(watch, **codecs),
    }
    cast("Any", server).add_generic_rpc_handlers((_untyped_grpc.method_handlers_generic_handler(HEALTH, handlers),))


def add_reflection(server: Server) -> None:
    from grpc_reflection.v1alpha import reflection  # only servers need it, and it takes a while to import

    reflection.enable_server_reflection((SERVICE, HEALTH, reflection.SERVICE_NAME), server)


def failure_of(error: grpc.aio.AioRpcError) -> tuple[grpc.StatusCode, str, tuple[tuple[str, str | bytes], ...]]:
    """Status, details and trailing metadata of a failed call."""
    untyped = cast("Any", error)
    return untyped.code(), untyped.details() or "", tuple(untyped.trailing_metadata() or ())
