"""Bytes of a text file become characters."""

from __future__ import annotations

import codecs
from typing import Final

from seekway.core.errors import DocumentUnreadable

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAMPLE: Final = 65_536
_ASIAN: Final = ("gb18030", "big5hkscs", "shift_jis", "euc_kr")
_TEXT_CONTROLS: Final = frozenset(b"\t\n\r\x0b\x0c\x1b")
_MOST_CONTROLS: Final = 0.01
_LIKELY: Final = 0.75


def decode(data: bytes, declared: str | None = None) -> str:
    """By its byte order mark, else UTF-8, else as it ``declared`` itself, else the likeliest of the encodings of China, Japan, Korea and the West; line ends become ``\\n``.

    Raises ``DocumentUnreadable`` for what is not text.
    """
    text = _decoded(data, declared)
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")


def _decoded(data: bytes, declared: str | None) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _strict(data[len(mark) :], encoding) or data[len(mark) :].decode(encoding, "replace")
    wide = _wide(data[:_SAMPLE])
    if wide is not None:
        return data.decode(wide, "replace")
    text = _strict(data, "utf-8")
    if text is not None:
        if _is_binary(data[:_SAMPLE]):
            raise _not_text()
        return text
    if _is_binary(data[:_SAMPLE]):
        raise _not_text()
    if declared is not None and (text := _strict(data, declared)) is not None:
        return text
    nearly = data.decode("utf-8", "replace")
    # A broken byte or a cut end does not make it another encoding.
    if nearly.count("�") * 100 < sum(byte > 0x7F for byte in data[:_SAMPLE]):
        return nearly
    return data.decode(_likeliest(data), "replace")


def _strict(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None


def _wide(sample: bytes) -> str | None:
    """UTF-16 without a mark: of ASCII every second byte is 0, of Chinese every second is from 4E to 9F or that of a sign."""
    if len(sample) < 4:  # two characters
        return None
    even, odd = sample[0::2], sample[1::2]
    for high, low, encoding in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        zeros = high.count(0) / len(high)
        if zeros > 0.3 and low.count(0) == 0:
            return encoding
        if zeros > 0 and low.count(0) < high.count(0):
            wide = sum(byte in (0x00, 0x20, 0x30, 0xFF) or 0x4E <= byte <= 0x9F for byte in high) / len(high)
            if wide > 0.95:
                return encoding
    return None


def _is_binary(sample: bytes) -> bool:
    controls = sum(byte < 0x20 and byte not in _TEXT_CONTROLS for byte in sample)
    return controls > len(sample) * _MOST_CONTROLS


def _likeliest(data: bytes) -> str:
    """Each two-byte standard has its frequent characters first; in the right one nearly all of a text is among them."""
    sample = data[:_SAMPLE]
    scores = {encoding: _share(data, sample, encoding) for encoding in _ASIAN}
    best = max(_ASIAN, key=lambda encoding: scores[encoding])
    return best if scores[best] >= _LIKELY else "cp1252"


def _share(data: bytes, sample: bytes, encoding: str) -> float:
    if _strict(data, encoding) is None:
        return 0.0
    text = sample.decode(encoding, "ignore")
    foreign = [character for character in text if not character.isascii()]
    if not foreign:
        return 0.0
    return sum(_frequent(character, encoding) for character in foreign) / len(foreign)


def _frequent(character: str, encoding: str) -> bool:
    try:
        code = character.encode(encoding)
    except UnicodeEncodeError:
        return False
    first = code[0]
    if len(code) != 2:  # GB 18030's four bytes hold what is rare, Shift JIS's single ones what nobody writes
        return False
    match encoding:
        case "gb18030":
            # GB 2312: signs in rows 1 to 3, level 1 of the characters in rows 16 to 55.
            return (0xA1 <= first <= 0xA3 or 0xB0 <= first <= 0xD7) and code[1] >= 0xA1
        case "big5hkscs":
            return 0xA1 <= first <= 0xA3 or 0xA4 <= first <= 0xC6
        case "shift_jis":
            # Kana and signs, and JIS X 0208's first level; Japanese without kana is not told from Chinese.
            return 0x81 <= first <= 0x83 or 0x88 <= first <= 0x97
        case _:
            return 0xB0 <= first <= 0xC8 and code[1] >= 0xA1


def _not_text() -> DocumentUnreadable:
    return DocumentUnreadable(
        "It is neither text nor a file of a known kind; use PDF, Word, Excel, PowerPoint, HTML, Markdown, CSV, e-mail or text."
    )
