"""Routes beside chat: completions, embeddings, rerank, models, health, metrics, administration, keys and draining."""

from __future__ import annotations

import asyncio
import base64
import struct

import msgspec
import pytest

from seekway.core.errors import BackendUnavailable
from seekway.core.sections.gateway import GatewaySettings
from seekway.core.types import Finish, GenerateRequest, TextDelta, TokenLogprob, TopLogprob, Usage
from seekway.pipeline.directory import Member
from seekway.security.keys import KeyRecord, KeyTable, digest_of
from tests.fakes.backend import FakeBackend, model_info
from tests.integration.gateway.served import serving

TURN = b'{"model":"fake","messages":[{"role":"user","content":"hi"}]}'
FILLER = msgspec.structs.replace(model_info("fake"), capabilities=("chat", "completion", "fim", "embed", "rerank"))


async def test_a_middle_is_filled_in() -> None:
    token = TokenLogprob("ab", -0.5, (97, 98), (TopLogprob("ab", -0.5),))
    script = (TextDelta("ab", (token,)), TextDelta("c", (token,)), Usage(3, 2), Finish("stop"))
    backend = FakeBackend(script, models=(FILLER,))
    async with serving(backend) as served:
        body = b'{"model":"fake","prompt":"a","suffix":"z","logprobs":1,"echo":true,"stop":"\\n"}'
        answer = await served.ask("POST", "/beta/completions", body)
        got = answer.json()
        assert got["object"] == "text_completion"
        logprobs = {
            "tokens": ["ab", "ab"],
            "token_logprobs": [-0.5, -0.5],
            "top_logprobs": [{"ab": -0.5}, {"ab": -0.5}],
            "text_offset": [0, 2],
        }
        assert got["choices"] == [{"text": "abc", "index": 0, "logprobs": logprobs, "finish_reason": "stop"}]
        request = backend.requests[0]
        assert isinstance(request, GenerateRequest)
        assert (request.prompt, request.suffix, request.echo, request.sampling.stop) == ("a", "z", True, ("\n",))
        assert request.sampling.max_tokens == 4096
        streamed = await served.ask("POST", "/v1/completions", body[:-1] + b',"stream":true}')
        blocks = streamed.body.split(b"\n\n")
        assert blocks[-2:] == [b"data: [DONE]", b""]
        assert b'"text":"","index":0,"logprobs":null,"finish_reason":"stop"}],"usage":{' in blocks[-3]
        assert b"usage" not in blocks[0]


async def test_token_ids_are_a_prompt() -> None:
    backend = FakeBackend(models=(FILLER,))
    async with serving(backend) as served:
        await served.ask("POST", "/completions", b'{"model":"fake","prompt":[1,2]}')
        await served.ask("POST", "/completions", b'{"model":"fake","prompt":[[3,4]]}')
        prompts = [request.prompt for request in backend.requests if isinstance(request, GenerateRequest)]
        assert prompts == [(1, 2), (3, 4)]


async def test_embeddings_come_as_numbers_and_as_base64() -> None:
    async with serving() as served:
        body = b'{"model":"fake","input":["a","bc"],"dimensions":3'
        numbers = (await served.ask("POST", "/v1/embeddings", body + b"}")).json()
        coded = (await served.ask("POST", "/embeddings", body + b',"encoding_format":"base64"}')).json()
        assert numbers["object"] == "list"
        assert numbers["model"] == "fake"
        assert numbers["usage"] == {"prompt_tokens": 2, "total_tokens": 2}
        rows = msgspec.convert(numbers["data"], list[dict[str, object]])
        texts = msgspec.convert(coded["data"], list[dict[str, object]])
        assert [row["index"] for row in rows] == [0, 1]
        for row, text in zip(rows, texts, strict=True):
            assert struct.pack("<3f", *msgspec.convert(row["embedding"], list[float])) == base64.b64decode(
                str(text["embedding"])
            )


