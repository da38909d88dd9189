"""Every way in and out that a text may take passes the review, and a large one keeps nobody else waiting."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import msgspec
import pytest

from seekway.core.types import Finish, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from tests.fakes.backend import FakeBackend, Step, reply
from tests.fakes.detector import FakeMaker
from tests.integration.gateway.served import serving
from tests.integration.gateway.test_guardrails import BODIES, MESSAGE, TERMS, ask, policy, rails

BLOCKING = policy(given={"*": "block"}, documents={"*": "block"})
CHAT: dict[str, Any] = {"model": "fake", "messages": [{"role": "user", "content": "hello"}]}


WAYS_IN: list[tuple[str, dict[str, Any]]] = [
    ("/v1/chat/completions", {"messages": [{"role": "user", "name": "bomb", "content": "x"}]}),
    ("/v1/chat/completions", {"documents": [{"title": "a", "text": "a bomb"}]}),
    ("/v1/chat/completions", {"messages": [{"role": "user", "content": [{"type": "text", "text": "bomb"}]}]}),
    ("/v1/completions", {"prompt": ["a bomb"]}),
    (
        "/anthropic/v1/messages",
        {
            "max_tokens": 9,
            "messages": [
                {"role": "user", "content": "x"},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {"q": "x"}}]},
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "tool_result",
                            "tool_use_id": "t",
                            "content": [{"type": "text", "text": "a bomb"}],
                        }
                    ],
                },
            ],
        },
    ),
    (
        "/v1/responses",
        {"input": [{"role": "user", "content": [{"type": "input_text", "text": "a bomb"}]}]},
    ),
    (
        "/v1/responses",
        {
            "input": [
                {"role": "user", "content": "x"},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": "a bomb"},
            ]
        },
    ),
]


@pytest.mark.parametrize(("path", "body"), WAYS_IN)
async def test_no_place_of_a_request_passes_unseen(path: str, body: dict[str, Any]) -> None:
    async with serving(guardrails=rails(BLOCKING), detectors=FakeMaker(TERMS)) as at:
        answer = await at.ask(
            "POST", path, msgspec.json.encode({**CHAT, **body} if "chat" in path else {"model": "fake", **body})
        )
        assert answer.status == 400, answer.body
        assert b"content_filter" in answer.body
        assert not at.backend.requests
    assert "bomb" not in at.log()


@pytest.mark.parametrize(("on_failure", "status"), [("closed", 400), ("open", 200)])
async def test_token_ids_cannot_be_read_and_follow_the_policy(on_failure: Any, status: int) -> None:
    async with serving(guardrails=rails(policy(on_failure=on_failure)), detectors=FakeMaker(TERMS)) as at:
        body = msgspec.json.encode({"model": "fake", "prompt": [1, 2, 3]})
        assert (await at.ask("POST", "/v1/completions", body)).status == status
        assert sum(at.parts.guardrails.counts.unreviewed.values()) == 1
    assert "input:unreviewed" in at.log()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_term_is_found_across_what_stands_between(stream: bool) -> None:
    events = (
        ReasoningDelta("a bo"),
        TextDelta("take bo"),
        ReasoningDelta("mb?"),
        TextDelta("mb."),
        ToolCallDelta(0, "c0", "f", "{}"),
        TextDelta(" and bo"),
        ReasoningDelta("."),
        TextDelta("x"),
        Usage(1, 2),
        Finish("stop"),
    )
    async with serving(
        FakeBackend(events), guardrails=rails(policy(answered={"*": "mask"})), detectors=FakeMaker(TERMS)
    ) as at:
        answer = await ask(at, "/v1/chat/completions", "hello", stream=stream)
        chunks = (
            [line[6:] for line in answer.body.split(b"\n\n") if line.startswith(b"data: {")]
            if stream
            else [answer.body]
        )
        said = reasoned = ""
        for chunk in chunks:
            for choice in msgspec.json.decode(chunk)["choices"]:
                message = choice["delta" if stream else "message"]
                said += message.get("content") or ""
                reasoned += message.get("reasoning_content") or ""
        assert said == "take bo. and box"
        assert reasoned == "a bo?."


async def test_many_small_texts_are_reviewed_in_a_thread() -> None:
    maker = FakeMaker(TERMS)
    threads: set[str] = set()
    scan = maker.detector.scan

    def noted(text: str, start: int, *, final: bool) -> Any:
        threads.add(threading.current_thread().name)
        return scan(text, start, final=final)

    maker.detector.scan = noted  # type: ignore[method-assign]
    messages = [{"role": "user", "content": f"hello {n}"} for n in range(2000)]
    body = msgspec.json.encode({"model": "fake", "messages": [*messages, {"role": "user", "content": "a bomb"}]})
    async with serving(guardrails=rails(BLOCKING), detectors=maker) as at:
        answer = await at.ask("POST", "/v1/chat/completions", body)
        assert answer.status == 400
        assert any(name.startswith("guardrails") for name in threads)


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_large_answer_lets_others_have_their_turn(path: str, stream: bool) -> None:
    text = "word " * 20_000 + "a bomb" + " word" * 5_000
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    maker = FakeMaker(TERMS)
    scan = maker.detector.scan
    longest = 0
    seen: list[int] = []

    def noted(text: str, start: int, *, final: bool) -> Any:
        nonlocal longest
        longest = max(longest, len(text))
        seen.append(turns)
        return scan(text, start, final=final)

    maker.detector.scan = noted  # type: ignore[method-assign]
    async with serving(
        FakeBackend(reply(text)), guardrails=rails(policy(answered={"*": "mask"})), detectors=maker
    ) as at:
        counting = asyncio.ensure_future(count_turns())
        answer = await ask(at, path, "hello", stream=stream)
        counting.cancel()
        assert answer.status == 200
        assert b"bomb" not in answer.body
        assert b"***" in answer.body
        assert answer.body.count(b"word") >= 24_990
        assert longest < 20_000
        assert len(set(seen)) > 10


@pytest.mark.parametrize("path", BODIES)
async def test_an_answer_under_way_keeps_the_policy_that_it_began_with(path: str) -> None:
    go_on = asyncio.Event()
    script: list[Step] = [TextDelta("a bo"), go_on, TextDelta("mb and 138001."), Usage(1, 2), Finish("stop")]
    masks = rails(policy(answered={"weapons": "mask", "phone": "pass"}))
    async with serving(FakeBackend(script), guardrails=masks, detectors=FakeMaker(TERMS)) as at:
        asking = asyncio.ensure_future(ask(at, path, "hello", stream=True))
        async with asyncio.timeout(10):
            await at.backend.started.wait()
        blocks = rails(policy(version="2", given={"phone": "block"}, answered={"*": "block"}))
        at.reload(msgspec.structs.replace(at.settings, guardrails=blocks))
        refused = await ask(at, path, "call 138001", stream=True)
        assert refused.status == 400
        go_on.set()
        answer = await asking
        said = answer.body
        assert b"bomb" not in said
        assert b"***" in said
        assert b"138001" in said
        assert MESSAGE.encode() not in said
        ended = await ask(at, path, "hello", stream=True)
        assert MESSAGE.encode() in ended.body
        assert b"138001" not in ended.body
    log = at.log()
    assert '"output:weapons:mask"' in log
    assert '"policy":"strict@1"' in log
    assert '"policy":"strict@2"' in log
