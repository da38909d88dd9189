"""An answer that broke off, continued elsewhere: what came so far becomes the beginning of the last message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from seekway.core.sections.resilience import ResilienceSettings
from seekway.core.types import (
    Event,
    GenerateRequest,
    Message,
    ReasoningDelta,
    TextDelta,
    Thinking,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from seekway.pipeline.directory import BackendKind

_LIMIT = "max_completion_tokens"


def can_be_continued(request: GenerateRequest, policy: ResilienceSettings) -> bool:
    """Whether an answer to ``request`` may be continued at all: a chat in plain text.

    A JSON format or a forced tool constrains the answer from its first character, so that its second half alone fits neither.
    """
    if policy.continue_streams == "off" or not request.messages or request.prompt is not None:
        return False
    last = request.messages[-1]
    if last.prefix and not isinstance(last.content, str):
        return False
    free = not request.tools or request.tool_choice.mode in ("auto", "none")
    return free and request.response_format.type == "text"


class KeptAnswer:
    """The text of an answer under way, fed through to ``forward``; keeps at most as many characters as the settings allow."""

    __slots__ = (
        "_carried", "_characters", "_forward", "_most", "_policy", "_reasoning", "_reasoning_tokens", "_text", "_tokens", "lost",
    )  # fmt: skip

    def __init__(self, forward: Callable[[Sequence[Event]], None], policy: ResilienceSettings) -> None:
        self._forward = forward
        self._policy = policy
        self._most = policy.continue_characters
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._characters = 0
        self._tokens = self._reasoning_tokens = 0.0
        self._carried = (0, 0)
        """Tokens and reasoning tokens among them that the running attempt was given as its beginning."""
        self.lost = False
        """It cannot be continued: a tool call has begun, or it is too long."""

    def feed(self, events: Sequence[Event]) -> None:
        if not self.lost:
            for event in events:
                if isinstance(event, TextDelta):
                    self._text.append(event.text)
                    self._tokens += _tokens(event.text, event.logprobs)
                elif isinstance(event, ReasoningDelta):
                    self._reasoning.append(event.text)
                    self._reasoning_tokens += _tokens(event.text, event.logprobs)
                elif isinstance(event, ToolCallDelta):
                    self._lose()
                    break
                else:
                    continue
                self._characters += len(event.text)
            if self._characters > self._most:
                self._lose()
        self._forward(events)

    def fits(self, kind: BackendKind) -> bool:
        """Whether a backend of ``kind`` can take it up.

        Of servers whose template is not known, none is trusted to take reasoning back where it belongs.
        """
        if kind in ("local", "deepseek"):
            return True
        return self._policy.continue_streams == "any" and not self._reasoning

    def continued(self, request: GenerateRequest, kind: BackendKind) -> GenerateRequest | None:
        """``request`` with what came as the beginning of the answer; None when it has used up its tokens."""
        came, thought = round(self._tokens + self._reasoning_tokens), round(self._reasoning_tokens)
        self._carried = (came, thought)
        sampling = request.sampling
        extra: dict[str, Any] = request.extra
        if sampling.max_tokens is not None:
            sampling = msgspec.structs.replace(sampling, max_tokens=sampling.max_tokens - came)
        limit = extra.get(_LIMIT)
        if isinstance(limit, int):
            extra = {**extra, _LIMIT: limit - came}
            limit -= came
        left = [most for most in (sampling.max_tokens, limit) if isinstance(most, int)]
        if left and min(left) < 1:
            return None
        # A local model's template sees where it is; a server would begin to think anew.
        thinking = Thinking(enabled=False) if self._text and kind != "local" else request.thinking
        return msgspec.structs.replace(
            request, messages=self._messages(request), sampling=sampling, extra=extra, thinking=thinking
        )

    def whole(self, tail: Sequence[Event]) -> list[Event]:
        """The last backend's ``tail`` with its usage as that of the whole answer.

        What came before stood in its prompt and is counted there by its own tokenizer: it moves, by an estimate, from the prompt
        to the completion, and the sum stays what was counted.
        """
        return [self._summed(event) if isinstance(event, Usage) else event for event in tail]

    def _summed(self, usage: Usage) -> Usage:
        carried, thought = self._carried
        came = min(carried, usage.prompt_tokens)
        prompt = usage.prompt_tokens - came
        return Usage(
            prompt_tokens=prompt,
            completion_tokens=usage.completion_tokens + came,
            cached_tokens=min(usage.cached_tokens, prompt),
            reasoning_tokens=usage.reasoning_tokens + min(thought, came),
        )

    def _messages(self, request: GenerateRequest) -> tuple[Message, ...]:
        text = "".join(self._text)
        reasoning = "".join(self._reasoning) or None
        last = request.messages[-1]
        if not last.prefix:
            return (*request.messages, Message("assistant", text, reasoning=reasoning, prefix=True))
        # can_be_continued saw to it that the client's own beginning is text.
        begun = last.content if isinstance(last.content, str) else ""
        thought = (last.reasoning or "") + (reasoning or "")
        return (*request.messages[:-1], msgspec.structs.replace(last, content=begun + text, reasoning=thought or None))

    def _lose(self) -> None:
        self.lost = True
        self._text.clear()
        self._reasoning.clear()


def _tokens(text: str, logprobs: tuple[TokenLogprob, ...]) -> float:
    """Exact where log-probabilities tell each token; else DeepSeek's estimate, 0.3 a character of English and 0.6 of Chinese.

    Source: api-docs.deepseek.com, "Token & Token Usage".
    """
    if logprobs:
        return float(len(logprobs))
    return len(text) * 0.3 if text.isascii() else sum(0.3 if character < "\x80" else 0.6 for character in text)
