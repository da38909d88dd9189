"""The gRPC service and its client: one Backend seen through the wire."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, cast

import grpc.aio
import pytest
import structlog
from grpc_health.v1 import (
    health_pb2,  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType] - left out of the stubs
)
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (  # pyright: ignore[reportMissingModuleSource]
    ProtoReflectionDescriptorDatabase,
)
from structlog.testing import LogCapture

from seekway.core.errors import (
    ERRORS,
    BackendUnavailable,
    BodyTooLarge,
    DeadlineExceeded,
    InternalError,
    ModelFileError,
    ModelNotFound,
    OperatorError,
    Overloaded,
    SeekwayError,
    StartupError,
    StreamInterrupted,
)
from seekway.core.ports import Backend
from seekway.core.types import EmbedRequest, Event, GenerateRequest, Message, RerankRequest, TextDelta, TokenCount
from seekway.model_service.analysis import Analysis, AnalysisFailed, AnalyzeText
from seekway.model_service.analyze import Analyzer
from seekway.model_service.calls import ANALYZE_IN_FLIGHT, Calls
from seekway.model_service.client import ModelServiceBackend
from seekway.model_service.contract import model_service_pb2 as pb
from seekway.model_service.desk import OpenDesk
from seekway.model_service.rpc import HEALTH, SERVICE, failure_of
from seekway.model_service.server import ModelServer, Place
from tests.fakes.backend import HANG, FakeBackend, model_info, reply

ANALYSIS = '{"summary":"Fine.","key_points":["Fine"],"sentiment":"neutral","labels":["x"]}'
BOUND = 1 << 20


def model_server(backend: Backend, port: int = 0, log: LogCapture | None = None) -> ModelServer:
    logger = structlog.wrap_logger(
        None, processors=[log or LogCapture()], wrapper_class=structlog.make_filtering_bound_logger(0)
    )
    desk, place = OpenDesk(backend, Analyzer(backend)), Place("127.0.0.1", port)
    return ModelServer(desk, backend.models, place, max_message_bytes=BOUND, log=logger)


@asynccontextmanager
async def served(backend: Backend, log: LogCapture | None = None) -> AsyncGenerator[ModelServiceBackend, None]:
    server = model_server(backend, log=log)
    client = ModelServiceBackend(await server.start(), max_message_bytes=4 * BOUND)
    try:
        yield client
    finally:
        await client.close()
        await server.stop(0.0)


def asked(model: str = "fake", *, deadline_s: float | None = None) -> GenerateRequest:
    return GenerateRequest("1", model, prompt="hi", deadline_s=deadline_s)


async def answer(client: Backend, request: GenerateRequest | None = None) -> list[Event]:
    return [event async for event in client.generate(request or asked())]


async def test_the_client_says_what_the_backend_says() -> None:
    backend = FakeBackend()
    async with served(backend) as client:
        request = asked()
        assert await answer(client, request) == list(reply("Hel", "lo", ", ", "world", "!"))
        embed, rerank = EmbedRequest("2", "fake", ("a", "bb")), RerankRequest("3", "fake", "a", ("b", "a"))
        assert await client.embed(embed) == await backend.embed(embed)
        assert await client.rerank(rerank) == await backend.rerank(rerank)
        assert await client.models() == await backend.models()
        assert backend.requests[0] == request


async def test_tokens_are_counted_and_an_estimate_stays_one() -> None:
    backend = FakeBackend(models=(model_info("fake"), model_info("estimated")))
    async with served(backend) as client:
        words = (Message("user", "three words here"),)
        assert await client.count_tokens(GenerateRequest("1", "fake", words)) == TokenCount(3)
        assert await client.count_tokens(GenerateRequest("1", "estimated", words)) == TokenCount(3, exact=False)
        with pytest.raises(ModelNotFound):
            await client.count_tokens(GenerateRequest("1", "none", words))


@pytest.mark.parametrize(
    "kind", [kind for kind in ERRORS.values() if not issubclass(kind, OperatorError)], ids=lambda k: k.code
)
async def test_every_error_arrives_as_itself(kind: type[SeekwayError]) -> None:
    error = kind("Do 这 again.", param="模型", retry_after_s=2.0)
    async with served(FakeBackend([TextDelta("a"), error])) as client, aclosing(client.generate(asked())) as stream:
        assert await anext(stream) == TextDelta("a")
        with pytest.raises(kind) as raised:
            await anext(stream)
    assert (raised.value.message, raised.value.param, raised.value.retry_after_s) == (error.message, "模型", 2.0)


async def test_errors_of_calls_without_a_stream_arrive_too() -> None:
    async with served(FakeBackend(error=Overloaded("busy", retry_after_s=1.0))) as client:
        for call in (
            client.embed(EmbedRequest("1", "fake", ("a",))),
            client.models(),
            client.analyze(AnalyzeText("1", "x", "fake")),
        ):
            with pytest.raises(Overloaded, match="busy"):
                await call
    async with served(FakeBackend()) as client:
        with pytest.raises(ModelNotFound):
            await client.rerank(RerankRequest("1", "other", "q", ("d",)))


@pytest.mark.parametrize("secret", [ModelFileError("/home/someone/model.gguf is broken."), ZeroDivisionError("secret")])
async def test_what_concerns_only_the_operator_is_logged_and_not_sent(secret: Exception) -> None:
    class Broken(FakeBackend):
        async def embed(self, request: EmbedRequest) -> Any:
            raise secret

    log = LogCapture()
    async with served(Broken(), log) as client:
        with pytest.raises(InternalError) as shown:
            await client.embed(EmbedRequest("1", "fake", ("a",)))
    assert str(secret) not in shown.value.message
    assert log.entries[0]["exc_info"] is secret


async def test_closing_the_stream_cancels_the_work() -> None:
    backend = FakeBackend([TextDelta("a"), HANG])
    async with served(backend) as client:
        stream = client.generate(asked())
        await anext(stream)
        await stream.aclose()
        await asyncio.wait_for(backend.idle.wait(), 5)
        assert backend.cancelled == 1


async def test_cancelling_the_callers_task_cancels_the_work() -> None:
    backend = FakeBackend([HANG])
    async with served(backend) as client:
        waiting = asyncio.ensure_future(answer(client))
        await asyncio.wait_for(backend.started.wait(), 5)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.wait_for(backend.idle.wait(), 5)
        assert backend.cancelled == 1


async def test_the_deadline_reaches_the_backend_and_ends_the_work() -> None:
    backend = FakeBackend([TextDelta("a"), HANG])
    async with served(backend) as client:
        with pytest.raises(DeadlineExceeded):
            await answer(client, asked(deadline_s=0.3))
        await asyncio.wait_for(backend.idle.wait(), 5)
        (request,) = backend.requests
        # gRPC rounds what is left; all that counts is that it is this call's and not the server's own bound.
        assert request.deadline_s is not None
        assert 0 < request.deadline_s < 5
        assert backend.cancelled == 1


async def test_many_streams_are_in_flight_at_once() -> None:
    gate = asyncio.Event()
    backend = FakeBackend([TextDelta("a"), gate, *reply("b")])
    async with served(backend) as client:
        streams = [client.generate(asked()) for _ in range(100)]
        assert [await anext(stream) for stream in streams] == [TextDelta("a")] * 100
        assert backend.running == 100
        gate.set()
        for stream in streams:
            assert [event async for event in stream] == list(reply("b"))


async def test_a_server_that_is_away_is_said_at_once_and_found_again() -> None:
    first = model_server(FakeBackend())
    address = await first.start()
    client = ModelServiceBackend(address)
    second = model_server(FakeBackend(), port=int(address.rpartition(":")[2]))
    try:
        assert await answer(client)
        await first.stop(0.0)
        with pytest.raises(BackendUnavailable) as away:
            await answer(client)
        assert away.value.retry_after_s is not None
        await second.start()
        async with asyncio.timeout(20):
            while True:
                try:
                    assert await answer(client)
                    break
                except BackendUnavailable:
                    await asyncio.sleep(0.05)
    finally:
        await client.close()
        await second.stop(0.0)


async def test_a_stream_broken_in_the_middle_is_an_interruption() -> None:
    server = model_server(FakeBackend([TextDelta("a"), HANG]))
    client = ModelServiceBackend(await server.start())
    stream = client.generate(asked())
    assert await anext(stream) == TextDelta("a")
    stopping = asyncio.ensure_future(server.stop(0.0))
    with pytest.raises(StreamInterrupted):
        await anext(stream)
    await stopping
    await client.close()


async def test_a_stream_without_a_finish_is_an_interruption() -> None:
    async with served(FakeBackend([TextDelta("a")])) as client:
        with pytest.raises(StreamInterrupted):
            await answer(client)


async def test_draining_lets_running_streams_finish() -> None:
    gate = asyncio.Event()
    server = model_server(FakeBackend([TextDelta("a"), gate, *reply("b")]))
    client = ModelServiceBackend(await server.start())
    stream = client.generate(asked())
    await anext(stream)
    stopping = asyncio.ensure_future(server.stop(10.0))
    await asyncio.sleep(0)
    gate.set()
    assert [event async for event in stream] == list(reply("b"))
    await stopping
    await client.close()
    with pytest.raises(BackendUnavailable):
        await answer(client)


async def test_a_message_over_the_bound_is_refused_and_the_next_call_served() -> None:
    async with served(FakeBackend()) as client:
        with pytest.raises(BodyTooLarge):
            await client.embed(EmbedRequest("1", "fake", ("x" * (BOUND + 1),)))
        assert (await client.embed(EmbedRequest("1", "fake", ("x",)))).dimensions == 4


async def test_a_taken_port_is_one_clear_error(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StartupError, match=f"127.0.0.1:{port}"):
            await model_server(FakeBackend(), port).start()
    assert capfd.readouterr().err == ""


async def health_of(channel: grpc.aio.Channel, service: str) -> str:
    untyped: Any = health_pb2
    check = cast("Any", channel).unary_unary(
        f"/{HEALTH}/Check", untyped.HealthCheckRequest.SerializeToString, untyped.HealthCheckResponse.FromString
    )
    response = await check(untyped.HealthCheckRequest(service=service))
    return untyped.HealthCheckResponse.ServingStatus.Name(response.status)


async def test_health_is_the_models_own() -> None:
    backend = FakeBackend()
    server = model_server(backend)
    async with grpc.aio.insecure_channel(await server.start()) as channel:
        assert [await health_of(channel, name) for name in ("", SERVICE, "fake", "fake@1")] == ["SERVING"] * 4
        with pytest.raises(grpc.aio.AioRpcError):
            await health_of(channel, "unheard of")
        backend.error = BackendUnavailable("away")
        assert await health_of(channel, "") == "NOT_SERVING"
    await server.stop(0.0)


async def test_a_watcher_sees_the_drain() -> None:
    untyped: Any = health_pb2
    server = model_server(FakeBackend())
    async with grpc.aio.insecure_channel(await server.start()) as channel:
        watch = cast("Any", channel).unary_stream(
            f"/{HEALTH}/Watch", untyped.HealthCheckRequest.SerializeToString, untyped.HealthCheckResponse.FromString
        )
        states = aiter(watch(untyped.HealthCheckRequest()))
        seen = [(await anext(states)).status]
        stopping = asyncio.ensure_future(server.stop(5.0))
        seen.append((await anext(states)).status)
        await stopping
    assert seen == [untyped.HealthCheckResponse.SERVING, untyped.HealthCheckResponse.NOT_SERVING]


async def test_reflection_describes_the_contract() -> None:
    server = model_server(FakeBackend())
    address = await server.start()

    def described() -> tuple[list[str], list[str]]:
        untyped = cast("Any", grpc)
        with untyped.insecure_channel(address) as channel:
            database = cast("Any", ProtoReflectionDescriptorDatabase)(channel)
            file = database.FindFileContainingSymbol(SERVICE)
            return list(database.get_services()), [method.name for method in file.service[0].method]

    services, methods = await asyncio.to_thread(described)
    assert {SERVICE, HEALTH} <= set(services)
    assert methods == ["Generate", "Embed", "Rerank", "CountTokens", "Analyze", "AnalyzeStream", "ListModels"]
    await server.stop(0.0)


async def test_analyze_answers_one_text() -> None:
    async with served(FakeBackend(reply(ANALYSIS))) as client:
        analysis = await client.analyze(AnalyzeText("a", "A text.", "fake"))
    assert (analysis.id, analysis.summary, analysis.sentiment, analysis.model) == ("a", "Fine.", "neutral", "fake")


async def test_an_analysis_stream_answers_each_text_and_a_bad_one_does_not_end_it() -> None:
    async def texts() -> AsyncIterator[AnalyzeText]:
        for number in range(40):
            yield AnalyzeText(str(number), " " if number == 3 else "A text.", "fake")

    async with served(FakeBackend(reply(ANALYSIS))) as client:
        found = {result.id: result async for result in client.analyze_stream(texts())}
    assert set(found) == {str(number) for number in range(40)}
    failed = found.pop("3")
    assert isinstance(failed, AnalysisFailed)
    assert (failed.code, failed.param) == ("invalid_parameter", "text")
    assert all(isinstance(result, Analysis) for result in found.values())


async def test_results_come_as_they_are_finished_and_reading_ahead_is_bounded() -> None:
    gate = asyncio.Event()
    backend = FakeBackend(lambda request: reply(ANALYSIS) if request.id == "quick" else [gate, *reply(ANALYSIS)])

    async def texts() -> AsyncIterator[AnalyzeText]:
        for number in range(ANALYZE_IN_FLIGHT - 1):
            yield AnalyzeText(f"slow {number}", "A text.", "fake")
        yield AnalyzeText("quick", "A text.", "fake")
        for number in range(50):
            yield AnalyzeText(f"late {number}", "A text.", "fake")

    async with served(backend) as client, aclosing(client.analyze_stream(texts())) as results:
        assert (await anext(results)).id == "quick"
        assert backend.running <= ANALYZE_IN_FLIGHT
        gate.set()
        assert len([result async for result in results]) == ANALYZE_IN_FLIGHT - 1 + 50


async def test_leaving_an_analysis_stream_stops_its_work() -> None:
    backend = FakeBackend([HANG])

    async def texts() -> AsyncIterator[AnalyzeText]:
        for number in range(5):
            yield AnalyzeText(str(number), "A text.", "fake")

    async with served(backend) as client:
        waiting = asyncio.ensure_future(anext(client.analyze_stream(texts())))
        await asyncio.wait_for(backend.started.wait(), 5)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.wait_for(backend.idle.wait(), 5)


@pytest.mark.parametrize("method", ["Generate", "Embed", "Rerank", "CountTokens", "Analyze", "AnalyzeStream"])
async def test_bytes_that_are_no_message_are_the_callers_mistake(method: str) -> None:
    log = LogCapture()
    server = model_server(FakeBackend(), log=log)
    async with grpc.aio.insecure_channel(await server.start()) as channel:
        untyped, path, garbage = cast("Any", channel), f"/{SERVICE}/{method}", b"\xff\xff\xff\xff"
        answers = {
            "AnalyzeStream": lambda: untyped.stream_stream(path)(iter([garbage])).read(),
            "Generate": lambda: untyped.unary_stream(path)(garbage).read(),
        }
        answer = answers.get(method, lambda: untyped.unary_unary(path)(garbage))
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await answer()
    code, details, metadata = failure_of(raised.value)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "proto/seekway/v1/model_service.proto" in details
    assert ("seekway-code", "invalid_request_error") in metadata
    assert log.entries == []
    await server.stop(0.0)


def test_every_method_of_the_contract_is_answered() -> None:
    handlers = Calls(OpenDesk(FakeBackend(), Analyzer(FakeBackend())), structlog.get_logger()).handlers()
    answered = {*handlers.unary, *handlers.answered_by_stream, *handlers.streamed_both_ways}
    assert answered == set(pb.DESCRIPTOR.services_by_name["ModelService"].methods_by_name)
