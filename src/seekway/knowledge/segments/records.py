"""A passage as people know and change it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from seekway.core.token_estimate import mixed_tokens
from seekway.knowledge.passage import Passage
from seekway.storage.sql.database import Row


class Child(msgspec.Struct, frozen=True):
    """What its parent is searched by; ``custom`` where a person wrote it. Moments are milliseconds since 1970."""

    id: str
    position: int
    content: str
    custom: bool
    created_at: int
    updated_at: int


class Segment(msgspec.Struct, frozen=True):
    """``position`` is its passage's, and is not given to another while the document stands as it is.

    ``keywords`` are those given by hand. What the index has of it is its state at the revision ``settled``.
    """

    id: str
    position: int
    content: str
    answer: str | None
    heading: str
    first: int
    past: int
    keywords: tuple[str, ...]
    tokens: int
    enabled: bool
    hits: int
    revision: int
    settled: int
    claim: int
    deleted: bool
    created_at: int
    updated_at: int
    completed_at: int | None
    disabled_at: int | None
    children: tuple[Child, ...] = ()

    @property
    def characters(self) -> int:
        return len(self.content) + len(self.answer or "")

    @property
    def passage(self) -> Passage:
        return Passage(
            *(self.position, self.content, self.first, self.past),
            keys=tuple(child.content for child in self.children),
            answer=self.answer,
            heading=self.heading,
            keywords=self.keywords,
        )


class NewSegment(msgspec.Struct, frozen=True):
    """``answer`` in documents of questions and answers, ``children`` where the document has parents."""

    content: str
    answer: str | None = None
    keywords: tuple[str, ...] = ()
    children: tuple[str, ...] = ()


class SegmentChange(msgspec.Struct, frozen=True):
    """What is None stays."""

    content: str | None = None
    answer: str | None = None
    keywords: tuple[str, ...] | None = None
    enabled: bool | None = None
    children: tuple[str, ...] | None = None


class SegmentKey(msgspec.Struct, frozen=True):
    """Where a segment is: ``position`` is its passage's."""

    dataset: str
    document: str
    position: int


SEGMENT_COLUMNS: Final = ", ".join(Segment.__struct_fields__[:-1])
CHILD_COLUMNS: Final = ", ".join(Child.__struct_fields__)


def segment_of(row: Row, children: Sequence[Child] = ()) -> Segment:
    fields: dict[str, object] = dict(zip(Segment.__struct_fields__, row, strict=False))
    fields["keywords"] = msgspec.json.decode(str(fields["keywords"]))
    fields["enabled"], fields["deleted"] = bool(fields["enabled"]), bool(fields["deleted"])
    return msgspec.structs.replace(msgspec.convert(fields, Segment), children=tuple(children))


def child_of(row: Row) -> Child:
    fields: dict[str, object] = dict(zip(Child.__struct_fields__, row, strict=True))
    fields["custom"] = bool(fields["custom"])
    return msgspec.convert(fields, Child)


def tokens_of(content: str, answer: str | None) -> int:
    return math.ceil(mixed_tokens(content) + (mixed_tokens(answer) if answer else 0))
