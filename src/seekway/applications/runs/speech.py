"""The model's part of an answer, or an agent's: what it says, taken in and passed on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from seekway.applications.agents.agent import AgentEvent, SourcesFound
from seekway.applications.events import AnswerDelta, AnswerReplaced, AppEvent, FileGiven, ReasoningDelta, ThoughtChanged
from seekway.applications.records import MessageFile, Source, Thought
from seekway.applications.runs.answer_shape import AnswerShape, Shown
from seekway.applications.runs.cost import Tally
from seekway.applications.runs.moderation import AppWords
from seekway.applications.runs.thoughts import without_thinking
from seekway.core import types
from seekway.core.streaming import closing
from seekway.core.token_estimate import mixed_tokens
from seekway.pipeline.quota.estimate import prompt_tokens

Emit = Callable[[AppEvent], None]
Room = Callable[[], Awaitable[None]]


class Speech:
    """``emit`` takes what may be shown; ``room`` is awaited after each piece, so that a slow reader holds the model back."""

    def __init__(self, shape: AnswerShape, words: AppWords | None, emit: Emit, room: Room) -> None:
        self._shape = shape
        self._words = words
        self._emit = emit
        self._room = room
        self._heard = 0.0
        self._asked: types.GenerateRequest | None = None
        self.tally = Tally()
        self.finish: types.Finish | None = None
        self.thoughts: dict[str, Thought] = {}
        self.files: list[MessageFile] = []
        self.sources: list[Source] = []

    async def of_model(self, request: types.GenerateRequest, events: AsyncIterator[types.Event]) -> None:
        """Until the model has ended, or nothing more of it may be shown; then its work is stopped."""
        self._asked = request
        async with closing(events):
            async for event in events:
                match event:
                    case types.TextDelta(text):
                        self._heard += mixed_tokens(text)
                        self._show(self._shape.text(text))
                    case types.ReasoningDelta(text):
                        self._heard += mixed_tokens(text)
                        self._show(self._shape.thought(text))
                    case types.Replacement(text):
                        self._show(self._shape.replace(text))
                        # Its usage follows.
                        continue
                    case types.Usage():
                        self.tally.add(event)
                    case types.Finish():
                        self.finish = event
                    case _:
                        continue
                if self._shape.replaced and not isinstance(event, types.Usage | types.Finish):
                    break
                await self._room()
        self.end()

    async def of_agent(self, request: types.GenerateRequest, events: AsyncIterator[AgentEvent]) -> None:
        """As :meth:`of_model`."""
        self._asked = request
        async with closing(events):
            async for event in events:
                match event:
                    case AnswerDelta(text):
                        self._heard += mixed_tokens(text)
                        self._show(self._shape.text(text))
                    case ReasoningDelta(text):
                        self._heard += mixed_tokens(text)
                        self._show(self._shape.thought(text))
                    case AnswerReplaced(text):
                        self._show(self._shape.replace(text))
                        continue
                    case ThoughtChanged(thought):
                        if thought.id not in self.thoughts:
                            self._show(self._shape.next_turn())
                        thought = self._seen(thought)
                        self.thoughts[thought.id] = thought
                        self._emit(ThoughtChanged(thought))
                    case FileGiven(file):
                        self.files.append(file)
                        self._emit(event)
                    case SourcesFound(found):
                        self.sources += found
                    case types.Usage():
                        self.tally.add(event)
                if self._shape.replaced and not isinstance(event, types.Usage):
                    break
                await self._room()
        self.end()

    def end(self) -> None:
        """Show what was held back; also where the model was stopped or failed."""
        self._show(self._shape.end())
        if self._heard and not self.tally.seen and self._asked is not None:
            # Broken off before the model gave its count.
            self.tally.add(types.Usage(prompt_tokens(self._asked), int(self._heard)))

    def _show(self, shown: list[Shown]) -> None:
        for event in shown:
            self._emit(event)

    def _seen(self, thought: Thought) -> Thought:
        words = self._words
        thought = msgspec.structs.replace(thought, text=without_thinking(thought.text))
        if words is None or not any(map(words.hides, (thought.text, thought.tool_input, thought.observation))):
            return thought
        return msgspec.structs.replace(thought, text="", tool_input="", observation="")
