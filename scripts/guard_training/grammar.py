"""Template files: one template a line, ``{a|b}`` a choice, ``<name>`` a word of that slot, ``#! key=value`` the family's marks."""

from __future__ import annotations

import random
from pathlib import Path
from typing import NamedTuple

DEEPEST = 12
MOST_CHARS = 4_000


class Family(NamedTuple):
    """The templates of one file; ``marks`` are those of its first line."""

    name: str
    language: str
    marks: dict[str, str]
    templates: list[str]


def read_slots(path: Path) -> dict[str, list[str]]:
    slots: dict[str, list[str]] = {}
    current: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("[") and line.endswith("]"):
            current = slots.setdefault(line[1:-1], [])
        elif line.strip():
            current.append(line.strip())
    return slots


def read_family(path: Path) -> Family:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    marks = dict(mark.split("=", 1) for mark in lines[0].removeprefix("#!").split())
    return Family(path.stem, path.parent.name, marks, [line.replace("\\n", "\n") for line in lines[1:]])


def _closing(text: str, opened: int) -> int:
    depth = 0
    for index in range(opened, len(text)):
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if depth == 0:
            return index
    return -1


def _choices(text: str) -> list[str]:
    parts: list[str] = []
    depth, last = 0, 0
    for index, char in enumerate(text):
        depth += {"{": 1, "}": -1}.get(char, 0)
        if char == "|" and depth == 0 and text[index - 1 : index] != "\\":
            parts.append(text[last:index])
            last = index + 1
    return [*parts, text[last:]]


def expand(template: str, slots: dict[str, list[str]], rng: random.Random, depth: int = 0) -> str:
    """One text of ``template``; what is no slot and no choice stays as it stands, JSON and tags among it."""
    out: list[str] = []
    index = 0
    while index < len(template) and depth < DEEPEST:
        char = template[index]
        if char == "{" and (end := _closing(template, index)) > 0:
            choices = _choices(template[index + 1 : end])
            inner = expand(rng.choice(choices), slots, rng, depth + 1)
            out.append(inner if len(choices) > 1 or "<" in template[index:end] else "{" + inner + "}")
            index = end + 1
        elif char == "<" and (end := template.find(">", index)) > 0 and template[index + 1 : end] in slots:
            out.append(expand(rng.choice(slots[template[index + 1 : end]]), slots, rng, depth + 1))
            index = end + 1
        else:
            out.append(char)
            index += 1
    return "".join(out).replace("\\|", "|")[:MOST_CHARS]
