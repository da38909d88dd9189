"""What a run makes of an agent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest

from seekway.applications.agents.agent import AgentEvent, AgentTask, SourcesFound
from seekway.applications.definition import Definition, KnowledgeUse, Moderation, Prompt
from seekway.applications.events import AnswerDelta, Ended, FileGiven, ReasoningDelta, ThoughtChanged
from seekway.applications.records import MessageFile, Source, Thought
from seekway.applications.runs.model_request import asking_apps, request_id
from seekway.applications.runs.passages import KnowledgeLookup
from seekway.applications.tools.tool import Calling
from seekway.core.errors import SeekwayError
from seekway.core.types import Usage
from tests.fakes.app_models import AWAY, cited
from tests.unit.applications.house import CALLER, House

FILE = MessageFile("f", "image", "remote_url", "https://x.example/a.png", belongs_to="assistant")
SOURCE = Source(1, "d", "D", "doc", "Doc", "s", 1, 0.5, "Text")


class ScriptedAgent:
    def __init__(self, script: Sequence[AgentEvent | SeekwayError | asyncio.Event]) -> None:
        self.script = script
        self.tasks: list[AgentTask] = []

    async def run(self, task: AgentTask, /) -> AsyncGenerator[AgentEvent, None]:
        self.tasks.append(task)
        for step in self.script:
            if isinstance(step, SeekwayError):
                raise step
            if isinstance(step, asyncio.Event):
                await step.wait()
            else:
                yield step


async def hosted(house: House, agent: ScriptedAgent) -> None:
    await house.service.close()
    await house.open(agent=agent)


async def test_steps_files_sources_and_costs_of_an_agent_are_kept(house: House) -> None:
    begun = Thought("m", "t1", 1, "I look.", "search")
    done = Thought("m", "t1", 1, "I look.", "search", observation="Found.")
    agent = ScriptedAgent(
        [
            ReasoningDelta("Hm."),
            ThoughtChanged(begun),
            Usage(10, 2),
            ThoughtChanged(done),
            FileGiven(FILE),
            SourcesFound((SOURCE,)),
            AnswerDelta("It is so."),
            Usage(20, 3),
        ]
    )
    await hosted(house, agent)
    app = await house.app(Definition("agent-chat", prompt=Prompt("Use tools."), knowledge=KnowledgeUse(("kb",))))
    events = await house.ask(app, "How?")
    ended = events[-1]
    assert isinstance(ended, Ended)
    message = ended.message
    assert (message.answer, message.reasoning) == ("It is so.", "Hm.")
    assert (message.cost.prompt_tokens, message.cost.completion_tokens) == (30, 5)
    assert (message.files, message.sources) == ((FILE,), (SOURCE,))
    assert await house.store.messages.thoughts(["m"]) == {"m": [done]}
    assert [event.thought for event in events if isinstance(event, ThoughtChanged)] == [begun, done]
    (task,) = agent.tasks
    assert [one.content for one in task.request.messages] == ["Use tools.", "How?"]
    assert (task.query, task.user, task.message) == ("How?", "u", message.id)
    assert house.passages.asked == []


async def test_an_applications_words_hold_in_an_agents_steps_too(house: House) -> None:
    step = Thought("m", "t1", 1, "The secret", "search", tool_input="{}", observation="x")
    await hosted(house, ScriptedAgent([ThoughtChanged(step), AnswerDelta("Fine"), Usage(1, 1)]))
    app = await house.app(Definition("agent-chat", moderation=Moderation(("secret",), None, "No.")))
    events = await house.ask(app)
    (seen,) = [event.thought for event in events if isinstance(event, ThoughtChanged)]
    assert (seen.text, seen.tool) == ("", "search")


async def test_a_failing_agent_keeps_its_steps(house: House) -> None:
    agent = ScriptedAgent([AnswerDelta("Some"), AWAY])
    await hosted(house, agent)
    app = await house.app(Definition("agent-chat"))
    with pytest.raises(SeekwayError, match="Nobody is there"):
        await house.ask(app)
    user = await house.store.conversations.user("", app.id, "u")
    kept = await house.store.messages.message(app.id, user.id, agent.tasks[0].message)
    assert (kept.status, kept.answer) == ("error", "Some")


async def test_thinking_at_the_beginning_of_any_turn_is_told_apart(house: House) -> None:
    agent = ScriptedAgent(
        [
            ThoughtChanged(Thought("m", "t1", 1)),
            AnswerDelta("<think>a</think>I look. "),
            ThoughtChanged(Thought("m", "t1", 1, "<think>a</think>I look.")),
            ThoughtChanged(Thought("m", "t2", 2)),
            AnswerDelta("<thi"),
            AnswerDelta("nk>b</think>Found."),
        ]
    )
    await hosted(house, agent)
    app = await house.app(Definition("agent-chat"))
    events = await house.ask(app)
    ended = events[-1]
    assert isinstance(ended, Ended)
    assert (ended.message.answer, ended.message.reasoning) == ("I look. Found.", "ab")
    assert [e.thought.text for e in events if isinstance(e, ThoughtChanged)] == ["", "I look.", ""]


async def test_an_agents_tool_searches_the_applications_knowledge(house: House) -> None:
    house.passages.found["kb"] = [cited("A fact."), cited("Another.", position=2)]
    app = await house.app(Definition("agent-chat", knowledge=KnowledgeUse(("kb",), top_k=2)))
    found = await KnowledgeLookup(house.passages, lambda: 0.0).sources(Calling(app, CALLER, "u"), "What?")
    assert [(source.position, source.content) for source in found] == [(1, "A fact."), (2, "Another.")]
    assert house.passages.asked[0][3].top_k == 2


def test_an_agents_model_calls_tell_the_application_that_asks() -> None:
    first = request_id("m", "my-app")
    assert asking_apps(f"{first}-2") == ["my-app"]
    assert asking_apps(request_id(f"{first}-2", "b")) == ["my-app", "b"]
    assert asking_apps("m") == []
