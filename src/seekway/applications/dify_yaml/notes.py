"""The report while it grows."""

from __future__ import annotations

from seekway.applications.dify_yaml.report import Change
from seekway.applications.dify_yaml.source import Path, Source, dotted


class Notes:
    def __init__(self, source: Source) -> None:
        self.source = source
        self._changes: list[Change] = []

    def add(self, path: Path, what: str) -> None:
        """``what`` is a sentence that says what is done about it, or can be."""
        self._changes.append(Change(self.source.line(path), dotted(path), what))

    def all(self) -> tuple[Change, ...]:
        """In the file's order."""
        return tuple(sorted(self._changes, key=lambda change: change.line))