async def test_rerank_answers_as_vllm_does() -> None:
    async with serving() as served:
        body = b'{"model":"fake","query":"a b","documents":["x",{"text":"a b c"},"a"],"top_n":2'
        answer = (await served.ask("POST", "/v1/rerank", body + b"}")).json()
        assert answer["results"] == [
            {"index": 1, "relevance_score": 2.0, "document": {"text": "a b c"}},
            {"index": 2, "relevance_score": 1.0, "document": {"text": "a"}},
        ]
        bare = (await served.ask("POST", "/rerank", body + b',"return_documents":false}')).json()
        assert bare["results"] == [{"index": 1, "relevance_score": 2.0}, {"index": 2, "relevance_score": 1.0}]


async def test_models_of_all_backends_are_listed_and_one_that_is_away_harms_no_other() -> None:
    away = FakeBackend(models=(model_info("far"),), error=BackendUnavailable("It is away."))
    async with serving(others=[Member("cloud", away)]) as served:
        listed = (await served.ask("GET", "/v1/models")).json()
        assert listed == {
            "object": "list",
            "data": [{"id": "fake", "created": 0, "owned_by": "seekway", "object": "model"}],
        }
        assert (await served.ask("GET", "/models/deepseek-chat")).json()["id"] == "deepseek-chat"
        assert (await served.ask("GET", "/v1/models/nobody")).error() == ("model_not_found", "model")
        loaded = (await served.ask("GET", "/api/v1/models")).json()
        assert loaded["backends_away"] == {"cloud": "It is away."}
        away.error = None
        while (await served.ask("GET", "/v1/models/far")).status != 200:
            assert (await served.ask("GET", "/v1/models/fake")).status == 200


async def test_deepseeks_names_mean_the_default_model() -> None:
    backend = FakeBackend(models=(model_info("fake"),))
    async with serving(backend) as served:
        for name in ("deepseek-chat", "deepseek-reasoner", "deepseek-flash", "deepseek-v4-pro", "short", "fake@1"):
            answer = await served.ask("POST", "/chat/completions", TURN.replace(b"fake", name.encode()))
            assert (answer.status, answer.json()["model"]) == (200, "fake"), name
        thinking = [request.thinking.enabled for request in backend.requests if isinstance(request, GenerateRequest)]
        assert thinking == [False, True, None, None, None, None]


async def test_health_says_how_it_is() -> None:
    backend = FakeBackend()
    async with serving(backend) as served:
        assert (await served.ask("GET", "/health/live")).status == 200
        health = await served.ask("GET", "/health")
        assert (health.status, health.json()["status"], health.json()["model_version"]) == (200, "ok", "fake@1")
        assert (await served.ask("GET", "/health/ready")).status == 200
        async with served.connect() as connection:
            for path in ("/health", "/health/live", "/health/ready"):
                await connection.send("HEAD", path)
                assert (await connection.head()).status == 200, (
                    "the next answer's head follows at once: there is no body"
                )


@pytest.mark.parametrize(("state", "status"), [("loading", "loading"), ("failed", "unavailable")])
async def test_a_model_that_is_not_ready_is_503(state: str, status: str) -> None:
    info = msgspec.convert(msgspec.to_builtins(model_info("fake")) | {"state": state}, type=type(FILLER))
    async with serving(FakeBackend(models=(info,))) as served:
        ready = await served.ask("GET", "/health/ready")
        assert (ready.status, ready.json()["status"]) == (503, status)
        refused = await served.ask("POST", "/v1/chat/completions", TURN)
        assert (refused.status, refused.error()[0]) == (503, "backend_unavailable")


async def test_an_embedding_model_that_is_there_does_not_make_a_loading_chat_model_ready() -> None:
    chat = msgspec.structs.replace(model_info("fake"), state="loading")
    embedder = msgspec.structs.replace(model_info("other"), capabilities=("embed",))
    async with serving(FakeBackend(models=(chat, embedder))) as served:
        ready = await served.ask("GET", "/health/ready")
        assert (ready.status, ready.json()["status"]) == (503, "loading")


