"""What a run asks of an agent: to answer by calling the model and its tools in turns."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

import msgspec

from seekway.applications.events import AnswerDelta, AnswerReplaced, FileGiven, ReasoningDelta, ThoughtChanged
from seekway.applications.records import AppRecord, Source
from seekway.core.caller import Caller
from seekway.core.types import GenerateRequest, Usage


class SourcesFound(msgspec.Struct, frozen=True):
    """Passages that a tool found; their positions count on over the whole answer."""

    sources: tuple[Source, ...]


AgentEvent = AnswerDelta | ReasoningDelta | AnswerReplaced | ThoughtChanged | FileGiven | SourcesFound | Usage


class AgentTask(msgspec.Struct, frozen=True):
    """One question to an agent.

    ``request`` is what a model without tools would be asked: the model's name and parameters, and the messages (instructions, history, the question with its files).
    The agent adds tools, their calls and results. Its ``id`` must stay the beginning of each model call's id.
    ``query`` is the question's text alone, ``user`` the caller's name for the end user.
    ``deadline`` is on the event loop's clock; the run ends the agent then, or when it is stopped, by closing the generator.
    """

    app: AppRecord
    caller: Caller
    message: str
    request: GenerateRequest
    query: str
    user: str
    deadline: float


class Agent(Protocol):
    def run(self, task: AgentTask, /) -> AsyncGenerator[AgentEvent, None]:
        """Answer. One ``Usage`` comes for each model call; a model's ``Replacement`` comes as :class:`AnswerReplaced`, and ends the answer.

        ``AnswerDelta`` is only what the user reads as the answer; all reasoning comes as ``ReasoningDelta``, whatever the definition's ``thoughts`` are:
        the run moderates both and shows them in the definition's way. Raises ``SeekwayError``.
        """
        ...
