"""A gRPC client at the gateway gets what an HTTP client gets: models, keys, limits, deadlines, records and a drain."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import grpc.aio
import msgspec
import pytest
from grpc_health.v1 import (
    health_pb2,  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType] - left out of the stubs
)
from prometheus_client import CollectorRegistry, generate_latest

from seekway.core.errors import (
    AuthenticationFailed,
    BackendUnavailable,
    BodyTooLarge,
    DeadlineExceeded,
    InternalError,
    ModelNotFound,
    RateLimited,
    StreamInterrupted,
)
from seekway.core.sections.gateway import GatewaySettings
from seekway.core.sections.guardrails import GuardrailSettings
from seekway.core.sections.log import LogSettings
from seekway.core.settings import Settings
from seekway.core.types import (
    EmbedRequest,
    Event,
    Finish,
    GenerateRequest,
    Message,
    RerankRequest,
    TextDelta,
    TokenCount,
    Usage,
)
from seekway.gateway.authentication import Authenticator
from seekway.gateway.drain import Drain
from seekway.gateway.front import Front
from seekway.gateway.grpc_front import GrpcFront
from seekway.gateway.model_call import CallServices
from seekway.gateway.operations.table import model_routes
from seekway.gateway.request_ledger import RequestLedger
from seekway.model_service.analysis import Analysis, AnalysisFailed, AnalyzeText
from seekway.model_service.client import ModelServiceBackend
from seekway.model_service.contract import model_service_pb2 as pb
from seekway.model_service.rpc import HEALTH, SERVICE
from seekway.model_service.server import Place
from seekway.observability.access_log import AccessLog
from seekway.observability.logging import make_logger
from seekway.observability.metrics import Metrics
from seekway.pipeline.assembly import build_pipeline
from seekway.pipeline.directory import Member
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.lasting_parts import LastingParts
from seekway.pipeline.stages.resolve_alias import ResolveAlias
from tests.fakes.backend import HANG, FakeBackend, Step, model_info, reply
from tests.integration.gateway.served import key_table

GENERATE, ANALYZE, ANALYZE_STREAM = (f"/{SERVICE}/{name}" for name in ("Generate", "Analyze", "AnalyzeStream"))
ANALYSIS = '{"summary":"Fine.","key_points":["Fine"],"sentiment":"neutral","labels":["x"]}'
REQUEST = GenerateRequest("1", "fake", (Message("user", "hi"),))
HELLO = list(reply("Hel", "lo", ", ", "world", "!"))


@pytest.fixture(autouse=True)
def way() -> None:
    """HTTP's two ways are not this one."""


class Line(msgspec.Struct):
    """What these tests read of an access log's line."""

    event: str
    method: str = ""
    path: str = ""
    status: int = 0
    request_id: str = ""
    model: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    error_type: str = ""


@dataclass
class Served:
    address: str
    client: ModelServiceBackend
    front: Front
    grpc: GrpcFront
    metrics: Metrics
    access_log: AccessLog
    out: io.StringIO

    def lines(self) -> list[Line]:
        self.access_log.flush()
        lines = [msgspec.json.decode(line, type=Line) for line in self.out.getvalue().splitlines()]
        return [line for line in lines if line.event == "request"]

    async def last(self, count: int = 1) -> list[Line]:
        """The lines once nothing is in flight and there are ``count``."""
        async with asyncio.timeout(10):
            await self.front.ledger.drain.wait_idle()
        lines = self.lines()
        assert len(lines) == count, lines
        return lines


