"""How well a policy tells harm from harmless, on texts that carry a label: recall, false alarms and what was taken for what.

A file of examples is JSON Lines, one object a line::

    {"text": "…", "label": "benign", "part": "input", "source": "support tickets"}

``label`` is ``benign`` or the category that ought to be found; ``part`` (``input`` where it is missing) says as what the text is judged; ``source`` is free and gives a table of its own.
Here is only what counts: whoever calls runs the texts through a policy and hands over the verdicts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import msgspec

from seekway.core.errors import ConfigError

BENIGN = "benign"
NOTHING = "nothing"
"""The column of the confusion for texts in which nothing was found."""
NO_SOURCE = "(none given)"

Part = Literal["input", "documents", "output", "reasoning"]
Reaction = Literal["pass", "flag", "mask", "sanitise", "replace", "block"]
"""What a policy made of a text, from the mildest to the most severe."""

_Z95 = 1.959963984540054
_MOST_BAD_LINES_TOLD = 20


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One labelled text. ``line`` is its place in the file, from 1; 0 for one that is from no file."""

    text: str
    label: str
    part: Part = "input"
    source: str = ""
    line: int = 0


class Judged(msgspec.Struct, frozen=True):
    """An example with what a policy made of it; ``categories`` are those found, the one that decided first."""

    example: Example
    reaction: Reaction
    categories: tuple[str, ...] = ()

    @property
    def acted(self) -> bool:
        """Blocked or changed: what a user notices."""
        return self.reaction not in ("pass", "flag")

    @property
    def noticed(self) -> bool:
        return self.reaction != "pass"


class Rate(msgspec.Struct, frozen=True):
    """``hits`` of ``of``, as a share with its 95% confidence interval."""

    hits: int
    of: int

    @property
    def share(self) -> float | None:
        """``None`` where there is nothing to have a share of."""
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval (E. B. Wilson, JASA 22, 1927), which holds for few texts and for shares near 0 and 1 too."""
        if not self.of:
            return 0.0, 1.0
        share, n, z2 = self.hits / self.of, self.of, _Z95 * _Z95
        middle = (share + z2 / (2 * n)) / (1 + z2 / n)
        half = _Z95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
        # At the ends the formula gives exactly 0 and 1; floating point misses them by a hair.
        low = 0.0 if self.hits == 0 else max(0.0, middle - half)
        high = 1.0 if self.hits == n else min(1.0, middle + half)
        return low, high

    def __str__(self) -> str:
        if not self.of:
            return "–"
        low, high = self.interval
        return f"{100 * self.hits / self.of:.1f}% ({100 * low:.1f}–{100 * high:.1f}, {self.hits:,} of {self.of:,})"


class Recall(msgspec.Struct, frozen=True):
    """Of the harmful texts of one category, source or part: how many were acted on, were at least flagged, and got their own category."""

    name: str
    acted: Rate
    noticed: Rate
    named: Rate


class Alarms(msgspec.Struct, frozen=True):
    """Of the benign texts of one source or part: how many were acted on, and how many at least flagged."""

    name: str
    acted: Rate
    noticed: Rate


class Confusion(msgspec.Struct, frozen=True):
    """A row for each label, a column for each category found; each text counts once, so that a row adds up to its label's texts.

    A text in which several categories were found counts for its own label where that is among them, else for the first.
    """

    labels: tuple[str, ...]
    found: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class Evaluation(msgspec.Struct, frozen=True):
    """Everything that is told of one run; ``missed`` and ``alarmed`` are the texts behind the errors, in the file's order."""

    recall: Recall
    false_alarms: Alarms
    by_category: tuple[Recall, ...]
    by_source: tuple[Recall, ...]
    alarms_by_source: tuple[Alarms, ...]
    by_part: tuple[Recall, ...]
    alarms_by_part: tuple[Alarms, ...]
    precision: dict[str, Rate]
    confusion: Confusion
    missed: tuple[Judged, ...]
    alarmed: tuple[Judged, ...]


