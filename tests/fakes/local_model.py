"""A local model over a scripted engine, with a tokenizer of one token a byte."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from seekway.core.types import ModelInfo
from seekway.engine.base import SampledToken, TokenChunk
from seekway.engine.chat_template import ChatTemplate
from seekway.engine.fim import fim_tokens_of
from seekway.engine.gguf.header import read_header
from seekway.engine.gguf.tokenizer import TextTokenizer
from seekway.engine.local_model import LocalModel
from seekway.engine.plan import Planner, SamplingDefaults
from tests.fakes.engine import FakeEngine
from tests.fakes.gguf_file import CHATML, byte_level_values, write_gguf

THINKING_TEMPLATE = CHATML + "{# thinks, ends it with </think> #}"


def make_tokenizer(directory: Path, *, extra: Sequence[str] = ()) -> TextTokenizer:
    return TextTokenizer(read_header(write_gguf(directory / "m.gguf", byte_level_values(extra=extra))))


def make_model(directory: Path, engine: FakeEngine, *, template: str = CHATML, extra: Sequence[str] = ()) -> LocalModel:
    header = read_header(write_gguf(directory / "m.gguf", byte_level_values(template, extra=extra)))
    tokenizer = TextTokenizer(header)
    chat = ChatTemplate(template, tokenizer.special_texts)
    planner = Planner(engine, tokenizer, chat, fim_tokens_of(header, tokenizer), SamplingDefaults())
    return LocalModel(ModelInfo("m", "1", "tests", "test", ("chat",)), planner, engine)


def script(
    tokenizer: TextTokenizer,
    text: str,
    *,
    finish: Literal["stop", "length"] | None = "stop",
    cached: int = 0,
    logprob: float | None = None,
) -> list[TokenChunk]:
    """One token a chunk, then a chunk that ends; no such last chunk when ``finish`` is None."""
    chunks = [TokenChunk((SampledToken(i, logprob),)) for i in tokenizer.encode(text)]
    if finish is not None:
        chunks.append(TokenChunk((), finish, cached))
    return chunks
