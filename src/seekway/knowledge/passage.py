"""The piece of a document that everything here is about."""

from __future__ import annotations

import msgspec


class Passage(msgspec.Struct, frozen=True):
    """A piece of a document that is found and shown. `text` is shown; `keys` are what is searched in its place where set (the questions of a question-answer pair, the children of a parent)."""

    position: int  # 1-based within its document
    text: str
    start: int  # characters of the document's cleaned text
    end: int
    keys: tuple[str, ...] = ()  # child chunks or the question; empty: the text itself
    answer: str | None = None  # question-answer form
    heading: str = ""  # titles above it, " / " between
    keywords: tuple[str, ...] = ()  # given by hand, found besides those of the text; an index does not give them back


def searched_texts(passage: Passage) -> tuple[str, ...]:
    """What is searched of it, in order: its keys, or where it has none its text."""
    return passage.keys or (passage.text,)


def embedded_texts(passage: Passage) -> tuple[str, ...]:
    """What is embedded for each of its :func:`searched_texts`: with the titles above it, which say what it is about; a question speaks for itself."""
    texts = searched_texts(passage)
    if not passage.heading or passage.answer is not None:
        return texts
    return tuple([f"{passage.heading}\n{text}" for text in texts])