class Table(msgspec.Struct, frozen=True):
    """For whoever shows it: the terminal, a page, a file."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def read_examples(lines: Iterable[bytes], name: str, categories: Iterable[str] = ()) -> list[Example]:
    """The examples of a file called ``name``; empty lines are passed over.

    ``categories`` are the labels that exist beside ``benign``; none given: any will do.
    Raises ``ConfigError``, which names each bad line with its number and reason, the first twenty of them.
    """
    known = frozenset(categories)
    decoder = msgspec.json.Decoder(Example)
    examples: list[Example] = []
    bad: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        example = _read(decoder, line, known)
        if isinstance(example, str):
            bad.append(f"line {number}: {example}")
        else:
            examples.append(msgspec.structs.replace(example, line=number))
    if bad:
        more = f"; and {len(bad) - _MOST_BAD_LINES_TOLD:,} more" if len(bad) > _MOST_BAD_LINES_TOLD else ""
        raise ConfigError(f"Mend {name}: {'; '.join(bad[:_MOST_BAD_LINES_TOLD])}{more}.", param=name)
    if not examples:
        raise ConfigError(f'{name} has no examples; write one a line, as {{"text": "…", "label": "benign"}}.', param=name)  # fmt: skip
    return examples


def _read(decoder: msgspec.json.Decoder[Example], line: bytes, known: frozenset[str]) -> Example | str:
    """The example, or why there is none."""
    try:
        example = decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return str(error).rstrip(".")
    if not example.text.strip():
        return "text is empty"
    if not example.label:
        return "label is empty"
    if example.line:
        return "line is not for files to give"
    if known and example.label != BENIGN and example.label not in known:
        return f"there is no category {example.label!r}; there are {BENIGN}, {', '.join(sorted(known))}"
    return example


def evaluate(judged: Sequence[Judged]) -> Evaluation:
    harmful = [one for one in judged if one.example.label != BENIGN]
    benign = [one for one in judged if one.example.label == BENIGN]
    return Evaluation(
        recall=_recall("all", harmful),
        false_alarms=_alarms("all", benign),
        by_category=_recalls(harmful, lambda one: one.example.label),
        by_source=_recalls(harmful, lambda one: one.example.source),
        alarms_by_source=_alarms_by(benign, lambda one: one.example.source),
        by_part=_recalls(harmful, lambda one: one.example.part),
        alarms_by_part=_alarms_by(benign, lambda one: one.example.part),
        precision=_precision(judged),
        confusion=_confusion(judged),
        missed=tuple(one for one in harmful if not one.acted),
        alarmed=tuple(one for one in benign if one.acted),
    )


def tables(evaluation: Evaluation) -> list[Table]:
    """What a person reads, in order; tables that would repeat the first are left out."""
    found = [
        Table(
            "Overall",
            ("figure", "acted on", "at least flagged"),
            (
                ("recall", str(evaluation.recall.acted), str(evaluation.recall.noticed)),
                ("false alarms", str(evaluation.false_alarms.acted), str(evaluation.false_alarms.noticed)),
            ),
        )
    ]
    for title, recalls in (
        ("Recall by category", evaluation.by_category),
        ("Recall by source", evaluation.by_source),
        ("Recall by part", evaluation.by_part),
    ):
        if len(recalls) > 1 or (recalls and recalls is evaluation.by_category):
            rows = tuple((one.name or NO_SOURCE, str(one.acted), str(one.noticed), str(one.named)) for one in recalls)
            found.append(Table(title, ("", "acted on", "at least flagged", "under its own category"), rows))
    for title, alarms in (
        ("False alarms by source", evaluation.alarms_by_source),
        ("False alarms by part", evaluation.alarms_by_part),
    ):
        if len(alarms) > 1:
            rows = tuple((one.name or NO_SOURCE, str(one.acted), str(one.noticed)) for one in alarms)
            found.append(Table(title, ("", "acted on", "at least flagged"), rows))
    if evaluation.precision:
        rows = tuple((category, str(rate)) for category, rate in evaluation.precision.items())
        found.append(Table("Of the texts a category was found in, those labelled with it", ("category", "right"), rows))
    confusion = evaluation.confusion
    rows = tuple(
        (label, *(str(count) for count in counts))
        for label, counts in zip(confusion.labels, confusion.counts, strict=True)
    )
    found.append(Table("Label (rows) and what was found (columns)", ("", *confusion.found), rows))
    return found


def _recall(name: str, harmful: Sequence[Judged]) -> Recall:
    n = len(harmful)
    return Recall(
        name,
        acted=Rate(sum(one.acted for one in harmful), n),
        noticed=Rate(sum(one.noticed for one in harmful), n),
        named=Rate(sum(one.example.label in one.categories for one in harmful), n),
    )


def _alarms(name: str, benign: Sequence[Judged]) -> Alarms:
    n = len(benign)
    return Alarms(
        name, acted=Rate(sum(one.acted for one in benign), n), noticed=Rate(sum(one.noticed for one in benign), n)
    )


def _recalls(harmful: Sequence[Judged], key: Callable[[Judged], str]) -> tuple[Recall, ...]:
    return tuple(_recall(name, group) for name, group in _groups(harmful, key))


def _alarms_by(benign: Sequence[Judged], key: Callable[[Judged], str]) -> tuple[Alarms, ...]:
    return tuple(_alarms(name, group) for name, group in _groups(benign, key))


def _groups(judged: Sequence[Judged], key: Callable[[Judged], str]) -> list[tuple[str, list[Judged]]]:
    """By name, so that two runs over one file read alike whatever its order."""
    groups: dict[str, list[Judged]] = {}
    for one in judged:
        groups.setdefault(key(one), []).append(one)
    return sorted(groups.items())


def _precision(judged: Sequence[Judged]) -> dict[str, Rate]:
    """For each category found: of the texts it was found in, those whose label it is."""
    found = Counter(category for one in judged for category in set(one.categories))
    right = Counter(one.example.label for one in judged if one.example.label in one.categories)
    return {category: Rate(right[category], found[category]) for category in sorted(found)}


def _confusion(judged: Sequence[Judged]) -> Confusion:
    cells = Counter((one.example.label, _column(one)) for one in judged)
    labels = sorted({label for label, _ in cells}, key=lambda label: (label != BENIGN, label))
    found = sorted({column for _, column in cells}, key=lambda column: (column != NOTHING, column))
    counts = tuple(tuple(cells[label, column] for column in found) for label in labels)
    return Confusion(tuple(labels), tuple(found), counts)


def _column(one: Judged) -> str:
    if not one.categories:
        return NOTHING
    return one.example.label if one.example.label in one.categories else one.categories[0]
