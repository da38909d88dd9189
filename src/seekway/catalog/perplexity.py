"""How well a model predicts a text: the exponential of the mean negative log-likelihood a token.

The model is run by llama.cpp, which alone loads every architecture, and over windows of 512 tokens as llama.cpp's own tool does;
each window starts anew (with the BOS token where the model has one), and every token but a window's first is counted.
The shipped text is ours, English and Chinese: the figure compares two files of one model, not two models or published figures.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import msgspec

from seekway.catalog.ggml_library import GgmlLibrary
from seekway.core.errors import ModelFileError

OnFraction = Callable[[float], None]


class Perplexity(msgspec.Struct, frozen=True):
    """``error`` is one standard error of ``value``; ``tokens`` were counted."""

    value: float
    error: float
    tokens: int


def shipped_text() -> str:
    return files("seekway.catalog").joinpath("perplexity.txt").read_text("utf-8")


def measure_perplexity(
    path: Path, text: str | None = None, on_progress: OnFraction = lambda fraction: None, *, most_tokens: int = 4096
) -> Perplexity:
    """Perplexity of the GGUF file on ``text`` (the shipped one) or its first ``most_tokens``; blocks while it computes.

    Raises ``ModelFileError`` when llama.cpp cannot load the file or the text is shorter than two tokens.
    """
    model = GgmlLibrary().open_model(path)
    try:
        tokens = model.tokenize(shipped_text() if text is None else text)[:most_tokens]
        start = [] if model.first_token is None else [model.first_token]
        window = model.context_length - len(start)
        total = squares = 0.0
        count = 0
        for begin in range(0, len(tokens), window):
            part = [*start, *tokens[begin : begin + window]]
            if len(part) > 1:
                losses = -model.log_probabilities(part)
                total += float(losses.sum())
                squares += float((losses**2).sum())
                count += len(losses)
            on_progress(min(1.0, (begin + window) / len(tokens)))
    finally:
        model.close()
    if count == 0:
        raise ModelFileError("The text is too short to measure a perplexity on.")
    mean = total / count
    variance = max(0.0, squares / count - mean**2)
    value = math.exp(mean)
    return Perplexity(value, value * math.sqrt(variance / count), count)
