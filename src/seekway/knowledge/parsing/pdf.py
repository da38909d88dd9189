"""PDF through PDFium, which knows the character sets of Chinese, Japanese and Korean files without their fonts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, cast

from seekway.core.errors import DocumentUnreadable
from seekway.knowledge.parsing.parsed import Bounds, Parsed, TextWriter


class _TextPage(Protocol):
    def get_text_range(self) -> str: ...
    def close(self) -> None: ...


class _PdfPage(Protocol):
    def get_textpage(self) -> _TextPage: ...
    def close(self) -> None: ...


class _Pdf(Protocol):
    """What is used of pypdfium2's document, whose own types are loose."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> _PdfPage: ...
    def get_metadata_value(self, key: str, /) -> str: ...
    def close(self) -> None: ...


def parse_pdf(data: bytes, bounds: Bounds) -> Parsed:
    """The text page by page."""
    import pypdfium2

    try:
        document = cast("_Pdf", pypdfium2.PdfDocument(data))
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise DocumentUnreadable("The PDF is locked with a password; save it without one.") from error
        raise DocumentUnreadable("The PDF is broken or not a PDF; save or print it to PDF again.") from error
    try:
        if len(document) > bounds.pages:
            raise DocumentUnreadable(f"The PDF has {len(document):,} pages, of at most {bounds.pages:,}; split it.")
        writer = TextWriter(bounds)
        title = " ".join(document.get_metadata_value("Title").split())
        # What programs write that were given none.
        writer.title = "" if title.lower() in ("untitled", "无标题") else title
        for number, text in _texts(document, pypdfium2.PdfiumError):
            writer.page(str(number))
            writer.block(text)
    finally:
        document.close()
    if not writer.length:
        raise DocumentUnreadable("The PDF has pictures of pages and no text; run text recognition on it first.")
    return writer.done()


def _texts(document: _Pdf, failure: type[Exception]) -> Iterator[tuple[int, str]]:
    for index in range(len(document)):
        try:
            page = document[index]
            text = page.get_textpage()
            # U+FFFE stands where PDFium takes a hyphen at a line's end away.
            found = text.get_text_range().replace("\r\n", "\n").replace("\ufffe\n", "").replace("\ufffe", "")
            text.close()
            page.close()
        except failure as error:
            raise DocumentUnreadable(f"Page {index + 1} of the PDF is broken; save it to PDF again.") from error
        yield index + 1, "\n".join(line.rstrip() for line in found.split("\n"))
