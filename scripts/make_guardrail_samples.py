"""Makes the harmless texts that ship with the guardrails, from the patterns in ``guardrail_samples/``; ``--check`` only compares.

The same patterns give the same file on every machine: all chance comes from hashes of what is chosen from.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from seekway.pipeline.guardrails.evaluation import BENIGN, Part

PATTERNS = Path(__file__).parent / "guardrail_samples"
SAMPLES = Path(__file__).parent.parent / "src/seekway/pipeline/guardrails/samples"
FILLINGS = 11
"""The most lines that one pattern gives."""
PARAGRAPHS = 14
"""Longer texts of each topic, of three to six of its lines, as documents and answers are."""


class Line(msgspec.Struct, frozen=True):
    text: str
    label: str
    part: Part
    source: str


def main() -> None:
    stale: list[str] = []
    for language in ("en", "zh"):
        made = b"".join(msgspec.json.encode(line) + b"\n" for line in lines(language))
        path = SAMPLES / f"benign-{language}.jsonl"
        if "--check" not in sys.argv[1:]:
            path.write_bytes(made)
        elif path.read_bytes() != made:
            stale.append(path.name)
    if stale:
        raise SystemExit(f"{', '.join(stale)}: run python scripts/make_guardrail_samples.py")


def lines(language: str) -> Iterator[Line]:
    slots, topics = read_patterns((PATTERNS / f"benign-{language}.txt").read_text("utf-8"))
    for topic, patterns in topics.items():
        single = [text for pattern in patterns for text in fill(pattern, slots)]
        yield from (Line(text, BENIGN, "input", topic) for text in single)
        for number in range(PARAGRAPHS):
            chosen = shuffled(single, f"{topic} {number}")[: 3 + number % 4]
            text = "".join(chosen) if language == "zh" else " ".join(chosen)
            yield Line(text, BENIGN, "output" if number % 2 else "documents", topic)


def read_patterns(text: str) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The values of each slot, and the patterns of each topic."""
    slots: dict[str, list[str]] = {}
    topics: dict[str, list[str]] = {}
    topic = ""
    for line in text.splitlines():
        if line.startswith("["):
            topic = line[1:-1]
        elif line and not line.startswith("#"):
            if topic == "slots":
                name, _, values = line.partition(" = ")
                slots[name] = values.split(" | ")
            else:
                topics.setdefault(topic, []).append(line)
    return slots, topics


def fill(pattern: str, slots: dict[str, list[str]]) -> list[str]:
    """At most ``FILLINGS`` texts, no two alike, each slot going through its values."""
    names = re.findall(r"{(\w+)}", pattern)
    if not names:
        return [pattern]
    orders = {name: shuffled(slots[name], pattern + name) for name in names}
    texts: dict[str, None] = {}
    for number in range(max(len(order) for order in orders.values())):
        values = {name: order[number % len(order)] for name, order in orders.items()}
        texts[pattern.format(**values)] = None
    return list(texts)[:FILLINGS]


def shuffled(values: Sequence[str], salt: str) -> list[str]:
    return sorted(values, key=lambda value: hashlib.sha256(f"{salt}\n{value}".encode()).digest())


if __name__ == "__main__":
    main()
