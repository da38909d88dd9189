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
_LIKELY: Final = 0.7
_SURELY: Final = 0.97
_ENOUGH: Final = 32


def decode(data: bytes, declared: str | None = None) -> str:
    """By its byte order mark, else UTF-8, else as it ``declared`` itself, else the likeliest of the encodings of China, Japan, Korea and the West; line ends become ``\\n``.

    Raises ``DocumentUnreadable`` for what is not text.
    """
    text = _decoded(data, declared)
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")


def _decoded(data: bytes, declared: str | None) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    sample = data[:_SAMPLE]
    text = _strict(data, "utf-8")
    if _is_binary(sample):
        wide = _wide(sample)
        if wide is None:
            raise _not_text()
        return data.decode(wide, "replace")
    if text is not None:
        return text
    if declared is not None and (text := _strict(data, declared)) is not None:
        return text
    nearly = data.decode("utf-8", "replace")
    # A broken byte or a cut end does not make it another encoding.
    if nearly[:_SAMPLE].count("\ufffd") * 20 < sum(byte > 0x7F for byte in sample):
        return nearly
    return data.decode(_likeliest(data), "replace")


def _strict(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None


def _wide(sample: bytes) -> str | None:
    """UTF-16 without a mark: the higher byte of a character is 0 in Latin script, 4E to 9F in Chinese, and 20, 30 or FF for signs."""
    for encoding, high in (("utf-16-le", sample[1::2]), ("utf-16-be", sample[0::2])):
        usual = sum(byte in (0x00, 0x20, 0x30, 0xFF) or 0x4E <= byte <= 0x9F for byte in high)
        low = sample[0::2] if encoding == "utf-16-le" else sample[1::2]
        if high and usual > 0.95 * len(high) and low.count(0) < 0.02 * len(low) + 1:
            return encoding
    return None


def _is_binary(sample: bytes) -> bool:
    controls = sum(byte < 0x20 and byte not in _TEXT_CONTROLS for byte in sample)
    return controls > len(sample) * _MOST_CONTROLS


def _likeliest(data: bytes) -> str:
    """Each two-byte standard has its frequent characters first; in the right one nearly all of a text is among them."""
    scores = {encoding: _share(data, encoding) for encoding in _ASIAN}
    # Korean uses a part of the codes that Chinese does, so that either reads as Chinese.
    if scores["euc_kr"] >= _SURELY and sum(byte > 0x7F for byte in data[:_SAMPLE]) >= _ENOUGH:
        return "euc_kr"
    best = max(_ASIAN, key=lambda encoding: scores[encoding])
    return best if scores[best] >= _LIKELY else "cp1252"


def _share(data: bytes, encoding: str) -> float:
    if _strict(data, encoding) is None:
        return 0.0
    text = data[:_SAMPLE].decode(encoding, "ignore")
    foreign = [character for character in text if not character.isascii()]
    return sum(_frequency(character, encoding) for character in foreign) / len(foreign) if foreign else 0.0


def _frequency(character: str, encoding: str) -> float:
    try:
        code = character.encode(encoding)
    except UnicodeEncodeError:
        return 0.0
    if len(code) != 2:  # GB 18030's four bytes hold what is rare, Shift JIS's single ones what nobody writes
        return 0.0
    first, second = code
    match encoding:
        case "gb18030":
            # GB 2312 has signs in rows 1 to 3, level 1 of the characters in rows 16 to 55; GBK has traditional ones besides.
            if second >= 0xA1 and (0xA1 <= first <= 0xA3 or 0xB0 <= first <= 0xD7):
                return 1.0
            return 0.6 if "\u4e00" <= character <= "\u9fff" else 0.0
        case "big5hkscs":
            return float(0xA1 <= first <= 0xC6)
        case "shift_jis":
            # Kana and signs, and the first level; Japanese without kana is not told from Chinese.
            return float(0x81 <= first <= 0x83 or 0x88 <= first <= 0x97)
        case _:
            return float(second >= 0xA1 and (first in (0xA1, 0xA3) or 0xB0 <= first <= 0xC8))


def _not_text() -> DocumentUnreadable:
    return DocumentUnreadable(
        "It is neither text nor a file of a known kind; use PDF, Word, Excel, PowerPoint, HTML, Markdown, CSV, e-mail or text."
    )
