"""RE2, the one place that knows its package: patterns over UTF-8 in time linear in the text, whatever the pattern."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, cast

import re2  # pyright: ignore[reportMissingTypeStubs]

from seekway.core.errors import ConfigError


class _Match(Protocol):
    def span(self) -> tuple[int, int]: ...


class _Regexp(Protocol):
    def search(self, text: bytes, pos: int) -> _Match | None: ...

    def finditer(self, text: bytes, pos: int) -> Iterator[_Match]: ...


class LinearPattern:
    """Places are bytes. A pattern sees what stands before the place that it is searched from, which matters to ``\\b``."""

    def __init__(self, source: str) -> None:
        """Raises ``ConfigError`` with RE2's own words where ``source`` is no pattern of it, or needs too much memory."""
        options = re2.Options()
        options.log_errors = False
        try:
            compiled = re2.compile(source, options)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        except re2.error as error:  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            words = cast("Exception", error).args[0]
            told = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
            raise ConfigError(told, param="pattern") from cast("Exception", error)
        self._compiled = cast("_Regexp", compiled)

    def first(self, text: bytes, at: int) -> int | None:
        """Where the first match from ``at`` on begins."""
        match = self._compiled.search(text, at)
        return None if match is None else match.span()[0]

    def all(self, text: bytes, at: int) -> Iterator[tuple[int, int]]:
        return (match.span() for match in self._compiled.finditer(text, at))
