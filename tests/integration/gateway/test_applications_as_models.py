"""Applications behind the gateway: asked as models in any dialect, and asking models through the gateway's own pipeline."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
import structlog

from seekway.applications.app_backend import AppBackend
from seekway.applications.definition import (
    Definition,
    FormField,
    KnowledgeUse,
    ModelChoice,
    Moderation,
    Prompt,
)
from seekway.applications.events import Ended
from seekway.applications.records import AppRecord
from seekway.applications.runs.app_service import AppService
from seekway.applications.service import Asked
from seekway.applications.store.app_store import AppStore
from seekway.core.caller import Caller
from seekway.core.errors import BackendUnavailable, ModelNotFound, SeekwayError
from seekway.core.types import Finish, GenerateRequest, ReasoningDelta, TextDelta, Usage
from seekway.gateway.app_models import AppModels
from seekway.gateway.front import Front
from seekway.pipeline.directory import Member
from seekway.pipeline.quota.prices import PriceTable, deepseek_prices
from seekway.storage.sql.sqlite import SqliteDatabase
from tests.fakes.app_models import FakePassages, cited
from tests.fakes.backend import FakeBackend, Step, model_info, reply
from tests.integration.gateway.served import Answer, Served, serving

CHAT = "/v1/chat/completions"
ANTHROPIC = "/v1/messages"
HELLO = reply("Hello", "!")


@dataclass
class AppGateway:
    served: Served
    service: AppService
    models: AppModels
    passages: FakePassages

    async def app(self, slug: str) -> AppRecord:
        return await self.service.store.apps.by_slug("", slug)

    async def chat(self, slug: str, *messages: dict[str, Any], **more: Any) -> Answer:
        body = {"model": f"app:{slug}", "messages": messages or ({"role": "user", "content": "Hi?"},), **more}
        return await self.served.ask("POST", CHAT, msgspec.json.encode(body))

    @property
    def asked(self) -> list[GenerateRequest]:
        return [one for one in self.served.backend.requests if isinstance(one, GenerateRequest)]


@asynccontextmanager
async def app_gateway(
    path: Path,
    script: Sequence[Step] = HELLO,
    models: Sequence[str] = ("fake",),
    *,
    tenant: str = "",
    **apps: Definition,
) -> AsyncGenerator[AppGateway]:
    fronts: list[Front] = []
    prices = PriceTable((), deepseek_prices().prices)
    asking = AppModels(lambda: fronts[0], lambda: prices, lambda: 0.0)
    clock = itertools.count(1_000).__next__
    store = AppStore(SqliteDatabase(path / "applications.sqlite"), clock)
    await store.open()
    for slug, definition in apps.items():
        await store.apps.create(AppRecord(tenant if slug == "theirs" else "", "", slug, slug, definition))
    passages = FakePassages()
    service = AppService(store, asking, passages, structlog.get_logger(), clock=clock)
    ticks = itertools.count(0, 10).__next__
    backend = FakeBackend(script, models=[model_info(name) for name in models])
    async with AsyncExitStack() as stack:
        stack.push_async_callback(store.close)
        stack.push_async_callback(service.close)
        member = Member("applications", AppBackend(service, ticks))
        served = await stack.enter_async_context(serving(backend, others=[member]))
        fronts.append(served.front)
        yield AppGateway(served, service, asking, passages)


def content(answer: Answer) -> str:
    assert answer.status == 200, answer.body
    return msgspec.json.decode(answer.body)["choices"][0]["message"]["content"]


async def test_an_application_answers_in_openais_dialect_with_its_prompt_and_passages(tmp_path: Path) -> None:
    definition = Definition("chat", prompt=Prompt("Be brief."), knowledge=KnowledgeUse(("kb",)))
    async with app_gateway(tmp_path, helper=definition) as gateway:
        gateway.passages.found["kb"] = [cited("Thirty days.")]
        answer = await gateway.chat(
            "helper",
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "One?"},
            {"role": "assistant", "content": "<think>hm</think>1."},
            {"role": "user", "content": "Two?"},
        )
        assert content(answer) == "Hello!"
        usage = cast("dict[str, int]", answer.json()["usage"])
        assert (usage["prompt_tokens"], usage["completion_tokens"]) == (7, 2)
        (asked,) = gateway.asked
        system, *history, last = asked.messages
        assert str(system.content).startswith("Be brief.\n\nBe kind.")
        assert [message.content for message in history] == ["One?", "1."]
        assert "Thirty days." in str(last.content)
        assert str(last.content).endswith("Two?")


async def test_an_application_streams_in_openais_dialect(tmp_path: Path) -> None:
    script = (ReasoningDelta("Hm."), TextDelta("Yes"), TextDelta("."), Usage(5, 3), Finish("stop"))
    async with app_gateway(tmp_path, script, helper=Definition("chat")) as gateway:
        answer = await gateway.chat("helper", stream=True)
        lines = [json.loads(line[6:]) for line in answer.body.decode().splitlines() if line.startswith("data: {")]
        deltas = [choice["delta"] for line in lines for choice in line["choices"]]
        assert "".join(delta.get("content") or "" for delta in deltas) == "Yes."
        assert "".join(delta.get("reasoning_content") or "" for delta in deltas) == "Hm."
        assert lines[0]["model"] == "app:helper"


async def test_an_application_answers_in_anthropics_dialect(tmp_path: Path) -> None:
    async with app_gateway(tmp_path, helper=Definition("chat", prompt=Prompt("Be brief."))) as gateway:
        body = {"model": "app:helper", "max_tokens": 50, "system": "Be kind.", "messages": [{"role": "user", "content": "Hi"}]}  # fmt: skip
        answer = await gateway.served.ask("POST", ANTHROPIC, msgspec.json.encode(body))
        assert answer.status == 200
        assert msgspec.json.decode(answer.body)["content"][0]["text"] == "Hello!"
        assert gateway.asked[0].messages[0].content == "Be brief.\n\nBe kind."


async def test_applications_without_a_tenant_are_among_the_models(tmp_path: Path) -> None:
    async with app_gateway(tmp_path, tenant="acme", ours=Definition("chat"), theirs=Definition("chat")) as gateway:
        assert content(await gateway.chat("ours")) == "Hello!"
        listed = msgspec.json.decode((await gateway.served.ask("GET", "/v1/models")).body)["data"]
        assert [model["id"] for model in listed] == ["fake", "app:ours"]
        refused = await gateway.chat("theirs")
        assert (refused.status, refused.error()[0]) == (404, "model_not_found")


async def test_form_variables_come_as_inputs(tmp_path: Path) -> None:
    form = (FormField("who", required=True),)
    async with app_gateway(tmp_path, helper=Definition("chat", prompt=Prompt("For {{who}}"), form=form)) as gateway:
        assert content(await gateway.chat("helper", inputs={"who": "Ann"})) == "Hello!"
        assert gateway.asked[0].messages[0].content == "For Ann"
        refused = await gateway.chat("helper")
        assert refused.status == 400
        assert b"who is required in input form" in refused.body


async def test_an_applications_own_words_hold_in_every_dialect(tmp_path: Path) -> None:
    definition = Definition("chat", moderation=Moderation(("secret",), "Not here.", "Withdrawn."))
    async with app_gateway(tmp_path, reply("A sec", "ret!"), helper=definition) as gateway:
        answer = await gateway.chat("helper")
        assert content(answer) == "Withdrawn."
        assert msgspec.json.decode(answer.body)["choices"][0]["finish_reason"] == "content_filter"
        assert content(await gateway.chat("helper", {"role": "user", "content": "The secret?"})) == "Not here."
        assert len(gateway.asked) == 1
        streamed = (await gateway.chat("helper", stream=True)).body
        assert b"Withdrawn." in streamed
        assert b"sec" not in streamed
        assert b'"finish_reason":"content_filter"' in streamed


async def test_what_an_application_cannot_do_is_refused(tmp_path: Path) -> None:
    async with app_gateway(tmp_path, helper=Definition("chat")) as gateway:
        tool = {"type": "function", "function": {"name": "f"}}
        image = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}]}
        for answer in (
            await gateway.chat("helper", tools=[tool]),
            await gateway.chat("helper", image),
            await gateway.chat("helper", {"role": "assistant", "content": "Hm"}),
        ):
            assert answer.status == 400
        embedded = await gateway.served.ask("POST", "/v1/embeddings", b'{"model": "app:helper", "input": "x"}')
        assert embedded.status == 400
        assert gateway.asked == []


@pytest.mark.parametrize("way", ["itself", "circle"])
async def test_applications_that_ask_each_other_in_circles_are_refused(tmp_path: Path, way: str) -> None:
    other = "a" if way == "itself" else "b"
    a, b = (Definition("chat", ModelChoice(f"app:{name}")) for name in (other, "a"))
    async with app_gateway(tmp_path, a=a, b=b) as gateway:
        app = await gateway.app("a")
        answer = await gateway.chat("a")
        assert (answer.status, answer.error()[0]) == (400, "app_unavailable")
        assert b"app:a asks app:" in answer.body
        with pytest.raises(SeekwayError) as caught:
            _ = [event async for event in gateway.service.ask(app, Caller(), Asked("Hi", session="u"))]
        assert caught.value.code == "app_unavailable"
        await gateway.service.settled()


async def test_an_application_may_build_on_another(tmp_path: Path) -> None:
    outer = Definition("chat", ModelChoice("app:b"), Prompt("Outer."))
    async with app_gateway(tmp_path, a=outer, b=Definition("chat", prompt=Prompt("Inner."))) as gateway:
        assert content(await gateway.chat("a")) == "Hello!"
        assert gateway.asked[0].messages[0].content == "Inner.\n\nOuter."


async def test_a_question_to_an_application_is_a_line_in_the_access_log(tmp_path: Path) -> None:
    async with app_gateway(tmp_path, helper=Definition("chat")) as gateway:
        app = await gateway.app("helper")
        asked = Asked("Hi", session="u", auto_name=False)
        caller = Caller("key-1", "acme", models=("app:helper",))
        *_, ended = [event async for event in gateway.service.ask(app, caller, asked)]
        assert isinstance(ended, Ended)
        assert ended.message.answer == "Hello!"
        (line,) = [json.loads(line) for line in gateway.served.log().splitlines() if '"APP"' in line]
        assert (line["path"], line["status"], line["model"]) == ("/applications", 200, "fake")
        assert (line["key"], line["tenant"], line["prompt_tokens"]) == ("key-1", "acme", 7)
        assert line["request_id"] == f"{ended.message.id}:helper."


async def test_models_have_a_context_and_a_price(tmp_path: Path) -> None:
    async with app_gateway(tmp_path, models=("deepseek-v4-flash",)) as gateway:
        await gateway.served.ask("POST", CHAT, b'{"model":"deepseek-v4-flash","messages":[{"role":"user","content":"x"}]}')  # fmt: skip
        assert gateway.models.context_length("") == 4096
        assert gateway.models.context_length("unknown") == 0
        price = gateway.models.price("deepseek-v4-flash")
        assert float(price.prompt) > 0
        assert float(price.completion) > 0
        assert gateway.models.price("unknown").prompt == "0"


async def test_a_model_that_is_not_there_is_an_error_of_the_question(tmp_path: Path) -> None:
    async with app_gateway(tmp_path, helper=Definition("chat", ModelChoice("gone"))) as gateway:
        app = await gateway.app("helper")
        with pytest.raises((ModelNotFound, BackendUnavailable)):
            _ = [event async for event in gateway.service.ask(app, Caller(), Asked("Hi", session="u"))]
