"""Fill-in-the-middle prompts, from the tokens that a model has for them."""

from __future__ import annotations

from typing import Final

import msgspec

from seekway.core.errors import UnsupportedParameter
from seekway.engine.gguf.header import GgufHeader
from seekway.engine.gguf.tokenizer import TextTokenizer

_NAMES: Final = (
    ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
    ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
    ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
)
"""Before the prefix, before the suffix, before the middle: DeepSeek, Qwen, StarCoder."""

_ENDS: Final = ("<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<fim_pad>", "<reponame>", "<repo_name>", "<file_sep>")
_KEYS: Final = tuple(f"tokenizer.ggml.fim_{name}_token_id" for name in ("pre", "suf", "mid"))


class FimTokens(msgspec.Struct, frozen=True):
    """Ids that stand before the prefix, the suffix and the middle; ``ends`` are those that end a filled-in middle."""

    prefix: int
    suffix: int
    middle: int
    ends: frozenset[int]

    def prompt(self, tokenizer: TextTokenizer, prefix: str, suffix: str) -> list[int]:
        """Prefix, suffix, then the place where the model writes the middle; the client's two texts become no special tokens."""
        begin = [tokenizer.bos_id] if tokenizer.add_bos and tokenizer.bos_id is not None else []
        return [
            *begin,
            self.prefix,
            *tokenizer.encode_plain(prefix),
            self.suffix,
            *tokenizer.encode_plain(suffix),
            self.middle,
        ]


def fim_tokens_of(header: GgufHeader, tokenizer: TextTokenizer) -> FimTokens | None:
    """The model's tokens by its metadata, else by known names; None for a model that was not taught to fill in."""
    ends = frozenset(found for name in _ENDS if (found := tokenizer.special_id(name)) is not None)
    candidates = [tuple(header.optional_integer(key) for key in _KEYS)]
    candidates += [tuple(tokenizer.special_id(name) for name in names) for names in _NAMES]
    for before, after, middle in candidates:
        if before is None or after is None or middle is None:
            continue
        if all(0 <= token < tokenizer.n_vocab for token in (before, after, middle)):
            return FimTokens(before, after, middle, ends)
    return None


def require_fim(tokens: FimTokens | None) -> FimTokens:
    if tokens is None:
        raise UnsupportedParameter(
            "This model cannot fill in a middle; leave out suffix, or choose a model that can.", param="suffix"
        )
    return tokens