@asynccontextmanager
async def serving(
    backend: FakeBackend | None = None,
    gateway: GatewaySettings | None = None,
    *,
    keys: str | None = None,
    key: str | None = None,
) -> AsyncGenerator[Served]:
    # What the guardrails hold back has tests of its own; these look at every delta.
    guardrails = GuardrailSettings(enabled=False)
    settings = Settings(gateway=gateway or GatewaySettings(), aliases={"short": "fake"}, guardrails=guardrails)
    metrics, drain, out = Metrics(CollectorRegistry()), Drain(), io.StringIO()
    log_settings = LogSettings(level="info", format="json")
    logger, access_log = make_logger(log_settings, out), AccessLog(log_settings, out)
    members, loop = [Member("own", backend or FakeBackend())], asyncio.get_running_loop()
    pipeline = build_pipeline(settings, members, LastingParts(settings, logger), loop)
    services = CallServices(settings.gateway, pipeline, Authenticator(key_table(keys)), drain, logger)
    front = Front(services, model_routes(), RequestLedger(drain, metrics, access_log), logger)
    served = GrpcFront(front, Place("127.0.0.1", 0), drain_s=10)
    try:
        address = served.bind()
        client = ModelServiceBackend(address, api_key=key)
        async with asyncio.timeout(30), front.serving(), served.serving():
            await front.services.pipeline.routes.refresh()
            try:
                yield Served(address, client, front, served, metrics, access_log, out)
            finally:
                await client.close()
    finally:
        await served.close()


async def answer(client: ModelServiceBackend, request: GenerateRequest = REQUEST) -> list[Event]:
    return [event async for event in client.generate(request)]


def text_of(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def test_a_stream_comes_through_the_pipeline_and_is_recorded() -> None:
    async with serving() as served:
        events = await answer(served.client, msgspec.structs.replace(REQUEST, model="short"))
        assert (text_of(events), events[-2:]) == ("Hello, world!", HELLO[-2:])
        (line,) = await served.last()
        assert (line.method, line.path, line.status, line.model) == ("GRPC", GENERATE, 200, "fake")
        assert (line.prompt_tokens, line.completion_tokens, line.error_type) == (7, 5, "")
        figures = generate_latest(served.metrics.registry).decode()
        assert f'seekway_http_requests_total{{route="{GENERATE}",status="200"}} 1.0' in figures
        assert 'seekway_tokens_total{model="fake",type="output"} 5.0' in figures


async def test_the_other_calls_answer_as_the_backend_does() -> None:
    backend = FakeBackend()
    async with serving(backend) as served:
        embed, rerank = EmbedRequest("2", "fake", ("a", "bb")), RerankRequest("3", "fake", "a", ("b", "a"))
        assert await served.client.embed(embed) == await backend.embed(embed)
        assert await served.client.rerank(rerank) == await backend.rerank(rerank)
        assert await served.client.models() == await backend.models()
        assert await served.client.count_tokens(REQUEST) == TokenCount(1)
        paths = [line.path.rpartition("/")[2] for line in await served.last(4)]
        assert paths == ["Embed", "Rerank", "ListModels", "CountTokens"]


async def test_an_unknown_model_is_not_found() -> None:
    async with serving() as served:
        for call in (
            answer(served.client, GenerateRequest("1", "none", prompt="hi")),
            served.client.embed(EmbedRequest("1", "none", ("a",))),
        ):
            with pytest.raises(ModelNotFound, match="ask for one of: fake"):
                await call
        assert [(line.status, line.error_type) for line in await served.last(2)] == [(404, "model_not_found")] * 2


async def test_only_a_known_key_is_let_in() -> None:
    backend = FakeBackend()
    async with serving(backend, keys="right", key="right") as served:
        assert await answer(served.client)
        for wrong in (None, "wrong"):
            other = ModelServiceBackend(served.address, api_key=wrong)
            for call in (
                answer(other),
                other.models(),
                other.embed(EmbedRequest("1", "fake", ("a",))),
                other.analyze(AnalyzeText("1", "x", "fake")),
                anext(other.analyze_stream(_texts("a"))),
            ):
                with pytest.raises(AuthenticationFailed):
                    await call
            await other.close()
        async with grpc.aio.insecure_channel(served.address) as channel:
            ask = cast("Any", channel).unary_unary(f"/{SERVICE}/ListModels", None, pb.ListModelsResponse.FromString)
            listed = await ask(b"", metadata=(("x-api-key", "right"), ("x-request-id", "mine")))
            assert [info.id for info in listed.models] == ["fake"]
        assert len(backend.requests) == 1
        lines = await served.last(12)
        assert [line.status for line in lines] == [200, *[401] * 10, 200]
        assert lines[-1].request_id == "mine"


async def test_a_client_that_cancels_frees_the_backend() -> None:
    backend = FakeBackend([TextDelta("a"), HANG])
    async with serving(backend) as served:
        async with aclosing(served.client.generate(REQUEST)) as stream:
            assert await anext(stream) == TextDelta("a")
        await asyncio.wait_for(backend.idle.wait(), 5)
        assert backend.cancelled == 1
        (line,) = await served.last()
        assert (line.status, line.error_type) == (499, "cancelled")


@pytest.mark.parametrize("whose", ["client", "gateway"])
async def test_a_deadline_ends_the_work(whose: str) -> None:
    backend = FakeBackend([TextDelta("a"), HANG])
    bound = GatewaySettings(request_timeout_s=0.3) if whose == "gateway" else GatewaySettings()
    async with serving(backend, bound) as served:
        request = msgspec.structs.replace(REQUEST, deadline_s=0.3 if whose == "client" else 20)
        with pytest.raises(DeadlineExceeded):
            await answer(served.client, request)
        await asyncio.wait_for(backend.idle.wait(), 5)
        asked = backend.requests[0]
        assert isinstance(asked, GenerateRequest)
        assert asked.deadline_s is not None
        assert asked.deadline_s < 5
        (line,) = await served.last()
        assert (line.status, line.error_type) == (504, "deadline_exceeded")


async def test_a_stages_refusal_arrives_with_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: ResolveAlias, request: GenerateRequest, exchange: Exchange) -> GenerateRequest:
        exchange.response_headers.append((b"x-ratelimit-remaining-requests", b"0"))
        raise RateLimited("Too many requests; wait.", retry_after_s=3)

    monkeypatch.setattr(ResolveAlias, "__call__", refuse)
    backend = FakeBackend()
    async with serving(backend) as served:
        with pytest.raises(RateLimited) as raised:
            await answer(served.client)
        assert raised.value.retry_after_s == 3
        cause = cast("Any", raised.value.__cause__)
        assert ("x-ratelimit-remaining-requests", "0") in tuple(cause.trailing_metadata())
        (line,) = await served.last()
        assert (line.status, line.error_type) == (429, "rate_limit_exceeded")
        assert backend.requests == []


