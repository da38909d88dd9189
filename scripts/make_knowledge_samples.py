"""Cuts the handbook of ``examples/customer-service`` into the passages that ``seekway kb eval`` measures with; ``--check`` only compares.

A passage is what stands between one title and the next, or a question with its answer; nothing of it is changed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from seekway.knowledge.chunking.passages import title_paths
from seekway.knowledge.parsing.parse import parse
from seekway.knowledge.parsing.parsed import Parsed
from seekway.knowledge.samples.bundled import SamplePassage

ROOT = Path(__file__).parent.parent
HANDBOOK = ROOT / "examples/customer-service/handbook"
TARGET = ROOT / "src/seekway/knowledge/samples/passages.jsonl"
_HAN = re.compile("[\u4e00-\u9fff]")


def main() -> None:
    made = b"".join(msgspec.json.encode(passage) + b"\n" for passage in passages())
    if "--check" not in sys.argv[1:]:
        TARGET.write_bytes(made)
    elif TARGET.read_bytes() != made:
        raise SystemExit(f"{TARGET.name}: run python scripts/make_knowledge_samples.py")


def passages() -> Iterator[SamplePassage]:
    taken: set[str] = set()
    for path in sorted(HANDBOOK.rglob("*.*")):
        name = path.relative_to(HANDBOOK).with_suffix("").as_posix()
        parsed = parse(path.read_bytes(), path.name)
        for title, above, text in questions(parsed) if parsed.pairs else sections(parsed):
            made = SamplePassage(f"{name}#{title}", above, text, "zh" if _HAN.search(title) else "en")
            # A product's code is the same in both languages.
            made = msgspec.structs.replace(made, language="zh") if name.startswith("zh/") else made
            if made.id in taken:
                raise SystemExit(f"{path}: two sections are titled {title!r}; give each a title of its own")
            taken.add(made.id)
            yield made


def sections(parsed: Parsed) -> Iterator[tuple[str, str, str]]:
    """Of each title that has text of its own: the title, those above it with it, and the text with the title."""
    ends = [*(heading.start for heading in parsed.headings[1:]), len(parsed.text)]
    for heading, above, end in zip(parsed.headings, title_paths(parsed.headings), ends, strict=True):
        text = parsed.text[heading.start : end].strip()
        if "\n" in text:
            yield heading.text, above, text


def questions(parsed: Parsed) -> Iterator[tuple[str, str, str]]:
    for question, answer in parsed.pairs:
        yield question, question, f"{question}\n{answer}"


if __name__ == "__main__":
    main()
