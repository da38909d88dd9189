"""PowerPoint's .pptx (ECMA-376, PresentationML)."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Final

from seekway.core.errors import DocumentUnreadable
from seekway.knowledge.parsing.archive import Archive
from seekway.knowledge.parsing.parsed import Bounds, Parsed, TextWriter
from seekway.knowledge.parsing.tables import TableReader

_SHOW: Final = "ppt/presentation.xml"


def parse_slides(data: bytes, bounds: Bounds) -> Parsed:
    """A page for each slide, in the order they are shown: its title, texts, tables, and the speaker's notes."""
    archive = Archive(data, bounds)
    if _SHOW not in archive.names:
        raise DocumentUnreadable("The file is not a PowerPoint presentation; save it as .pptx.")
    order: list[str] = []

    def started(tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "sldId":
            order.append(attributes.get("id", ""))

    # The relation's ``r:id`` comes after the plain ``id`` and takes its place, for namespaces are left away.
    archive.read_xml(_SHOW, started)
    targets = _relations(archive, _SHOW)
    writer = TextWriter(bounds)
    for number, relation in enumerate(order, 1):
        name, _ = targets.get(relation, ("", ""))
        if name not in archive.names:
            continue
        writer.page(str(number))
        _slide(archive, name, writer, titled=True)
        for other, kind in _relations(archive, name).values():
            if kind.endswith("/notesSlide") and other in archive.names:
                _slide(archive, other, writer, titled=False)
    return writer.done()


def _slide(archive: Archive, name: str, writer: TextWriter, *, titled: bool) -> None:
    shapes = _Shapes(writer, titled)
    archive.read_xml(name, shapes.started, ended=shapes.ended, text=shapes.text)


def _relations(archive: Archive, name: str) -> dict[str, tuple[str, str]]:
    folder, file = posixpath.split(name)
    book = f"{folder}/_rels/{file}.rels"
    found: dict[str, tuple[str, str]] = {}

    def started(tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "Relationship":
            target = attributes.get("Target", "")
            path = target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
            found[attributes.get("Id", "")] = (path, attributes.get("Type", ""))

    if book in archive.names:
        archive.read_xml(book, started)
    return found


class _Shapes:
    def __init__(self, writer: TextWriter, titled: bool) -> None:
        self._writer = writer
        self._titled = titled
        self._tables = TableReader()
        self._kind = ""
        self._lines: list[str] = []
        self._line: list[str] = []
        self._reading = False

    def started(self, tag: str, attributes: Mapping[str, str]) -> None:
        match tag:
            case "sp":
                self._kind, self._lines = "", []
            case "ph":
                self._kind = attributes.get("type", "body")
            case "p":
                self._line = []
            case "t":
                self._reading = True
            case "br":
                self._line.append("\n")
            case "tbl":
                self._tables.began()
            case "tr":
                self._tables.row()
            case _:
                pass

    def ended(self, tag: str) -> None:
        match tag:
            case "t":
                self._reading = False
            case "p":
                text = "".join(self._line)
                if self._tables.depth:
                    self._tables.text(text)
                elif text.strip():
                    self._lines.append(text)
            case "tc":
                self._tables.cell_ended()
            case "tbl":
                rows = self._tables.ended()
                if rows is not None:
                    self._writer.table(rows)
            case "sp":
                self._shape()
            case _:
                pass

    def text(self, text: str) -> None:
        if self._reading:
            self._line.append(text)

    def _shape(self) -> None:
        text = "\n".join(self._lines)
        self._lines = []
        # Numbers of slides, dates and footers are the same on each.
        if self._kind in ("sldNum", "dt", "ftr", "hdr"):
            return
        if self._titled and self._kind in ("title", "ctrTitle"):
            self._writer.heading(1, text)
        else:
            self._writer.block(text)
