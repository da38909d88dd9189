"""Which reader a file goes to."""

from __future__ import annotations

from typing import Final, Literal

from seekway.core.errors import DocumentUnreadable
from seekway.knowledge.parsing.delimited import parse_delimited
from seekway.knowledge.parsing.encoding import decode
from seekway.knowledge.parsing.html import parse_html
from seekway.knowledge.parsing.mail import parse_mail
from seekway.knowledge.parsing.markdown import parse_markdown
from seekway.knowledge.parsing.parsed import Bounds, Parsed, TextWriter
from seekway.knowledge.parsing.pdf import parse_pdf
from seekway.knowledge.parsing.sheet import parse_sheet
from seekway.knowledge.parsing.slides import parse_slides
from seekway.knowledge.parsing.word import parse_word

Kind = Literal["text", "markdown", "html", "csv", "tsv", "mail", "pdf", "word", "sheet", "slides"]

_SUFFIXES: Final[dict[str, Kind]] = {
    **dict.fromkeys(("txt", "text", "log", "vtt", "properties", "json", "yaml", "yml", "xml", "rst"), "text"),
    **dict.fromkeys(("md", "markdown", "mdx"), "markdown"),
    **dict.fromkeys(("html", "htm", "xhtml"), "html"),
    **dict.fromkeys(("xlsx", "xlsm", "xls", "xlsb", "ods"), "sheet"),
    "csv": "csv",
    "tsv": "tsv",
    "eml": "mail",
    "pdf": "pdf",
    "docx": "word",
    "docm": "word",
    "pptx": "slides",
    "pptm": "slides",
}
_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
_TYPES: Final[dict[str, Kind]] = {
    "text/plain": "text",
    "text/markdown": "markdown",
    "text/x-markdown": "markdown",
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/csv": "csv",
    "text/tab-separated-values": "tsv",
    "message/rfc822": "mail",
    "application/pdf": "pdf",
    f"{_OFFICE}wordprocessingml.document": "word",
    f"{_OFFICE}spreadsheetml.sheet": "sheet",
    f"{_OFFICE}presentationml.presentation": "slides",
    "application/vnd.ms-excel": "sheet",
    "application/vnd.oasis.opendocument.spreadsheet": "sheet",
}
_OLD: Final = {"doc": ".docx", "ppt": ".pptx", "rtf": ".docx", "odt": ".docx", "odp": ".pptx", "msg": ".eml"}


def readable(filename: str, mime: str | None = None) -> bool:
    """Whether its ending, or else its media type, is that of a kind which can be read."""
    suffix = filename.rpartition(".")[2].lower() if "." in filename else ""
    return suffix in _SUFFIXES or (suffix not in _OLD and (mime or "").partition(";")[0].strip().lower() in _TYPES)


def parse(data: bytes, filename: str, mime: str | None = None, bounds: Bounds | None = None) -> Parsed:
    """By the name's ending, else by the media type, else by what it begins with; the title is the file's name where it has none.

    To be called where foreign files may do no harm: see :mod:`seekway.knowledge.parsing.reader_process`.
    Raises ``DocumentUnreadable``, whose message begins with the file's name.
    """
    bounds = bounds or Bounds()
    try:
        if not data:
            raise DocumentUnreadable("The file is empty; add one with text.")
        if len(data) > bounds.bytes:
            raise DocumentUnreadable(f"The file is longer than {bounds.bytes // 2**20} MiB; split it.")
        parsed = _parsed(_kind(data, filename, mime), data, bounds)
        if not parsed.text.strip():
            raise DocumentUnreadable("There is no text in it; add a file with text.")
    except DocumentUnreadable as error:
        raise DocumentUnreadable(f"{filename}: {error.message}", param="file") from error
    if parsed.title:
        return parsed
    stem, dot, _ = filename.rpartition(".")
    return Parsed(parsed.text, stem if dot else filename, parsed.headings, parsed.pages, parsed.pairs)


def _kind(data: bytes, filename: str, mime: str | None) -> Kind:
    suffix = filename.rpartition(".")[2].lower() if "." in filename else ""
    if suffix in _OLD:
        raise DocumentUnreadable(f"Files .{suffix} cannot be read; save it as {_OLD[suffix]}.")
    known = _SUFFIXES.get(suffix) or _TYPES.get((mime or "").partition(";")[0].strip().lower())
    begins = _beginning(data)
    # A PDF by the name of report.txt is a PDF.
    if known is None or (known in ("text", "markdown", "csv", "tsv") and begins is not None and begins != "html"):
        return begins or known or "text"
    return known


def _beginning(data: bytes) -> Kind | None:
    if data[:1024].lstrip().startswith(b"%PDF-"):
        return "pdf"
    if data.startswith(b"PK\x03\x04"):
        book = data[-65_536:]
        if b"word/" in book:
            return "word"
        if b"ppt/" in book:
            return "slides"
        return "sheet" if b"xl/" in book else None
    head = data[:256].lstrip().lower()
    return "html" if head.startswith((b"<!doctype html", b"<html")) else None


def _parsed(kind: Kind, data: bytes, bounds: Bounds) -> Parsed:  # one a kind
    match kind:
        case "pdf":
            return parse_pdf(data, bounds)
        case "word":
            return parse_word(data, bounds)
        case "slides":
            return parse_slides(data, bounds)
        case "sheet":
            return parse_sheet(data, bounds)
        case "html":
            return parse_html(data, bounds)
        case "mail":
            return parse_mail(data, bounds)
        case "markdown":
            return parse_markdown(decode(data), bounds)
        case "csv":
            return parse_delimited(decode(data), bounds)
        case "tsv":
            return parse_delimited(decode(data), bounds, "\t")
        case "text":
            writer = TextWriter(bounds)
            writer.block(decode(data))
            return writer.done()
