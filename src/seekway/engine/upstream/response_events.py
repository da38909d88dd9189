"""A backend's stream, chunk by chunk, as canonical events.

The stream is believed only as far as it goes: without a ``finish_reason`` there is no ``Finish``, whatever else came.
``<think>`` tags inside ``content`` are left where they are: whether they are markup or the model's own words is known to the server
that ran the template, and servers that know send reasoning apart (``reasoning_content`` or ``reasoning``).
"""

from __future__ import annotations

import msgspec

from seekway.core.errors import BackendProtocolError, StreamInterrupted
from seekway.core.types import (
    Event,
    Finish,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    TopLogprob,
    Usage,
)
from seekway.engine.upstream.errors import Refusals
from seekway.engine.upstream.wire import (
    WireAnswer,
    WireChoice,
    WireChunk,
    WireDelta,
    WireLogprobs,
    WireTokenLogprob,
    WireToolCall,
    WireUsage,
    WireWholeChoice,
)

_CHUNK = msgspec.json.Decoder(WireChunk)
_ANSWER = msgspec.json.Decoder(WireAnswer)

FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "insufficient_system_resource": "insufficient_system_resource",
    "aborted": "aborted",
    "abort": "aborted",
    "function_call": "tool_calls",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_length": "length",
}
"""DeepSeek's and OpenAI's reasons, then other servers' words for them.

Any other word becomes ``aborted``: the end came, and not for a reason that could be called the model's own.
"""


class _OpenCall:
    """A tool call under way; nothing of it is emitted before its name is known."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.id: str | None = None
        self.held = ""
        self.announced = False


class ResponseEvents:
    """Feed it the stream's data, then ask for its ``end``; raises ``SeekwayError`` where the stream is none."""

    def __init__(self, request_id: str, backend: str, refusals: Refusals) -> None:
        self._request_id = request_id
        self._backend = backend
        self._refusals = refusals
        self._calls: list[_OpenCall] = []
        self._positions: dict[int, _OpenCall] = {}
        self._usage: WireUsage | None = None
        self._finish: Finish | None = None
        self._whole = False
        self.done = False

    def read(self, data: bytes) -> list[Event]:
        """The events of one ``data`` payload; sets ``done`` at ``[DONE]``, after which all else is ignored."""
        events: list[Event] = []
        self.read_into(data, events)
        return events

    def read_into(self, data: bytes, events: list[Event]) -> None:
        """As :meth:`read`, into ``events``, which holds what came before an error when one is raised."""
        if self.done:
            return
        try:
            chunk = _CHUNK.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            if data.strip() == b"[DONE]":
                self.done = True
                return
            raise BackendProtocolError(
                f"The backend {self._backend} sent a chunk that is not a chat or text completion; check its base_url."
            ) from None
        if chunk.error:
            self._refuse(chunk.error)
        if chunk.usage is not None:
            self._usage = chunk.usage
        for choice in chunk.choices or ():
            if choice.index != 0:
                raise self._second_choice()
            self._read_choice(choice, choice.delta, events)

    def read_whole(self, body: bytes) -> list[Event]:
        """All events, ``Usage`` and ``Finish`` among them, of an answer that was not streamed."""
        try:
            answer = _ANSWER.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise BackendProtocolError(
                f"The backend {self._backend} sent an answer that is not a chat or text completion; check its base_url."
            ) from None
        if answer.error:
            self._refuse(answer.error)
        self._usage = answer.usage
        self._whole = True
        events: list[Event] = []
        for choice in answer.choices or ():
            if choice.index != 0:
                raise self._second_choice()
            self._read_choice(choice, choice.message, events)
        self.done = True
        events += self.end()
        return events

    def _refuse(self, error: msgspec.Raw) -> None:
        raw = bytes(error)
        if raw != b"null":
            raise self._refusals.from_stream(raw)

    def _second_choice(self) -> BackendProtocolError:
        return BackendProtocolError(f"The backend {self._backend} sent a second choice that nobody asked for.")

    def end(self) -> tuple[Usage, Finish]:
        """Usage and finish of a stream that ended as it should."""
        if self._finish is None and self.done:
            raise BackendProtocolError(f"The backend {self._backend} ended its answer without a finish reason.")
        if self._finish is None:
            raise StreamInterrupted(
                f"The backend {self._backend} closed its stream before the answer was finished; try again."
            )
        if any(not call.announced for call in self._calls):
            raise BackendProtocolError(f"The backend {self._backend} sent a tool call without a name.")
        if self._usage is None:
            # Zeros say that nothing was counted; a guess would look like a count.
            self._refusals.log.warning("backend_sent_no_usage", backend=self._backend, request_id=self._request_id)
        return usage_of(self._usage or WireUsage()), self._finish

    def _read_choice(self, choice: WireChoice | WireWholeChoice, delta: WireDelta | None, events: list[Event]) -> None:
        logprobs = choice.logprobs
        if delta is not None:
            reasoning = delta.reasoning_content or delta.reasoning
            if reasoning:
                events.append(
                    ReasoningDelta(reasoning)
                    if logprobs is None
                    else ReasoningDelta(reasoning, chat_logprobs(logprobs.reasoning_content))
                )
            text = delta.content or delta.refusal
            if logprobs is None:
                if text:
                    events.append(TextDelta(text))
            elif text or logprobs.content:
                events.append(TextDelta(text or "", chat_logprobs(logprobs.content)))
            if delta.tool_calls:
                for call in delta.tool_calls:
                    event = self._read_call(call)
                    if event is not None:
                        events.append(event)
        elif choice.text:
            events.append(TextDelta(choice.text, completion_logprobs(logprobs)))
        if choice.finish_reason:
            self._finish = self._read_finish(choice, choice.finish_reason)

    def _read_finish(self, choice: WireChoice | WireWholeChoice, word: str) -> Finish:
        if word == "error":
            raise StreamInterrupted(f"The backend {self._backend} failed while it answered; try again.")
        reason = FINISH_REASONS.get(word)
        if reason is None:
            self._refusals.log.warning("backend_sent_unknown_finish_reason", backend=self._backend, reason=word[:64])
            reason = "aborted"
        matched = choice.stop_reason if choice.stop_reason is not None else choice.matched_stop
        return Finish(reason, matched if isinstance(matched, str) and reason == "stop" else None)

    def _read_call(self, wire: WireToolCall) -> ToolCallDelta | None:
        call = self._call_of(wire)
        call.id = call.id or wire.id or None
        function = wire.function
        arguments = (function.arguments if function is not None else None) or ""
        if call.announced:
            return ToolCallDelta(call.index, arguments=arguments) if arguments else None
        call.held += arguments
        name = function.name if function is not None else None
        if not name:
            return None
        call.announced = True
        # A client answers a call by its id; a server that gives none still gets its answer.
        call_id = call.id or f"call_{self._request_id}_{call.index}"
        return ToolCallDelta(call.index, call_id, name, call.held)

    def _call_of(self, wire: WireToolCall) -> _OpenCall:
        """The call a piece belongs to: by index; without one, a new id begins a call and no id continues the last."""
        last = self._calls[-1] if self._calls else None
        if self._whole:
            known = None  # each entry of a whole answer is a call of its own
        elif wire.index is not None:
            known = self._positions.get(wire.index)
        else:
            known = last if last is not None and (not wire.id or wire.id == last.id) else None
        if known is None:
            known = _OpenCall(len(self._calls))
            self._calls.append(known)
            if wire.index is not None and not self._whole:
                self._positions[wire.index] = known
        return known


