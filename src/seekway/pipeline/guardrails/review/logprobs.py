"""Log-probabilities of a text that is held back and changed on its way."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from seekway.core.types import TokenLogprob


class HeldLogprobs:
    """Tokens wait until all of their characters are released; those of a changed place are dropped.

    ``before`` characters came and went already.
    Tokens that do not add up to their delta's text, such as parts of a character, stand for all of it.
    """

    __slots__ = ("_came", "_released", "_tokens")

    def __init__(self, before: int = 0) -> None:
        self._tokens: deque[tuple[int, int, TokenLogprob]] = deque()
        self._came = before
        self._released = 0

    def take(self, text: str, tokens: Sequence[TokenLogprob]) -> None:
        """A delta has come."""
        at, end = self._came, self._came + len(text)
        exact = sum(len(token.token) for token in tokens) == len(text)
        for token in tokens:
            upto = at + len(token.token) if exact else end
            self._tokens.append((at, upto, token))
            at = upto if exact else at
        self._came = end

    def release(self, length: int, changed: Sequence[tuple[int, int]]) -> tuple[TokenLogprob, ...]:
        """The tokens of the next ``length`` characters; ``changed`` are places among these."""
        base = self._released
        self._released = base + length
        given: list[TokenLogprob] = []
        while self._tokens and self._tokens[0][1] <= self._released:
            start, end, token = self._tokens.popleft()
            if not any(start < base + till and base + since < max(end, start + 1) for since, till in changed):
                given.append(token)
        return tuple(given)
