"""E-mail as it is sent (RFC 5322, MIME)."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Final, cast

from seekway.core.errors import DocumentUnreadable
from seekway.knowledge.parsing.encoding import decode
from seekway.knowledge.parsing.html import parse_html
from seekway.knowledge.parsing.parsed import Bounds, Parsed, TextWriter

_SHOWN: Final = ("From", "To", "Cc", "Date")
_MOST_PARTS: Final = 1000


def parse_mail(data: bytes, bounds: Bounds) -> Parsed:
    """The subject as title, who and when, and the text, of its plain form where it has one; attachments are named, and to be added as files of their own."""
    try:
        message = message_from_bytes(data, policy=policy.default)
        return _read(message, bounds)
    except (ValueError, LookupError, TypeError, AttributeError, IndexError, RecursionError) as error:
        # The standard library's parser raises these on headers and parts that are broken enough.
        raise DocumentUnreadable(f"The e-mail is broken ({type(error).__name__}); save it again as .eml.") from error


def _read(message: EmailMessage, bounds: Bounds) -> Parsed:
    writer = TextWriter(bounds)
    writer.heading(1, str(message.get("Subject", "")))
    writer.block("\n".join(f"{name}: {' '.join(str(message[name]).split())}" for name in _SHOWN if message[name]))
    plain: list[str] = []
    rich: list[str] = []
    attached: list[str] = []
    for count, part in enumerate(message.walk()):
        if count > _MOST_PARTS:
            raise DocumentUnreadable(f"The e-mail has more than {_MOST_PARTS:,} parts; save its text alone.")
        if part.is_multipart():
            continue
        name = part.get_filename()
        kind = part.get_content_type()
        if part.get_content_disposition() == "attachment" or (name and not kind.startswith("text/")):
            attached.append(name or kind)
        elif kind in ("text/plain", "text/html"):
            payload = cast("bytes | None", part.get_payload(decode=True)) or b""
            (plain if kind == "text/plain" else rich).append(decode(payload, part.get_content_charset()))
    if plain or not rich:
        for text in plain:
            writer.block(text)
    else:
        for text in rich:
            writer.block(parse_html(text, bounds).text)
    if attached:
        writer.block("Attachments: " + ", ".join(attached))
    if not writer.length:
        raise DocumentUnreadable("The file is not an e-mail, or an empty one; save it again as .eml.")
    return writer.done()