async def test_metrics_count_tokens_errors_and_engines() -> None:
    async with serving() as served:
        await served.ask("POST", "/v1/chat/completions", TURN)
        await served.ask("POST", "/v1/chat/completions", b"")
        text = (await served.ask("GET", "/metrics")).body.decode()
        for line in (
            'seekway_tokens_total{model="fake",type="input"} 7.0',
            'seekway_errors_total{code="invalid_json",model=""} 1.0',
            'seekway_http_requests_total{route="/v1/chat/completions",status="200"} 1.0',
            'gen_ai_server_time_to_first_token_seconds_count{gen_ai_operation_name="chat",gen_ai_response_model="fake"} 1.0',
            'seekway_model_ready{backend="own",model="fake",version="1"} 1.0',
            'seekway_stage_calls_total{stage="resolve_alias"} 1.0',
            "seekway_http_requests_in_flight 1.0",
        ):
            assert line in text, line


async def test_stages_are_listed_and_a_text_runs_through_them() -> None:
    backend = FakeBackend()
    async with serving(backend) as served:
        await served.ask("POST", "/v1/chat/completions", TURN)
        data = (await served.ask("GET", "/api/v1/data")).json()
        stages = msgspec.convert(data["stages"], list[dict[str, object]])
        names = [
            "allow_models",
            "resolve_alias", "restore_reasoning", "thinking_rules", "apply_defaults", "prune_reasoning", "note_reasoning", "count_usage",
        ]  # fmt: skip
        # A stream stage that has nothing to do with a request is not counted for it.
        calls = {name: int(name != "note_reasoning") for name in names}
        assert [(stage["name"], stage["calls"]) for stage in stages] == list(calls.items())
        trial = (await served.ask("POST", "/api/v1/data", b'{"text":"hello"}')).json()
        traces = msgspec.convert(trial["stages"], list[dict[str, object]])
        assert [trace["name"] for trace in traces] == names
        changed = msgspec.convert(traces[1]["changed"], dict[str, list[object]])
        assert changed["model"] == ["deepseek-chat", "fake"]
        assert len(backend.requests) == 1
        unknown = (await served.ask("POST", "/api/v1/data", b'{"text":"hello","model":"nobody"}')).json()
        assert "model_not_found" in str(unknown["stages"])


async def test_keys_are_needed_where_models_are() -> None:
    async with serving(keys="# ours\nsk-one\n\nsk-two\n") as served:
        for headers in ((), ("authorization: Bearer sk-three",), ("authorization: Basic sk-one",)):
            for method, path in (("POST", "/v1/chat/completions"), ("GET", "/models"), ("GET", "/api/v1/data")):
                answer = await served.ask(method, path, TURN if method == "POST" else b"", headers)
                assert (answer.status, answer.error()[0]) == (401, "invalid_api_key")
                assert answer.headers["www-authenticate"] == "bearer"
        for key in ("sk-one", "sk-two"):
            assert (await served.ask("POST", "/v1/rerank", b"", (f"authorization: bearer {key}",))).status == 400
        assert (await served.ask("GET", "/health")).status == 200
        assert "sk-" not in served.log()


async def test_draining_refuses_new_work_and_finishes_what_runs() -> None:
    go = asyncio.Event()
    backend = FakeBackend((TextDelta("a"), go, Usage(1, 1), Finish("stop")))
    async with serving(backend) as served, served.connect() as connection:
        await connection.send("POST", "/v1/chat/completions", TURN)
        await backend.started.wait()
        served.drain.begin()
        refused = await served.ask("POST", "/v1/chat/completions", TURN)
        assert (refused.status, refused.error()[0]) == (503, "overloaded")
        assert (refused.headers["retry-after"], refused.headers["connection"]) == ("1", "close")
        assert (await served.ask("GET", "/health/ready")).json()["status"] == "draining"
        assert (await served.ask("GET", "/health/live")).status == 200
        go.set()
        assert (await connection.answer()).status == 200
        await served.drain.wait_idle()


