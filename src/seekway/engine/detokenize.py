"""Token ids to text as they come: never half a character, in time linear in the tokens."""

from __future__ import annotations

import codecs
from collections.abc import Iterable

from seekway.core.types import TokenLogprob, TopLogprob
from seekway.engine.base import SampledToken
from seekway.engine.gguf.tokenizer import TextTokenizer

_UTF8 = codecs.getincrementaldecoder("utf-8")


class Detokenizer:
    """One sequence's text; ``hidden`` token ids leave no trace in it.

    A byte-level token may end within a character; its bytes wait for the next token's.
    Bytes that can never become a character come out as U+FFFD, the last ones at :meth:`finish`.
    """

    def __init__(self, tokenizer: TextTokenizer, hidden: frozenset[int]) -> None:
        self._bytes_of = tokenizer.token_bytes
        self._hidden = hidden
        self._decode = _UTF8("replace").decode

    def feed(self, tokens: Iterable[SampledToken]) -> str:
        hidden = self._hidden
        bytes_of = self._bytes_of
        return self._decode(b"".join([bytes_of(token.id) for token in tokens if token.id not in hidden]))

    def finish(self) -> str:
        return self._decode(b"", True)


def token_logprob(tokenizer: TextTokenizer, token: SampledToken) -> TokenLogprob:
    """``token`` as the API shows it, with the bytes that let a client join pieces of characters."""
    data = tokenizer.token_bytes(token.id)
    top = tuple(
        TopLogprob(tokenizer.token_text(other), logprob, tuple(tokenizer.token_bytes(other)))
        for other, logprob in token.top
    )
    return TokenLogprob(data.decode("utf-8", "replace"), token.logprob or 0.0, tuple(data), top)
