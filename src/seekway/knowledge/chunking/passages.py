"""From a cleaned document to its passages, by form and rule."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Protocol

from seekway.core.token_estimate import mixed_tokens
from seekway.knowledge.chunking.general import CountTokens, Cutter, Span
from seekway.knowledge.chunking.process_rule import FULL_DOC_TOKENS, ProcessRule, Segmentation, children_of
from seekway.knowledge.parsing.parsed import Heading, Parsed
from seekway.knowledge.passage import Passage


class Asker(Protocol):
    """A model that makes questions."""

    async def ask(self, text: str, language: str, /) -> Sequence[tuple[str, str]]:
        """Questions that ``text`` answers, with their answers, in ``language`` (as ``English``, or ``Chinese``); none where it answers none."""
        ...


def general_passages(parsed: Parsed, rule: ProcessRule, count: CountTokens = mixed_tokens) -> list[Passage]:
    """For ``text_model``."""
    rules = rule.effective
    spans = _cut(parsed, rules.segmentation, count, merged=rule.mode == "automatic")
    titles = _Titles(parsed.headings)
    return [
        Passage(position, parsed.text[span.start : span.end], span.start, span.end, heading=titles.above(span))
        for position, span in enumerate(spans, 1)
    ]


def parent_passages(parsed: Parsed, rule: ProcessRule, count: CountTokens = mixed_tokens) -> list[Passage]:
    """For ``hierarchical_model``: parents are paragraphs, or the document in parts of 10,000 tokens; their children are what is searched.

    Dify throws away what a document has beyond 10,000 tokens; here it becomes another parent.
    """
    rules = rule.effective
    if rules.parent_mode == "full-doc":
        starts = [heading.start for heading in parsed.headings]
        spans = Cutter(parsed.text, starts, max_tokens=FULL_DOC_TOKENS, overlap=0, count=count).merged()
    else:
        spans = _cut(parsed, rules.segmentation, count, merged=rule.mode == "automatic")
    titles = _Titles(parsed.headings)
    found: list[Passage] = []
    for position, span in enumerate(spans, 1):
        text = parsed.text[span.start : span.end]
        within = list(titles.within(span))
        children = _cut(Parsed(text, headings=tuple(within)), children_of(rules), count, merged=False)
        keys = tuple(text[child.start : child.end] for child in children)
        found.append(Passage(position, text, span.start, span.end, keys, heading=titles.above(span)))
    return found


def children_of_text(text: str, rule: ProcessRule, count: CountTokens = mixed_tokens) -> tuple[str, ...]:
    """What a parent of this text is found by."""
    children = _cut(Parsed(text), children_of(rule.effective), count, merged=False)
    return tuple(text[child.start : child.end] for child in children)


def table_passages(parsed: Parsed) -> tuple[Parsed, list[Passage]]:
    """For ``qa_model`` of a table: each pair is a passage, found by its question. The text becomes that of the pairs, for offsets to mean something."""
    return _of_pairs(parsed, [(pair, "") for pair in parsed.pairs])


async def asked_passages(
    parsed: Parsed, rule: ProcessRule, asker: Asker, language: str, count: CountTokens = mixed_tokens
) -> tuple[Parsed, list[Passage]]:
    """For ``qa_model`` of running text: a model asks, passage by passage."""
    pairs: list[tuple[tuple[str, str], str]] = []
    for passage in general_passages(parsed, rule, count):
        pairs += [(pair, passage.heading) for pair in await asker.ask(passage.text, language)]
    return _of_pairs(parsed, pairs)


def _of_pairs(parsed: Parsed, pairs: Sequence[tuple[tuple[str, str], str]]) -> tuple[Parsed, list[Passage]]:
    pieces: list[str] = []
    found: list[Passage] = []
    length = 0
    for (question, answer), heading in pairs:
        question, answer = question.strip(), answer.strip()
        if not question or not answer:
            continue
        piece = f"{question}\n{answer}\n\n"
        end = length + len(piece) - 2
        found.append(Passage(len(found) + 1, question, length, end, answer=answer, heading=heading))
        pieces.append(piece)
        length += len(piece)
    return Parsed("".join(pieces).rstrip("\n"), parsed.title), found


def _cut(parsed: Parsed, how: Segmentation, count: CountTokens, *, merged: bool) -> list[Span]:
    starts = [heading.start for heading in parsed.headings]
    cutter = Cutter(parsed.text, starts, max_tokens=how.max_tokens, overlap=how.chunk_overlap, count=count)
    return cutter.merged() if merged else cutter.separated(how.ends)


class _Titles:
    """Which titles stand above a place, asked for places in order or not."""

    def __init__(self, headings: Sequence[Heading]) -> None:
        self._headings = headings
        self._starts = [heading.start for heading in headings]
        self._paths = list(title_paths(headings))

    def above(self, span: Span) -> str:
        """With the one that the span itself begins with."""
        place = bisect_right(self._starts, span.start)
        return self._paths[place - 1] if place else ""

    def within(self, span: Span) -> Iterator[Heading]:
        """With offsets from the span's beginning."""
        for heading in self._headings[
            bisect_right(self._starts, span.start - 1) : bisect_right(self._starts, span.end - 1)
        ]:
            yield Heading(heading.level, heading.text, heading.start - span.start)


def title_paths(headings: Sequence[Heading]) -> Iterator[str]:
    """Of each title, it and those above it, `` / `` between."""
    open_titles: list[Heading] = []
    for heading in headings:
        while open_titles and open_titles[-1].level >= heading.level:
            open_titles.pop()
        open_titles.append(heading)
        yield " / ".join(title.text for title in open_titles)
