"""Chats of an exact length in tokens, each different from its first words on, so that no prefix cache can help."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec

from seekway.core.types import GenerateRequest, Message, Sampling
from seekway.engine.chat_template import ChatTemplate
from seekway.engine.gguf.header import read_header
from seekway.engine.gguf.tokenizer import TextTokenizer

_VOCABULARY = (
    "time year people way day man thing woman life child world school state family student group country "
    "problem hand part place case week company system program question work government number night point "
    "home water room mother area money story fact month lot right study book eye job word business issue side "
    "kind head house service friend father power hour game line end member law car city community name "
    "president team minute idea body information back parent face others level office door health person art "
    "war history party result change morning reason research girl moment air teacher force education river "
    "mountain forest winter summer garden letter window bridge market village engine"
)
_WORDS = _VOCABULARY.split()
_TASK = "Write a very long and detailed story in many chapters, at least two thousand words. It is about {} and {}. Use these words in it:"
_BEGIN = ". Begin with chapter one now."


class Chat(msgspec.Struct, frozen=True):
    """One conversation, in words for HTTP and gRPC and in tokens for the bare engine."""

    messages: tuple[Message, ...]
    tokens: list[int]


class Prompts:
    """Makes chats of ``length`` tokens for the model in ``path``; equal seeds make equal chats."""

    def __init__(self, path: Path, length: int) -> None:
        header = read_header(path)
        self._tokenizer = TextTokenizer(header)
        source = header.string("tokenizer.chat_template")
        tokenizer = self._tokenizer
        self._template = ChatTemplate(source, tokenizer.special_texts, bos=tokenizer.bos_text, eos=tokenizer.eos_text)
        self._length = length
        self._taken = 0
        self.end_ids = sorted(self._tokenizer.end_ids)

    def make(self, count: int) -> list[Chat]:
        """The next ``count`` chats."""
        first, self._taken = self._taken, self._taken + count
        return [self._chat(seed) for seed in range(first, self._taken)]

    def _chat(self, seed: int) -> Chat:
        choose = random.Random(seed).choice
        system = Message("system", f"{seed:06d} You are a writer of very long stories.")
        opening = _TASK.format(choose(_WORDS), choose(_WORDS))
        words: list[str] = []
        while True:
            user = Message("user", opening + "".join(f" {word}" for word in words) + _BEGIN)
            tokens = self._tokens((system, user))
            missing = self._length - len(tokens)
            if missing == 0:
                return Chat((system, user), tokens)
            if missing < 0:
                words.pop()
            # Half of what is missing at a time, since some words are two tokens.
            words += [choose(_WORDS) for _ in range(max(1, missing // 2))]

    def _tokens(self, messages: tuple[Message, ...]) -> list[int]:
        request = GenerateRequest(id="", model="", messages=messages, sampling=Sampling())
        prompt = self._template.render(request, thinking=None)
        return self._tokenizer.encode(prompt.text, add_bos=True, mark=prompt.mark)