async def test_an_answer_that_breaks_says_so_and_one_of_ours_is_logged_and_not_shown() -> None:
    async with serving(FakeBackend([TextDelta("a"), StreamInterrupted("It broke.")])) as served:
        with pytest.raises(StreamInterrupted):
            await answer(served.client)
        assert (await served.last())[0].error_type == "stream_interrupted"

    def broken(request: GenerateRequest) -> Sequence[Step]:
        raise ZeroDivisionError("secret")

    async with serving(FakeBackend(broken)) as served:
        with pytest.raises(InternalError) as raised:
            await answer(served.client)
        assert "secret" not in raised.value.message
        assert "secret" in served.out.getvalue()


async def test_a_message_over_the_bound_is_refused() -> None:
    async with serving(gateway=GatewaySettings(max_body_bytes=2048)) as served:
        with pytest.raises(BodyTooLarge):
            await answer(served.client, GenerateRequest("1", "fake", prompt="x" * 4096))
        assert await answer(served.client)


async def test_a_drain_lets_running_calls_finish_and_takes_no_other() -> None:
    gate = asyncio.Event()
    async with serving(FakeBackend([TextDelta("a"), gate, *reply("b")])) as served:
        stream = served.client.generate(REQUEST)
        assert await anext(stream) == TextDelta("a")
        served.front.ledger.drain.begin()
        draining = served.grpc.drain()
        other = ModelServiceBackend(served.address)
        with pytest.raises(BackendUnavailable):
            await answer(other)
        await other.close()
        gate.set()
        assert [event async for event in stream] == list(reply("b"))
        await draining
        assert [line.status for line in served.lines()] == [200]


