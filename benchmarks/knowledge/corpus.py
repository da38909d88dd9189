"""Made-up passages and questions, and vectors in clusters, in a folder that every contestant reads.

Words follow Zipf's law (Mandelbrot's form); Chinese words are those of jieba's dictionary, English ones two to four syllables.
Vectors share a direction, as embeddings of texts do, and lie in clusters around 300 centres; a question's vector lies near its passage's.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import rjieba

from seekway.knowledge.index.terms.analysis import terms
from seekway.knowledge.ports import Vectors

DIMENSIONS = 384
DOCUMENT = 100
"""Passages in a document."""
_WORDS = 40_000
_CHINESE_WORDS = 20_000
_CENTRES = 300


class Text(msgspec.Struct, frozen=True):
    """``terms`` is the same text segmented by Seekway, for those who cannot segment Chinese."""

    text: str
    terms: str


def make(folder: Path, passages: int, questions: int) -> None:
    rng, dice = np.random.default_rng(passages), random.Random(passages)
    ranks = np.arange(1, _WORDS + 1)
    shares = 1 / (ranks + 2.7) ** 1.05
    ends = np.cumsum(shares / shares.sum())
    languages = (_chinese(dice), _english(dice))
    texts: list[list[str]] = []
    for number in range(passages):
        chosen = np.searchsorted(ends, rng.random(int(rng.integers(60, 180))))
        words = languages[number % 2]
        texts.append([words[min(int(place), _WORDS - 1)] for place in chosen])
    vectors = _vectors(rng, passages)
    asked = [dice.randrange(passages) for _ in range(questions)]
    near = vectors[asked] + rng.standard_normal((questions, DIMENSIONS), dtype=np.float32) * 0.02
    _write(folder / "passages.jsonl", (_joined(words, number % 2) for number, words in enumerate(texts)))
    _write(folder / "questions.jsonl", (_joined(_some(texts[place], dice), place % 2) for place in asked))
    np.save(folder / "vectors.npy", vectors)
    np.save(folder / "near.npy", _unit(near))


def _some(words: list[str], dice: random.Random) -> list[str]:
    """Words that stand together in a passage, and one that stands elsewhere in it."""
    count = dice.randint(4, 9)
    start = dice.randrange(len(words) - count)
    return [*words[start : start + count], dice.choice(words)]


def _joined(words: list[str], language: int) -> Text:
    text = " ".join(words) if language else "".join(words)
    return Text(text, " ".join(terms(text)))


def _write(path: Path, texts: Iterator[Text]) -> None:
    with path.open("wb") as file:
        for text in texts:
            file.write(msgspec.json.encode(text) + b"\n")


def _chinese(dice: random.Random) -> list[str]:
    """Words of jieba's dictionary, a tenth of them single characters."""
    characters = [bytes((row, cell)).decode("gb2312") for row in range(0xB0, 0xD7) for cell in range(0xA1, 0xFA)]
    known = rjieba.Jieba()
    words: dict[str, None] = {}
    while len(words) < _CHINESE_WORDS:
        word = dice.choice(characters) + dice.choice(characters)
        if known.has_word(word):
            words[word] = None
    found = list(words)
    return [dice.choice(characters) if number % 10 == 0 else dice.choice(found) for number in range(_WORDS)]


def _english(dice: random.Random) -> list[str]:
    syllables = [first + middle + last for first in "bcdfglmnprstvw" for middle in "aeiou" for last in ("", "n", "r")]
    return ["".join(dice.choice(syllables) for _ in range(dice.randint(2, 4))) for _ in range(_WORDS)]


def _vectors(rng: np.random.Generator, count: int) -> Vectors:
    centres = rng.standard_normal((_CENTRES, DIMENSIONS), dtype=np.float32)
    shared = 2 * rng.standard_normal(DIMENSIONS, dtype=np.float32)
    own = rng.standard_normal((count, DIMENSIONS), dtype=np.float32)
    return _unit(0.8 * centres[rng.integers(_CENTRES, size=count)] + 0.7 * own + shared)


def _unit(vectors: npt.NDArray[np.floating]) -> Vectors:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
