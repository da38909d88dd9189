"""Small things asked of an application's model beside its answers: short, without thinking, read whole."""

from __future__ import annotations

import asyncio
from typing import Final

from seekway.applications.ports import Models
from seekway.applications.runs.thoughts import without_thinking
from seekway.core.caller import Caller
from seekway.core.errors import ContentFiltered, DeadlineExceeded
from seekway.core.streaming import closing
from seekway.core.types import Finish, GenerateRequest, Replacement, TextDelta

LONGEST_S: Final = 60.0


async def said(models: Models, request: GenerateRequest, caller: Caller) -> str:
    """What the model answers, without what it thought. Raises ``ContentFiltered`` where the guardrails take it back, ``DeadlineExceeded``, and what the model raises."""
    texts: list[str] = []
    try:
        async with asyncio.timeout(LONGEST_S), closing(models.generate(request, caller)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    texts.append(event.text)
                elif isinstance(event, Replacement) or (isinstance(event, Finish) and event.reason == "content_filter"):
                    raise ContentFiltered("The guardrails do not let this answer through.")
    except TimeoutError as error:
        raise DeadlineExceeded(f"The model did not answer within {LONGEST_S:g} s.") from error
    return without_thinking("".join(texts)).strip()