async def test_closing_ends_what_does_not_finish() -> None:
    backend = FakeBackend([TextDelta("a"), HANG])
    async with serving(backend) as served:
        stream = served.client.generate(REQUEST)
        await anext(stream)
        await served.grpc.close()
        with pytest.raises(StreamInterrupted):
            await anext(stream)
        assert (backend.cancelled, len(await served.last())) == (1, 1)


async def test_a_new_configuration_holds_from_the_next_call_on() -> None:
    gate = asyncio.Event()
    async with serving(FakeBackend([TextDelta("a"), gate, *reply("b")])) as served:
        stream = served.client.generate(REQUEST)
        await anext(stream)
        old = served.front.services
        members, loop = old.pipeline.routes.members, asyncio.get_running_loop()
        pipeline = build_pipeline(Settings(), members, LastingParts(Settings(), old.log), loop)
        services = CallServices(old.settings, pipeline, Authenticator(key_table("k")), old.drain, old.log)
        served.front.swap(services)
        with pytest.raises(AuthenticationFailed):
            await answer(served.client)
        gate.set()
        assert [event async for event in stream] == list(reply("b"))


async def health_of(served: Served, service: str = "") -> str:
    untyped: Any = health_pb2
    async with grpc.aio.insecure_channel(served.address) as channel:
        check = cast("Any", channel).unary_unary(
            f"/{HEALTH}/Check", untyped.HealthCheckRequest.SerializeToString, untyped.HealthCheckResponse.FromString
        )
        answered = await check(untyped.HealthCheckRequest(service=service))
        return untyped.HealthCheckResponse.ServingStatus.Name(answered.status)


async def test_health_follows_the_models_and_the_drain() -> None:
    async with serving() as served:
        assert [await health_of(served, name) for name in ("", SERVICE, "fake")] == ["SERVING"] * 3
        served.front.ledger.drain.begin()
        assert await health_of(served) == "NOT_SERVING"
    async with serving(FakeBackend(models=(msgspec.structs.replace(model_info("fake"), state="failed"),))) as served:
        assert await health_of(served) == "NOT_SERVING"


async def test_an_analysis_that_asks_twice_is_one_line_with_the_sum_of_both() -> None:
    rambled = (TextDelta("{"), Usage(10, 640), Finish("length"))
    answers = iter([rambled, (TextDelta(ANALYSIS), Usage(12, 30), Finish("stop"))])
    async with serving(FakeBackend(lambda request: next(answers))) as served:
        analysis = await served.client.analyze(AnalyzeText("a", "A text."))
        assert (analysis.summary, analysis.model, analysis.usage) == ("Fine.", "fake", Usage(22, 670))
        (line,) = await served.last()
        assert (line.path, line.status, line.prompt_tokens, line.completion_tokens) == (ANALYZE, 200, 22, 670)


async def _texts(*texts: str) -> AsyncGenerator[AnalyzeText]:
    for number, text in enumerate(texts):
        yield AnalyzeText(str(number), text, "fake")


async def test_each_text_of_a_stream_is_counted_by_itself() -> None:
    async with serving(FakeBackend(reply(ANALYSIS))) as served:
        found = {result.id: result async for result in served.client.analyze_stream(_texts("a", " ", "c"))}
        assert [type(found[number]) for number in ("0", "1", "2")] == [Analysis, AnalysisFailed, Analysis]
        lines = await served.last(4)
        assert sorted((line.path, line.status) for line in lines) == [
            (ANALYZE, 200),
            (ANALYZE, 200),
            (ANALYZE, 422),
            (ANALYZE_STREAM, 200),
        ]
