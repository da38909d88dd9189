"""Markdown stays as it is; its titles are noted."""

from __future__ import annotations

from typing import Final

from seekway.core.errors import DocumentUnreadable
from seekway.knowledge.parsing.parsed import Bounds, Heading, Parsed

_DEEPEST: Final = 6


def parse_markdown(text: str, bounds: Bounds) -> Parsed:
    """Titles with ``#``, or underlined with ``=`` or ``-`` (https://spec.commonmark.org/0.31.2/#leaf-blocks), outside of fenced code."""
    text = text.strip("\n")
    if len(text) > bounds.characters:
        raise DocumentUnreadable(
            f"It has more than {bounds.characters:,} characters of text; split the file into several."
        )
    headings = markdown_headings(text)
    return Parsed(text, headings[0].text if headings else "", headings)


def markdown_headings(text: str) -> tuple[Heading, ...]:
    found: list[Heading] = []
    fence, offset, before, before_start = "", 0, "", 0
    for line in text.split("\n"):
        bare = line.strip()
        marks = opening_fence(line)
        if fence:
            if marks.startswith(fence) and bare == marks:
                fence = ""
            bare = ""
        elif marks:
            fence, bare = marks, ""
        elif (title := _title(line)) is not None:
            if title[1]:
                found.append(Heading(title[0], title[1], offset))
            bare = ""
        elif before and bare and (bare == "=" * len(bare) or (len(bare) > 1 and bare == "-" * len(bare))):
            found.append(Heading(1 if bare[0] == "=" else 2, before, before_start))
            bare = ""
        before, before_start = ("" if bare.startswith(("|", ">", "- ", "* ")) else bare), offset
        offset += len(line) + 1
    return tuple(found)


def opening_fence(line: str) -> str:
    """The marks with which a line opens (or closes) fenced code; empty where it does not."""
    bare = line.strip()
    if line[:4].isspace() and len(line) > 4:  # four spaces make it code of the other kind
        return ""
    for mark in ("`", "~"):
        run = bare[: len(bare) - len(bare.lstrip(mark))]
        if len(run) >= 3 and (mark == "~" or "`" not in bare[len(run) :]):  # a fence's least length
            return run
    return ""


def _title(line: str) -> tuple[int, str] | None:
    bare = line.lstrip(" ")
    if not bare.startswith("#") or len(line) - len(bare) > 3:  # with more spaces it is code
        return None
    rest = bare.lstrip("#")
    level = len(bare) - len(rest)
    if level > _DEEPEST or (rest and rest[0] not in " \t"):
        return None
    return level, rest.strip().rstrip("#").rstrip()
