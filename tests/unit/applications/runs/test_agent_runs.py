"""What a run makes of an agent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest

from seekway.applications.agents.agent import AgentEvent, AgentTask, SourcesFound
from seekway.applications.definition import Definition, KnowledgeUse, Moderation, Prompt
from seekway.applications.events import AnswerDelta, Ended, FileGiven, ReasoningDelta, ThoughtChanged
from seekway.applications.records import MessageFile, Source, Thought
from seekway.core.errors import SeekwayError
from seekway.core.types import Usage
from tests.fakes.app_models import AWAY
from tests.unit.applications.house import House

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
