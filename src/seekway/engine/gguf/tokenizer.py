"""Builds a model's tokenizer from its GGUF header, on the ``tokenizers`` library.

Two kinds exist in GGUF files: ``gpt2`` (byte-level BPE with merges) and ``llama`` (SentencePiece BPE with scores).
Engines get token ids from here and give token ids back; no engine's own tokenizer is used, since some split special tokens.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, cast

from tokenizers import AddedToken, Tokenizer, models, normalizers

from seekway.core.errors import InvalidParameter, ModelFileError
from seekway.engine.gguf.header import GgufHeader
from seekway.engine.gguf.pretokenizer import normalizer_of, pretokenizer_of
from seekway.engine.special_text import SpecialTexts, TakesTokens

_UNKNOWN: Final = 2
_CONTROL: Final = 3
_USER_DEFINED: Final = 4
_BYTE: Final = 6
_SPACE: Final = "\u2581"
_END_OF_TURN: Final = (
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|endoftext|>",
    "<|EOT|>",
    "<|end|>",
    "<end_of_turn>",
    "<｜end▁of▁sentence｜>",
)
_MARKER_SIGNS: Final = ("|", "｜", "think", "tool", "fim_")
_MAX_TOKENS: Final = 1_000_000


class TextTokenizer:
    """Text to token ids and back to bytes; safe to use from several threads."""

    def __init__(self, header: GgufHeader) -> None:
        """Raises ``ModelFileError`` when the file holds no tokenizer, a contradictory one or one of an unknown kind."""
        self._tokens = header.strings("tokenizer.ggml.tokens")
        if not 0 < len(self._tokens) <= _MAX_TOKENS:
            raise ModelFileError(
                f"{header.path.name} holds no tokenizer of 1 to {_MAX_TOKENS:,} tokens; use another file."
            )
        types = header.integers("tokenizer.ggml.token_type") or [1] * len(self._tokens)
        if len(types) != len(self._tokens):
            raise ModelFileError(f"{header.path.name}: the tokenizer's tokens and token types differ in number.")
        self._types = types
        self._longest = max(map(len, self._tokens))
        self._byte_level = header.string("tokenizer.ggml.model") == "gpt2"
        self.bos_id = self._valid_id(header, "tokenizer.ggml.bos_token_id")
        self.eos_id = self._valid_id(header, "tokenizer.ggml.eos_token_id")
        self.add_bos = header.boolean("tokenizer.ggml.add_bos_token", default=not self._byte_level)
        self._special = {
            text: i for i, text in enumerate(self._tokens) if types[i] in (_CONTROL, _USER_DEFINED) and text
        }
        self.control_ids = frozenset(i for i, kind in enumerate(types) if kind == _CONTROL)
        self.end_ids = self._find_end_ids(header)
        markers = [text for text, i in self._special.items() if types[i] == _CONTROL or _structures(text, header)]
        self.special_texts = SpecialTexts(markers)
        self._tokenizer, self._plain = _build(header, self._tokens, types, frozenset(markers))
        self.token_bytes = lru_cache(maxsize=65_536)(self._token_bytes)

    def least_tokens(self, characters: int) -> int:
        """So many tokens at least has a text of so many characters, known without reading it.

        A quarter of what the longest token says: normalization to composed characters may shorten a text by so much.
        Tokenizers that are not byte-level may take any run of unknown characters as one token; for them it is 0.
        """
        return characters // (4 * self._longest) if self._byte_level else 0

    @property
    def n_vocab(self) -> int:
        return len(self._tokens)

    @property
    def bos_text(self) -> str:
        return "" if self.bos_id is None else self._tokens[self.bos_id]

    @property
    def eos_text(self) -> str:
        return "" if self.eos_id is None else self._tokens[self.eos_id]

    def special_id(self, text: str) -> int | None:
        """The id of the control or user-defined token ``text``, None when the model has no such token."""
        return self._special.get(text)

    def encode(self, text: str, *, add_bos: bool = False, mark: str = "") -> list[int]:
        """Token ids of ``text``; special tokens written in it become single ids.

        Raises ``InvalidParameter`` for text that is not valid Unicode.
        ``add_bos`` puts the beginning-of-sequence token first where the model wants one and ``text`` does not begin with it.
        ``mark`` is a :class:`Shield`'s: what it takes apart becomes no special token, and it leaves no trace itself.
        """
        ids = self._encode_marked(text, mark) if mark and mark in text else _ids(self._tokenizer, text)
        if add_bos and self.add_bos and self.bos_id is not None and ids[:1] != [self.bos_id]:
            ids.insert(0, self.bos_id)
        return ids

    def encode_plain(self, text: str) -> list[int]:
        """Token ids of a client's text: what spells a special token stays text. Raises as :meth:`encode`."""
        return _ids(self._plain, text)

    def token_text(self, token_id: int) -> str:
        """``token_id`` as text on its own; bytes that are no whole character become U+FFFD."""
        return self.token_bytes(token_id).decode("utf-8", "replace")

    def _token_bytes(self, token_id: int) -> bytes:
        if not 0 <= token_id < len(self._tokens):
            return b""
        text, kind = self._tokens[token_id], self._types[token_id]
        if kind in (_CONTROL, _USER_DEFINED):
            return text.encode()
        if self._byte_level:
            byte_of = _byte_of_character()
            # A piece outside the byte alphabet, as padding tokens are, stands for its own text.
            return bytes(byte_of[c] for c in text) if all(c in byte_of for c in text) else text.encode()
        if kind == _BYTE:
            return bytes((int(text[3:5], 16),))
        return text.replace(_SPACE, " ").encode()

    def _encode_marked(self, text: str, mark: str) -> list[int]:
        ids: list[int] = []
        done = 0
        for begin, end in (*self.special_texts.find(text), (len(text), len(text))):
            ids += _ids(self._plain, text[done:begin].replace(mark, ""))
            if begin < end:
                ids.append(self._special[text[begin:end]])
            done = end
        return ids

    def _valid_id(self, header: GgufHeader, key: str) -> int | None:
        found = header.optional_integer(key)
        return found if found is not None and 0 <= found < len(self._tokens) else None

    def _find_end_ids(self, header: GgufHeader) -> frozenset[int]:
        ids = {self.eos_id}
        ids.update(self._valid_id(header, f"tokenizer.ggml.{name}_token_id") for name in ("eot", "eom"))
        ids.update(self._special.get(text) for text in _END_OF_TURN)
        return frozenset(i for i in ids if i is not None)


