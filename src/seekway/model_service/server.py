"""The gRPC server: the contract over any Backend, with health and reflection."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from structlog.typing import FilteringBoundLogger

from seekway.core.errors import InternalError, OperatorError, SeekwayError, StartupError
from seekway.core.ports import Backend
from seekway.core.streaming import closing
from seekway.model_service import status
from seekway.model_service.analyze import Analyzer
from seekway.model_service.contract import model_service_pb2 as pb
from seekway.model_service.health import Health
from seekway.model_service.rpc import add_health, add_reflection, add_service, make_server
from seekway.model_service.translate import requests, results
from seekway.model_service.translate.events import event_to_proto

if TYPE_CHECKING:
    from grpc.aio import Server, ServicerContext

ANALYZE_IN_FLIGHT = 16
"""Texts of one AnalyzeStream that are read ahead; a client that sends more waits."""


class ModelServer:
    """Serves ``backend`` on one address. The backend is the caller's to close, after :meth:`stop`."""

    def __init__(
        self,
        backend: Backend,
        analyzer: Analyzer,
        *,
        host: str,
        port: int,
        max_message_bytes: int,
        log: FilteringBoundLogger,
    ) -> None:
        self._backend = backend
        self._analyzer = analyzer
        self._host = host
        self._port = port
        self._max_message_bytes = max_message_bytes
        self._log = log
        self._health = Health(backend)
        self._server: Server | None = None

    async def start(self) -> str:
        """Bind exactly the address given, serve, and return it as ``host:port``; raises ``StartupError`` when it is taken."""
        _check_free(self._host, self._port)
        server = make_server(
            options=(
                ("grpc.max_receive_message_length", self._max_message_bytes),
                ("grpc.max_send_message_length", self._max_message_bytes),
                # Two servers on one port would each get half of the calls.
                ("grpc.so_reuseport", 0),
            )
        )
        add_service(server, _Calls(self._backend, self._analyzer, self._log))
        add_health(server, self._health.status, self._health.changes)
        add_reflection(server)
        host = f"[{self._host}]" if ":" in self._host else self._host
        try:
            port = server.add_insecure_port(f"{host}:{self._port}")
        except RuntimeError as error:
            raise _taken(self._host, self._port, str(error)) from error
        await server.start()
        self._server = server
        return f"{host}:{port}"

    async def stop(self, drain_s: float, hurry: asyncio.Event | None = None) -> None:
        """Take no new call, let running ones finish for ``drain_s`` or until ``hurry`` is set, cancel the rest."""
        self._health.drain()
        if self._server is None:
            return
        server, self._server = self._server, None
        loop = asyncio.get_running_loop()
        draining = loop.create_task(server.stop(drain_s))  # held here until it is done
        hurried = loop.create_task((hurry or asyncio.Event()).wait())
        try:
            await asyncio.wait((draining, hurried), return_when=asyncio.FIRST_COMPLETED)
            if not draining.done():
                await server.stop(0.0)
            await draining
        finally:
            hurried.cancel()


