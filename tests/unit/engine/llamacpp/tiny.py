"""The tiny models under tests/fixtures/tiny, and what transformers says of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from seekway.engine.base import EngineOptions, SampledToken, TokenChunk, TokenRequest
from seekway.engine.gguf.header import read_header
from seekway.engine.llamacpp.engine import LlamaCppEngine, load_llamacpp

TINY = Path(__file__).parents[3] / "fixtures" / "tiny"


class Step(msgspec.Struct):
    id: int
    logprob: float
    top: list[tuple[int, float]]


class Case(msgspec.Struct):
    text: str
    prompt: list[int]
    steps: list[Step]


class Reference(msgspec.Struct):
    cases: list[Case]
    last_token_embeddings: list[list[float]] = []


def reference(name: str) -> Reference:
    return msgspec.json.decode((TINY / f"{name}.json").read_bytes(), type=Reference)


def quiet(step: str, done: float) -> None:
    """Progress that nobody watches."""


@asynccontextmanager
async def loaded(name: str, **options: Any) -> AsyncGenerator[LlamaCppEngine]:
    chosen: dict[str, Any] = {"context_length": 512, "max_running": 4, "threads": 2, "kv_cache": "f16"} | options
    engine = await load_llamacpp(EngineOptions(model_path=TINY / f"{name}.gguf", **chosen), quiet)
    try:
        yield engine
    finally:
        await engine.close()


def request(prompt: list[int] | tuple[int, ...], max_tokens: int = 16, **more: Any) -> TokenRequest:
    parameters: dict[str, Any] = {"temperature": 0.0} | more
    return TokenRequest(id="r", prompt=tuple(prompt), max_tokens=max_tokens, **parameters)


async def collect(engine: LlamaCppEngine, wanted: TokenRequest) -> tuple[list[SampledToken], TokenChunk]:
    """All tokens, and the last chunk."""
    tokens: list[SampledToken] = []
    last = TokenChunk()
    async for last in engine.generate(wanted):
        tokens += last.tokens
    return tokens, last


def ids(tokens: list[SampledToken]) -> list[int]:
    return [token.id for token in tokens]


def token_id(name: str, text: str) -> int:
    """The id of a token as the GGUF writes it."""
    return read_header(TINY / f"{name}.gguf").strings("tokenizer.ggml.tokens").index(text)


def text_of(name: str, tokens: list[SampledToken]) -> str:
    """What byte-level tokens write."""
    texts = read_header(TINY / f"{name}.gguf").strings("tokenizer.ggml.tokens")
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    letters = {chr(byte): byte for byte in printable}
    letters |= {chr(0x100 + n): byte for n, byte in enumerate(b for b in range(256) if b not in printable)}
    return bytes(letters[letter] for token in tokens for letter in texts[token.id]).decode()
