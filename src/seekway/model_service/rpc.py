"""The one place that touches generated and untyped gRPC code, given its types here."""

# ruff: noqa: N802 - the method names are the contract's

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

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


class Servicer(Protocol):
    """What answers the calls."""

    async def Generate(
        self, request: pb.GenerateRequest, context: ServicerContext[pb.GenerateRequest, pb.GenerateEvent]
    ) -> None: ...

    async def Embed(
        self, request: pb.EmbedRequest, context: ServicerContext[pb.EmbedRequest, pb.EmbedResponse]
    ) -> pb.EmbedResponse: ...

    async def Rerank(
        self, request: pb.RerankRequest, context: ServicerContext[pb.RerankRequest, pb.RerankResponse]
    ) -> pb.RerankResponse: ...

    async def CountTokens(
        self, request: pb.GenerateRequest, context: ServicerContext[pb.GenerateRequest, pb.CountTokensResponse]
    ) -> pb.CountTokensResponse: ...

    async def Analyze(
        self, request: pb.AnalyzeRequest, context: ServicerContext[pb.AnalyzeRequest, pb.AnalyzeResponse]
    ) -> pb.AnalyzeResponse: ...

    async def AnalyzeStream(
        self,
        request_iterator: AsyncIterator[pb.AnalyzeRequest],
        context: ServicerContext[pb.AnalyzeRequest, pb.AnalyzeResult],
    ) -> None: ...

    async def ListModels(
        self, request: pb.ListModelsRequest, context: ServicerContext[pb.ListModelsRequest, pb.ListModelsResponse]
    ) -> pb.ListModelsResponse: ...


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


def add_service(server: Server, servicer: Servicer) -> None:
    add = cast("Any", generated).add_ModelServiceServicer_to_server
    add(servicer, server)


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
