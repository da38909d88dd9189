"""Word's .docx (ECMA-376, WordprocessingML)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from seekway.core.errors import DocumentUnreadable
from seekway.knowledge.parsing.archive import Archive
from seekway.knowledge.parsing.parsed import Bounds, Parsed, TextWriter
from seekway.knowledge.parsing.tables import TableReader

_BODY: Final = "word/document.xml"
_NOTES: Final = ("word/footnotes.xml", "word/endnotes.xml")
_STYLES: Final = "word/styles.xml"


def parse_word(data: bytes, bounds: Bounds) -> Parsed:
    """Titles by their styles' outline levels, lists, tables, text boxes once, foot- and endnotes at the end; what was deleted under tracking is left out."""
    archive = Archive(data, bounds)
    if _BODY not in archive.names:
        raise DocumentUnreadable("The file is not a Word document; save it as .docx.")
    body = _Body(TextWriter(bounds), *_styles(archive))
    for name in (_BODY, *_NOTES):
        if name in archive.names:
            archive.read_xml(name, body.started, ended=body.ended, text=body.text)
    return body.writer.done()


def _styles(archive: Archive) -> tuple[dict[str, int], set[str]]:
    """The level of each style that is a title's, 1 for the greatest and for the style ``Title``; and the styles of lists."""
    if _STYLES not in archive.names:
        return {}, set()
    lists: set[str] = set()
    levels: dict[str, int] = {}
    based: dict[str, str] = {}
    style = ""

    def started(tag: str, attributes: Mapping[str, str]) -> None:
        nonlocal style
        value = attributes.get("val", "")
        if tag == "style":
            style = attributes.get("styleId", "")
        elif tag == "basedOn" and style:
            based[style] = value
        elif tag == "numPr":
            lists.add(style)
        elif tag == "outlineLvl" and style and value.isdecimal() and int(value) < 9:  # 9 is running text
            levels.setdefault(style, int(value) + 1)
        elif tag == "name" and value.lower() == "title" and style:
            levels[style] = 1

    archive.read_xml(_STYLES, started)
    for style in based:
        above, seen = style, {style}
        while above not in levels and (above := based.get(above, "")) and above not in seen:
            seen.add(above)
        if above in levels:
            levels.setdefault(style, levels[above])
    return levels, lists


class _Body:
    def __init__(self, writer: TextWriter, levels: Mapping[str, int], lists: set[str]) -> None:
        self.writer = writer
        self._levels = levels
        self._lists = lists
        self._tables = TableReader()
        self._paragraphs: list[list[str]] = []
        self._level = 0
        self._listed = False
        self._reading = False
        self._skipped = 0

    def started(self, tag: str, attributes: Mapping[str, str]) -> None:
        if self._skipped or tag in ("Fallback", "del", "moveFrom"):
            # ``Fallback`` says again what ``Choice`` says.
            self._skipped += 1
            return
        match tag:
            case "p":
                self._paragraphs.append([])
                if len(self._paragraphs) == 1:
                    self._level, self._listed = 0, False
            case "pStyle":
                style = attributes.get("val", "")
                self._level = self._levels.get(style, 0)
                self._listed = style in self._lists
            case "outlineLvl":
                value = attributes.get("val", "")
                self._level = int(value) + 1 if value.isdecimal() and int(value) < 9 else 0  # as above
            case "numPr":
                self._listed = True
            case "t":
                self._reading = True
            case "tab":
                self._say("\t")
            case "br" | "cr":
                self._say("\n")
            case "noBreakHyphen":
                self._say("-")
            case "tbl":
                self._tables.began()
            case "tr":
                self._tables.row()
            case _:
                pass

    def ended(self, tag: str) -> None:
        if self._skipped:
            self._skipped -= 1
            return
        match tag:
            case "t":
                self._reading = False
            case "p":
                if self._paragraphs:
                    self._paragraph("".join(self._paragraphs.pop()))
            case "tc":
                self._tables.cell_ended()
            case "tbl":
                rows = self._tables.ended()
                if rows is not None:
                    self.writer.table(rows)
            case _:
                pass

    def text(self, text: str) -> None:
        if self._reading and not self._skipped:
            self._say(text)

    def _say(self, text: str) -> None:
        if self._paragraphs:
            self._paragraphs[-1].append(text)

    def _paragraph(self, text: str) -> None:
        if self._tables.depth:
            self._tables.text(text)
        elif self._paragraphs:
            # A text box stands within the paragraph that it hangs on.
            self._paragraphs[-1].append(f"\n{text}\n" if text.strip() else "")
        elif self._level and len(text) < 300:  # no title is so long, whatever its style
            self.writer.heading(self._level, text)
        elif self._listed and text.strip():
            self.writer.block(f"- {text.strip()}")
        else:
            self.writer.block(text)
