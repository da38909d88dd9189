"""One running request: takes the server's answers on its thread and hands tokens to the asyncio loop."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import AsyncGenerator
from typing import Literal

from seekway.core.errors import InternalError, SeekwayError
from seekway.engine.base import SampledToken, TokenChunk, TokenRequest
from seekway.engine.llamacpp.vocabulary import Vocabulary
from seekway.engine.llamacpp.wire import Step, error_of, read_answer

_LOWEST = -sys.float_info.max


class TokenStream:
    """Between the thread in which the server calls :meth:`receive` and the loop that reads :meth:`chunks`.

    A token whose text is empty may be the end of the sequence, which is not emitted: it is held back until the next answer tells.
    Tokens that come faster than the loop reads are joined in one chunk, and wake the loop once.
    """

    def __init__(self, request: TokenRequest, vocabulary: Vocabulary) -> None:
        self._loop = asyncio.get_running_loop()
        self._request = request
        self._vocabulary = vocabulary
        self._arrived = asyncio.Event()
        self._waking = False
        self._ready: deque[SampledToken] = deque()
        self._held: SampledToken | None = None
        self._seen = 0
        self._cached = 0
        self._finish: Literal["stop", "length"] | None = None
        self._error: SeekwayError | None = None
        self._cancelled = False
        self.admitted = False
        """Whether the request has entered the server; set on the loop."""

    def cancel(self) -> None:
        """End the request at the server's next answer: the next token, or the next step of a long prompt."""
        self._cancelled = True

    def fail(self, error: SeekwayError) -> None:
        """End the stream with ``error``, unless it has ended."""
        if self._finish is None and self._error is None:
            self._error = error
        self._cancelled = True
        self._wake()

    def receive(self, raw: bytes) -> bool:
        """Take one answer, on the request's thread; true ends the request."""
        if self._cancelled:
            return True
        answer = read_answer(raw)
        if answer.error is not None:
            self.fail(error_of(answer.error))
            return True
        step = answer.step
        if step is None:
            return False
        if step.prompt_progress is not None:
            self._cached = step.prompt_progress.cache
            return False
        if step.stop:
            self._end(step)
        else:
            self._token(step)
        self._wake()
        return self._finish is not None

    def left(self) -> None:
        """The server is done with the request, on its thread: a stream that it did not end has failed."""
        if self._finish is None and not self._cancelled:
            self.fail(InternalError("The engine ended the request without an answer; try again."))

    async def chunks(self) -> AsyncGenerator[TokenChunk]:
        """The tokens as they come; the last chunk carries the reason. Raises what :meth:`fail` was given."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            self._waking = False
            error, finish = self._error, self._finish
            tokens: list[SampledToken] = []
            while self._ready:
                tokens.append(self._ready.popleft())
            if tokens or finish is not None:
                yield TokenChunk(tuple(tokens), finish, self._cached)
            if finish is not None:
                return
            if error is not None:
                raise error

    def _token(self, step: Step) -> None:
        self._release()
        token = self._sampled(step)
        hidden = step.tokens_predicted - self._seen - 1
        self._seen = step.tokens_predicted
        found = self._vocabulary.hidden(step.content, token.id, hidden) if hidden > 0 else ()
        for each in (*(SampledToken(id_) for id_ in found), token):
            if each.id in self._request.stop_token_ids:
                self._finish = "stop"
                return
            if each is token and not step.content:
                self._held = each
            else:
                self._ready.append(each)

    def _end(self, step: Step) -> None:
        if step.stop_type == "eos":
            self._held = None
        self._release()
        if step.timings is not None:
            self._cached = step.timings.cache_n
        self._finish = "length" if step.stop_type == "limit" else "stop"

    def _release(self) -> None:
        if self._held is not None:
            self._ready.append(self._held)
            self._held = None

    def _sampled(self, step: Step) -> SampledToken:
        wanted = self._request.logprobs
        if wanted is None or not step.completion_probabilities:
            return SampledToken(step.tokens[0])
        told = step.completion_probabilities[0]
        top = tuple((each.id, _logprob(each.logprob)) for each in told.top_logprobs[:wanted])
        return SampledToken(told.id, _logprob(told.logprob), top)

    def _wake(self) -> None:
        if not self._waking:
            self._waking = True
            self._loop.call_soon_threadsafe(self._arrived.set)


def _logprob(value: float | None) -> float:
    return _LOWEST if value is None else value
