"""The texts the classifier learns from: generated families, texts of packages, attacks hidden in documents, disguises."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from scripts.guard_training.grammar import Family, expand, read_family, read_slots
from scripts.guard_training.packages import PackageText, package_texts

TEXTS = Path(__file__).parent / "texts"
ATTACKS_A_TEMPLATE = 24
BENIGN_A_TEMPLATE = 16
DISGUISED_SHARE = 0.12
LONGEST = 6_000
PARTS = 4
"""A family can be held out whole, or in parts that each have templates of their own."""

Where = Literal["direct", "untrusted"]


class Example(NamedTuple):
    """A text with its label; ``start`` and ``end`` bound the attack within it."""

    text: str
    attack: bool
    jailbreak: bool
    where: Where
    language: str
    source: str
    start: int
    end: int


def _plain(text: str, family: Family, where: Where, attack: bool) -> Example:
    jailbreak = family.marks.get("kind") == "jailbreak"
    return Example(text, attack, jailbreak, where, family.language, f"{family.language}/{family.name}", 0, len(text))


def _spaced(text: str) -> str:
    return "  ".join(" ".join(word) for word in text.split())


def _dotted(text: str) -> str:
    return "*".join(text[:60]) + text[60:]


def _full_width(text: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)


def _leet(text: str) -> str:
    return text.translate(str.maketrans("aeiost", "4310$7"))


def _zero_width(text: str) -> str:
    return "\u200b".join(text)


READ_THROUGH: dict[str, tuple[Callable[[str], str], ...]] = {
    "en": (_spaced, _full_width, _leet, _zero_width, str.upper),
    "zh": (_dotted, _full_width, _zero_width),
}
"""Disguises that folding undoes; codes are decoded before they are scored, and nothing is to be learned of them."""

HIDING = (
    "{}", "{}", "{}", "\n\n{}\n\n", "\n{}\n", "<!-- {} -->", "<p>{}</p>", "\n---\n{}\n---\n", "({})", "[{}]", "\n> {}\n",
    "\n# {}\n", "**{}**", '"{}"', "\n- {}\n", "<span style='display:none'>{}</span>", "\n/* {} */\n", "\\n{}\\n",
)  # fmt: skip


def _hidden(attack: Example, carrier: str, rng: random.Random) -> Example:
    """``attack`` somewhere in ``carrier``, between two of its sentences where it has any."""
    stops = [index + 1 for index, char in enumerate(carrier) if char in ".。\n！!?？;；"]
    at = rng.choice([0, len(carrier), *stops])
    before, after = rng.choice(HIDING).split("{}")
    head = carrier[:at] + before
    text = f"{head} {attack.text} {after}{carrier[at:]}"
    start = len(head) + 1
    return attack._replace(text=text, where="untrusted", start=start, end=start + len(attack.text))


def _families(language: str, prefix: str) -> list[Family]:
    return [read_family(path) for path in sorted((TEXTS / language).glob(f"{prefix}.*.txt"))]


def _where(family: Family) -> Where:
    return "untrusted" if family.marks["where"] == "untrusted" else "direct"


def _generated(language: str, rng: random.Random) -> tuple[list[Example], list[Example]]:
    slots = read_slots(TEXTS / language / "slots.txt")
    attacks: list[Example] = []
    benign: list[Example] = []
    for family in _families(language, "attack"):
        for number, template in enumerate(family.templates):
            part = family._replace(name=f"{family.name}.{number % PARTS}")
            texts = dict.fromkeys(expand(template, slots, rng) for _ in range(ATTACKS_A_TEMPLATE))
            attacks.extend(_plain(text, part, _where(family), attack=True) for text in texts)
    for family in _families(language, "benign"):
        for number, template in enumerate(family.templates):
            part = family._replace(name=f"{family.name}.{number % PARTS}")
            texts = dict.fromkeys(expand(template, slots, rng) for _ in range(BENIGN_A_TEMPLATE))
            benign.extend(_plain(text, part, _where(family), attack=False) for text in texts)
    return attacks, benign


def _of_package(text: PackageText) -> Example:
    body = text.text[:LONGEST]
    return Example(body, text.attack, text.attack, text.where, text.language, text.source, 0, len(body))


def _joined(pieces: list[Example], rng: random.Random, count: int) -> list[Example]:
    """Documents made of several pieces of one source, as long as real ones."""
    made: list[Example] = []
    for _ in range(count):
        first = rng.choice(pieces)
        alike = [piece.text for piece in pieces if piece.source == first.source]
        others = [rng.choice(alike) for _ in range(rng.randint(1, 5))]
        text = rng.choice(("\n", "\n\n", " ")).join([first.text, *others])[:LONGEST]
        made.append(first._replace(text=text, end=len(text)))
    return made


def make_examples(packages: Path, seed: int) -> list[Example]:
    """All texts, in an order that the seed decides alone."""
    rng = random.Random(seed)  # noqa: S311 - data, not secrets
    found = [_of_package(text) for text in package_texts(packages, rng)]
    examples: list[Example] = list(found)
    for language in ("en", "zh"):
        attacks, benign = _generated(language, rng)
        documents = [
            one for one in (*benign, *found) if not one.attack and one.where == "untrusted" and one.language == language
        ]
        own = [one for one in benign if one.where == "untrusted"]
        messages = [one for one in benign if one.where == "direct"]
        examples += benign
        examples += _joined(own, rng, 600) + _joined(messages, rng, 150)
        for attack in attacks:
            if rng.random() < DISGUISED_SHARE:
                text = rng.choice(READ_THROUGH[language])(attack.text)
                examples.append(attack._replace(text=text, end=len(text)))
            elif attack.where == "direct":
                examples.append(attack)
            carrier = rng.choice(documents).text[: rng.choice((150, 400, 900, 2_000))]
            if not attack.jailbreak or rng.random() < 0.3:
                examples.append(_hidden(attack, carrier, rng))
            if attack.where == "direct" and rng.random() < 0.25:
                prefix = rng.choice(messages).text
                text = f"{prefix} {attack.text}"
                examples.append(attack._replace(text=text, start=len(prefix) + 1, end=len(text)))
    rng.shuffle(examples)
    return examples
