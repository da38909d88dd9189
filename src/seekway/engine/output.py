"""Turns a sequence's tokens into canonical deltas: text, reasoning, tool calls, stop strings and log-probabilities.

This runs for every token of every stream, so plain text takes a short way: join the bytes, decode, one delta.
"""

from __future__ import annotations

from collections.abc import Sequence

from seekway.core.types import ReasoningDelta, TextDelta, TokenLogprob, ToolCallDelta
from seekway.engine.base import SampledToken
from seekway.engine.detokenize import Detokenizer, token_logprob
from seekway.engine.gguf.tokenizer import TextTokenizer
from seekway.engine.reasoning import ReasoningSplitter, Split
from seekway.engine.stop_strings import StopMatcher
from seekway.engine.tool_calls import Piece, ToolParser

Delta = TextDelta | ReasoningDelta | ToolCallDelta


class Output:
    """One request's output.

    ``splitter`` is None where nothing is to be separated (raw completions), ``parser`` where no tools are shown.
    Stop strings apply to the answer's text: not to reasoning and not to tool calls.
    ``hidden`` token ids are not part of the text.
    """

    def __init__(
        self,
        tokenizer: TextTokenizer,
        *,
        hidden: frozenset[int],
        splitter: ReasoningSplitter | None,
        parser: ToolParser | None,
        stops: tuple[str, ...],
        logprobs: bool,
    ) -> None:
        self._tokenizer = tokenizer
        self._detokenizer = Detokenizer(tokenizer, hidden)
        self._hidden = hidden
        self._splitter = splitter
        self._parser = parser
        self._stops = StopMatcher(stops) if stops else None
        self._pending: list[TokenLogprob] | None = [] if logprobs else None
        self.completion_tokens = 0
        self.reasoning_tokens = 0
        self.stop: str | None = None
        """The stop string that was met; nothing is to be fed after it."""

    @property
    def called_tools(self) -> bool:
        return self._parser is not None and self._parser.calls > 0

    @property
    def thinking(self) -> bool:
        return self._splitter is not None and self._splitter.thinking

    def feed(self, tokens: Sequence[SampledToken]) -> Sequence[Delta]:
        self.completion_tokens += len(tokens)
        splitter = self._splitter
        if self._pending is None and (splitter is None or splitter.passing):
            text = self._detokenizer.feed(tokens)
            return self._answer(text) if text else ()
        deltas: list[Delta] = []
        for token in tokens:
            deltas.extend(self._feed_one(token))
            if self.stop is not None:
                break
        return deltas

    def finish(self) -> Sequence[Delta]:
        """What was held back; call it once, when the last token was fed and no stop string was met."""
        deltas = list(self._split(self._detokenizer.finish()))
        if self._splitter is not None:
            deltas += self._parts(self._splitter.finish())
        if self._parser is not None and self.stop is None:
            deltas += self._until_stop(self._parser.finish())
        if self._stops is not None and self.stop is None:
            held = self._stops.finish()
            if held:
                deltas.append(TextDelta(held))
        return self._with_logprobs(deltas)

    def _feed_one(self, token: SampledToken) -> Sequence[Delta]:
        thought = self.thinking
        text = self._detokenizer.feed((token,))
        deltas = self._split(text) if text else ()
        thinks = self.thinking
        self.reasoning_tokens += thought or thinks
        if self._pending is None:
            return deltas
        if token.id not in self._hidden:
            self._pending.append(token_logprob(self._tokenizer, token))
        if not deltas and thought != thinks:
            # The tag itself was read; it belongs to neither part.
            self._pending.clear()
        return self._with_logprobs(deltas)

    def _with_logprobs(self, deltas: Sequence[Delta]) -> Sequence[Delta]:
        """Give the tokens since the last delta to the last piece of text; those that made a tool call are dropped."""
        if not self._pending or not deltas:
            return deltas
        given, self._pending = tuple(self._pending), []
        made, last = list(deltas), deltas[-1]
        if isinstance(last, TextDelta):
            made[-1] = TextDelta(last.text, given)
        elif isinstance(last, ReasoningDelta):
            made[-1] = ReasoningDelta(last.text, given)
        return made

    def _split(self, text: str) -> Sequence[Delta]:
        if not text:
            return ()
        if self._splitter is None:
            return self._answer(text)
        return self._parts(self._splitter.feed(text))

    def _parts(self, split: Split) -> list[Delta]:
        deltas: list[Delta] = [ReasoningDelta(split.reasoning)] if split.reasoning else []
        if split.answer:
            deltas.extend(self._answer(split.answer))
        return deltas

    def _answer(self, text: str) -> Sequence[Delta]:
        if self._parser is None:
            if self._stops is None:
                return (TextDelta(text),)
            return self._until_stop((TextDelta(text),))
        return self._until_stop(self._parser.feed(text))

    def _until_stop(self, pieces: Sequence[Piece]) -> Sequence[Delta]:
        if self._stops is None:
            return pieces
        deltas: list[Delta] = []
        for piece in pieces:
            if isinstance(piece, ToolCallDelta):
                deltas.append(piece)
                continue
            shown, self.stop = self._stops.feed(piece.text)
            if shown:
                deltas.append(TextDelta(shown))
            if self.stop is not None:
                break
        return deltas