def _ids(tokenizer: Tokenizer, text: str) -> list[int]:
    try:
        return tokenizer.encode(text, add_special_tokens=False).ids
    except TypeError as error:
        raise InvalidParameter(
            "The text holds half of a surrogate pair; send valid Unicode.", param="messages"
        ) from error


def _structures(text: str, header: GgufHeader) -> bool:
    """Whether a user-defined token is a marker; some files have ordinary letters and white space among them."""
    if len(text) < 3 or (text[0], text[-1]) not in (("<", ">"), ("[", "]")):
        return False
    return any(sign in text for sign in _MARKER_SIGNS) or text in header.string("tokenizer.chat_template")


def _build(
    header: GgufHeader, tokens: list[str], types: list[int], markers: frozenset[str]
) -> tuple[Tokenizer, Tokenizer]:
    """The tokenizer that knows all special tokens, and the one that knows no ``markers``; they share the model's memory."""
    kind = header.string("tokenizer.ggml.model")
    if kind == "gpt2":
        tokenizer = _byte_level(header, tokens)
    elif kind == "llama":
        tokenizer = _sentencepiece(header, tokens, types)
    else:
        raise ModelFileError(
            f"{header.path.name} has a tokenizer of kind {kind or 'unknown'!r}; models with kinds 'gpt2' and 'llama' are served."
        )
    added = [
        AddedToken(text, special=types[i] == _CONTROL, normalized=False)
        for i, text in enumerate(tokens)
        if types[i] in (_CONTROL, _USER_DEFINED) and text
    ]
    plain = Tokenizer(tokenizer.model)
    plain.pre_tokenizer = tokenizer.pre_tokenizer
    plain.normalizer = tokenizer.normalizer
    cast("TakesTokens", plain).add_tokens([token for token in added if token.content not in markers])
    cast("TakesTokens", tokenizer).add_tokens(added)
    return tokenizer, plain


def _byte_level(header: GgufHeader, tokens: list[str]) -> Tokenizer:
    name = header.string("tokenizer.ggml.pre", "default")
    pretokenizer = pretokenizer_of(name)
    if pretokenizer is None:
        raise ModelFileError(
            f"{header.path.name} splits text in the way {name!r}, which is not known here; update Seekway or use another model."
        )
    vocab = _vocab(tokens)
    merges: list[tuple[str, str]] = []
    for merge in header.strings("tokenizer.ggml.merges"):
        left, _, right = merge.partition(" ")
        if left + right not in vocab or left not in vocab or right not in vocab:
            raise ModelFileError(f"{header.path.name}: the tokenizer merges pieces that it does not have.")
        merges.append((left, right))
    # Llama 3's vocabulary holds whole words that no chain of merges reaches.
    model = models.BPE(vocab=vocab, merges=merges, ignore_merges=name in ("llama-bpe", "llama3", "llama-v3"))
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pretokenizer
    normalizer = normalizer_of(name)
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    return tokenizer


def _sentencepiece(header: GgufHeader, tokens: list[str], types: list[int]) -> Tokenizer:
    scores = header.numbers("tokenizer.ggml.scores")
    if len(scores) != len(tokens):
        raise ModelFileError(f"{header.path.name}: the tokenizer's tokens and scores differ in number.")
    vocab = _vocab(tokens)
    # SentencePiece joins the neighbours whose union scores best; as merges, that is every split of a piece, best piece first.
    ranked: list[tuple[float, int, str, str]] = []
    for i, text in enumerate(tokens):
        if types[i] in (_UNKNOWN, _CONTROL, _USER_DEFINED, _BYTE):
            continue
        for at in range(1, len(text)):
            left, right = text[:at], text[at:]
            if left in vocab and right in vocab:
                ranked.append((-scores[i], i, left, right))
    ranked.sort(key=lambda merge: merge[:2])
    unknown = header.optional_integer("tokenizer.ggml.unknown_token_id")
    model = models.BPE(
        vocab=vocab,
        merges=[(left, right) for _, _, left, right in ranked],
        unk_token=tokens[unknown] if unknown is not None and unknown < len(tokens) else None,
        fuse_unk=True,
        byte_fallback=True,
    )
    tokenizer = Tokenizer(model)
    steps: list[normalizers.Normalizer] = [normalizers.Replace(" ", _SPACE)]
    if header.boolean("tokenizer.ggml.add_space_prefix", default=True):
        steps.insert(0, normalizers.Prepend(_SPACE))
    tokenizer.normalizer = normalizers.Sequence(steps)
    return tokenizer


def _vocab(tokens: list[str]) -> dict[str, int]:
    # Of two equal texts the first keeps the id, as in llama.cpp.
    vocab: dict[str, int] = {}
    for i, text in enumerate(tokens):
        vocab.setdefault(text, i)
    return vocab


@lru_cache(maxsize=1)
def _byte_of_character() -> dict[str, int]:
    """GPT-2's alphabet, read backwards: printable Latin-1 bytes stand for themselves, the rest for U+0100 upwards."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + n): byte for n, byte in enumerate(others)}
