"""How long an agent may go on calling tools."""

from __future__ import annotations

from collections.abc import Callable

from seekway.applications.agents.agent import AgentTask
from seekway.core.types import Usage


class Bounds:
    """``clock`` is the event loop's."""

    def __init__(self, task: AgentTask, clock: Callable[[], float]) -> None:
        agent = task.app.definition.agent
        self._steps_left = agent.max_steps
        self._tokens_left = agent.max_tokens
        self._until = min(clock() + agent.max_seconds, task.deadline)
        self._clock = clock

    @property
    def until(self) -> float:
        """The moment at which calls of tools are broken off, on the clock."""
        return self._until

    def step(self) -> bool:
        """Whether tools may be called in the step that begins now."""
        self._steps_left -= 1
        return self._steps_left >= 0 and self._tokens_left > 0 and self._clock() < self._until

    def spent(self, usage: Usage) -> None:
        self._tokens_left -= usage.prompt_tokens + usage.completion_tokens