async def test_request_ids_are_taken_when_sane() -> None:
    async with serving() as served:
        kept = await served.ask("GET", "/health", headers=("x-request-id: abc-1",))
        assert kept.headers["x-request-id"] == "abc-1"
        made = await served.ask("GET", "/nothing", headers=("x-request-id: a b",))
        assert len(made.headers["x-request-id"]) == 32
        lines = [msgspec.json.decode(line, type=dict[str, object]) for line in served.log().splitlines()]
        assert [(line["request_id"], line["status"]) for line in lines] == [
            ("abc-1", 200),
            (made.headers["x-request-id"], 404),
        ]


async def test_the_document_describes_the_bodies() -> None:
    async with serving() as served:
        document = (await served.ask("GET", "/openapi.json")).json()
        text = msgspec.json.encode(document).decode()
        assert '"$ref":"#/components/schemas/ChatBody"' in text
        schemas = msgspec.convert(document["components"], dict[str, dict[str, object]])["schemas"]
        assert {"ChatBody", "WireMessage", "ErrorEnvelope", "RerankBody"} <= schemas.keys()
        for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
            assert name in schemas
        assert (await served.ask("GET", "/docs")).status == 200


def table(**scopes: tuple[str, ...]) -> KeyTable:
    """A key of each name, which opens its scopes."""
    return KeyTable(
        [
            KeyRecord(id=name, digest=digest_of(name.encode()).hex(), created=0, tenant=f"of {name}", scopes=opened)
            for name, opened in scopes.items()
        ]
    )


PAGES = ("/metrics", "/docs", "/openapi.json")


@pytest.mark.parametrize(
    ("gateway", "is_open"),
    [
        (GatewaySettings(), True),
        (GatewaySettings(open_pages=False), False),
        (GatewaySettings(host="0.0.0.0"), False),
        (GatewaySettings(host="0.0.0.0", open_pages=True), True),
    ],
    ids=["loopback", "closed", "outside", "outside and opened"],
)
async def test_the_pages_are_open_where_the_settings_say(gateway: GatewaySettings, is_open: bool) -> None:
    async with serving(gateway=gateway, table=table(asks=("models",), scrapes=("metrics",), runs=("admin",))) as served:
        for page in PAGES:
            assert (await served.ask("GET", page)).status == (200 if is_open else 401)
        assert (await served.ask("GET", "/health")).status == 200
        if is_open:
            return
        allowed = {
            key: [(await served.ask("GET", page, headers=[f"authorization: Bearer {key}"])).status for page in PAGES]
            for key in ("asks", "scrapes", "runs")
        }
        assert allowed == {"asks": [403, 200, 200], "scrapes": [200, 200, 200], "runs": [200, 200, 200]}


async def test_without_keys_every_page_is_open() -> None:
    async with serving(gateway=GatewaySettings(open_pages=False)) as served:
        assert [(await served.ask("GET", page)).status for page in PAGES] == [200, 200, 200]


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/fake", "/api/v1/models", "/api/v1/data", "/metrics"])
async def test_the_log_says_who_asked(path: str) -> None:
    gateway = GatewaySettings(open_pages=False)
    async with serving(gateway=gateway, table=table(boss=("models", "admin"))) as served:
        assert (await served.ask("GET", path, headers=["x-api-key: boss"])).status == 200
        lines = [msgspec.json.decode(line, type=dict[str, object]) for line in served.log().splitlines()]
        (line,) = [line for line in lines if line["event"] == "request"]
        assert (line["path"], line["tenant"], line["key"]) == (path, "of boss", "boss")