class _Calls:
    """The contract's calls; every failure leaves as a status with its code."""

    def __init__(self, backend: Backend, analyzer: Analyzer, log: FilteringBoundLogger) -> None:
        self._backend = backend
        self._analyzer = analyzer
        self._log = log

    async def Generate(  # noqa: N802 - the contract's name
        self, request: pb.GenerateRequest, context: ServicerContext[pb.GenerateRequest, pb.GenerateEvent]
    ) -> None:
        try:
            wanted = requests.generate_from_proto(request, context.time_remaining())
            # A client that cancels, or its deadline, cancels this task, and leaving the block closes the stream.
            async with closing(self._backend.generate(wanted)) as events:
                async for event in events:
                    await context.write(event_to_proto(event))
        except Exception as error:  # noqa: BLE001 - the process's edge
            await self._abort(context, error)

    async def Embed(  # noqa: N802
        self, request: pb.EmbedRequest, context: ServicerContext[pb.EmbedRequest, pb.EmbedResponse]
    ) -> pb.EmbedResponse:
        try:
            wanted = requests.embed_from_proto(request, context.time_remaining())
            return results.embed_result_to_proto(await self._backend.embed(wanted))
        except Exception as error:  # noqa: BLE001 - the process's edge
            return await self._abort(context, error)

    async def Rerank(  # noqa: N802
        self, request: pb.RerankRequest, context: ServicerContext[pb.RerankRequest, pb.RerankResponse]
    ) -> pb.RerankResponse:
        try:
            wanted = requests.rerank_from_proto(request, context.time_remaining())
            return results.rerank_result_to_proto(await self._backend.rerank(wanted))
        except Exception as error:  # noqa: BLE001 - the process's edge
            return await self._abort(context, error)

    async def CountTokens(  # noqa: N802
        self, request: pb.GenerateRequest, context: ServicerContext[pb.GenerateRequest, pb.CountTokensResponse]
    ) -> pb.CountTokensResponse:
        try:
            wanted = requests.generate_from_proto(request, context.time_remaining())
            return results.token_count_to_proto(await self._backend.count_tokens(wanted))
        except Exception as error:  # noqa: BLE001 - the process's edge
            return await self._abort(context, error)

    async def Analyze(  # noqa: N802
        self, request: pb.AnalyzeRequest, context: ServicerContext[pb.AnalyzeRequest, pb.AnalyzeResponse]
    ) -> pb.AnalyzeResponse:
        try:
            wanted = results.analyze_from_proto(request, context.time_remaining())
            return results.analysis_to_proto(await self._analyzer.analyze(wanted))
        except Exception as error:  # noqa: BLE001 - the process's edge
            return await self._abort(context, error)

    async def AnalyzeStream(  # noqa: N802
        self,
        request_iterator: AsyncIterator[pb.AnalyzeRequest],
        context: ServicerContext[pb.AnalyzeRequest, pb.AnalyzeResult],
    ) -> None:
        slots = asyncio.Semaphore(ANALYZE_IN_FLIGHT)
        writing = asyncio.Lock()  # gRPC allows one write of a call at a time

        async def one(message: pb.AnalyzeRequest) -> None:
            try:
                result = await self._analyze_one(message, context.time_remaining())
                async with writing:
                    await context.write(result)
            finally:
                slots.release()

        try:
            async with asyncio.TaskGroup() as group:
                async for message in request_iterator:
                    await slots.acquire()
                    group.create_task(one(message))
        except Exception as error:  # noqa: BLE001 - the process's edge
            await self._abort(context, error)

    async def ListModels(  # noqa: N802
        self, request: pb.ListModelsRequest, context: ServicerContext[pb.ListModelsRequest, pb.ListModelsResponse]
    ) -> pb.ListModelsResponse:
        try:
            return results.models_to_proto(await self._backend.models())
        except Exception as error:  # noqa: BLE001 - the process's edge
            return await self._abort(context, error)

    async def _analyze_one(self, message: pb.AnalyzeRequest, deadline_s: float | None) -> pb.AnalyzeResult:
        try:
            analysis = await self._analyzer.analyze(results.analyze_from_proto(message, deadline_s))
            return pb.AnalyzeResult(id=message.id, response=results.analysis_to_proto(analysis))
        except Exception as error:  # noqa: BLE001 - the process's edge: one text must not end the others
            shown = self._for_client(error)
            failure = pb.AnalyzeError(code=shown.code, message=shown.message, param=shown.param)
            return pb.AnalyzeResult(id=message.id, error=failure)

    async def _abort(self, context: ServicerContext[Any, Any], error: Exception) -> Any:
        """End the call with the error's status; returns never, unless the client is gone and nobody is to be told."""
        if context.done():
            return
        shown = self._for_client(error)
        await context.abort(status.status_of(shown), status.details_of(shown), status.metadata_of(shown))

    def _for_client(self, error: Exception) -> SeekwayError:
        if isinstance(error, SeekwayError) and not isinstance(error, OperatorError):
            return error
        self._log.error("a call failed", exc_info=error)
        return InternalError("The model service failed on this request; its log says why.")


def _check_free(host: str, port: int) -> None:
    """Say that a port is taken in our words, before gRPC's core prints its own to the terminal."""
    if port == 0:
        return
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise _taken(host, port, error.strerror or str(error)) from error


def _taken(host: str, port: int, reason: str) -> StartupError:
    return StartupError(
        f"The model service cannot listen on {host}:{port} ({reason}); "
        "stop what uses the port, or choose another with SEEKWAY_MODEL_SERVICE__PORT.",
        param="model_service.port",
    )