def usage_of(wire: WireUsage) -> Usage:
    """Token counts under whichever names the server has for them."""
    cached = wire.prompt_cache_hit_tokens
    if cached is None and wire.prompt_tokens_details is not None:
        cached = wire.prompt_tokens_details.cached_tokens
    reasoning = wire.completion_tokens_details.reasoning_tokens if wire.completion_tokens_details is not None else None
    if reasoning is None:
        reasoning = wire.reasoning_tokens
    return Usage(wire.prompt_tokens or 0, wire.completion_tokens or 0, cached or 0, reasoning or 0)


def chat_logprobs(wire: tuple[WireTokenLogprob, ...] | None) -> tuple[TokenLogprob, ...]:
    return tuple(
        TokenLogprob(
            token.token,
            token.logprob,
            _bytes(token.token, token.bytes),
            tuple(TopLogprob(top.token, top.logprob, _bytes(top.token, top.bytes)) for top in token.top_logprobs or ()),
        )
        for token in wire or ()
    )


def completion_logprobs(wire: WireLogprobs | None) -> tuple[TokenLogprob, ...]:
    """From the completions' parallel lists; a prompt's first token, echoed, has no log-probability and is left out."""
    if wire is None or wire.tokens is None:
        return ()
    values = wire.token_logprobs or ()
    tops = wire.top_logprobs or (None,) * len(values)
    return tuple(
        TokenLogprob(
            token, value, _bytes(token, None), tuple(TopLogprob(t, p, _bytes(t, None)) for t, p in (top or {}).items())
        )
        for token, value, top in zip(wire.tokens, values, tops, strict=False)
        if value is not None
    )


def _bytes(token: str, wire: tuple[int, ...] | None) -> tuple[int, ...]:
    return wire if wire is not None else tuple(token.encode("utf-8", "replace"))
