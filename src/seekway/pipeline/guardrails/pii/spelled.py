"""What is written of numbers and words: dates of birth, coordinates, addresses in English."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from seekway.pipeline.guardrails.pii.window import Found, Piece, Window
from seekway.pipeline.guardrails.rules.linear_pattern import LinearPattern

MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH: Final = f"(?:{'|'.join(MONTHS)})[a-z]{{0,6}}\\.?"
_YEAR: Final = "(?:19|20)[0-9]{2}"
# ``?`` stands for a character that is not ASCII.
_DATE: Final = LinearPattern(
    f"(?i){_YEAR}(?: ?\\? ?|[-/.])[0-9]{{1,2}}(?: ?\\? ?|[-/.])[0-9]{{1,2}}\\??|[0-9]{{1,2}}[-/.][0-9]{{1,2}}[-/.]{_YEAR}"
    f"|\\b{_MONTH} [0-9]{{1,2}}(?:st|nd|rd|th)?,? {_YEAR}|[0-9]{{1,2}}(?:st|nd|rd|th)? (?:of )?{_MONTH},? {_YEAR}"
)
_BIRTH_WORDS: Final = ("生日", "出生", "birthday", "born", "dob", "birth", "geboren", "naissance", "nacimiento")
_POINT: Final = LinearPattern(
    "[-+]?[0-9]{1,3}\\.[0-9]{3,10}[NSns]?\x03?[NSns]?(?:, ?|\uff0c| )[-+]?[0-9]{1,3}\\.[0-9]{3,10}".replace(
        "|\uff0c", "|\\?"
    )
)
_DEGREES: Final = LinearPattern(
    "[0-9]{1,2}\x03 ?(?:[0-9]{1,2}(?:\\.[0-9]{1,6})?' ?)?(?:[0-9]{1,2}(?:\\.[0-9]{1,6})?(?:\"|'') ?)?[NS][, ]{0,2}[0-9]{1,3}\x03 ?(?:[0-9]{1,2}(?:\\.[0-9]{1,6})?' ?)?(?:[0-9]{1,2}(?:\\.[0-9]{1,6})?(?:\"|'') ?)?[EW]"
)
_POINT_WORDS: Final = ("gps", "坐标", "经纬度", "位置", "定位", "locat", "coordinates", "latitude", "lat", "position")
_WORD: Final = "[A-Z][a-z]{1,13}"
_STREET: Final = LinearPattern(
    "[0-9]{1,6}[A-Z]? (?:[NSEW]\\.? )?"
    f"(?:{_WORD}\\.? |[0-9]{{1,3}}(?:st|nd|rd|th) ){{1,3}}"
    "(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln)\\b"
    "(?:\\.?,? (?:Apt|Suite|Unit|Floor|Flat)\\.? ?[0-9A-Z]{1,5}\\b)?"
    f"(?:\\.?, {_WORD}(?: {_WORD})?\\b)?(?:,? [A-Z]{{2}} [0-9]{{5}}(?:-[0-9]{{4}})?\\b)?"
)


_STREET_WORDS: Final = (b" St", b" Ave", b" Ro", b" Rd", b" Bo", b" Bl", b" La", b" Ln")
_STREET_BEGINNINGS: Final = frozenset(bytes((code,)) for code in b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


def spelled(window: Window, wanted: frozenset[str], pieces: Sequence[Piece]) -> Iterator[Found]:
    """``pieces`` of the window tell, for most texts, that a pattern has nothing to find."""
    low = window.start
    if "birth_date" in wanted and may_be_birth_date(window, pieces):
        for begin, last in _DATE.all(window.folded, low):
            end = last if window.text[last - 1].isascii() or window.text[last - 1] in "日号" else last - 1
            ends = not window.text[end - 1].isascii()
            free = window.begins_free(begin) if ends else window.stands_free(begin, end)
            if free and window.cue(begin, _BIRTH_WORDS) and _is_date(window.text[begin:end]):
                yield Found("birth_date", "medium", begin, end, "birth_date", 0.9)
    if "coordinates" in wanted:
        yield from _points(window, low, pieces)
    if "address" in wanted and may_be_street(window, pieces):
        for begin, end in _STREET.all(window.folded, low):
            if window.stands_free(begin, end):
                yield Found("address", "medium", begin, end, "en_address", 0.8)


def may_be_birth_date(window: Window, pieces: Sequence[Piece]) -> bool:
    """Whether there is a year, and a word that says of whose birth; most texts that hold years have none."""
    for piece in pieces:
        if "19" in piece.text or "20" in piece.text:
            lower = window.text.lower()
            return any(word in lower for word in _BIRTH_WORDS)
    return False


def may_be_street(window: Window, pieces: Sequence[Piece]) -> bool:
    """Whether a word with a capital or a number follows a number, and there is any word that a street's name ends with."""
    folded = window.folded
    for piece in pieces:
        after = folded[piece.end : piece.end + 2]
        if after[:1] == b" " and after[1:] in _STREET_BEGINNINGS:
            return any(word in folded for word in _STREET_WORDS)
    return False


def _points(window: Window, low: int, pieces: Sequence[Piece]) -> Iterator[Found]:
    # Three places behind the point are a piece of their own.
    has_places = [
        piece
        for piece in pieces
        if piece.end - piece.begin > 2 and window.folded[piece.begin - 1 : piece.begin] == b"."
    ]
    for begin, end in _POINT.all(window.folded, low) if has_places else ():
        parts = window.folded[begin:end].translate(None, b"NSns\x03").replace(b",", b" ").replace(b"?", b" ").split()
        latitude, longitude = (abs(float(part)) for part in (parts[0], parts[-1]))
        in_range = (latitude <= 90 and longitude <= 180) or (latitude <= 180 and longitude <= 90)
        if in_range and window.stands_free(begin, end) and window.cue(begin, _POINT_WORDS):
            yield Found("coordinates", "low", begin, end, "decimal_degrees", 0.8)
    if b"\x03" in window.folded:
        for begin, end in _DEGREES.all(window.folded, low):
            if window.stands_free(begin, end):
                yield Found("coordinates", "low", begin, end, "degrees", 0.9)


def _is_date(text: str) -> bool:
    """The characters between are a date's: 年, 月, 日, or no Han at all."""
    others = [char for char in text if not char.isascii()]
    return (
        not others
        or [char for char in others if char in "年月日号"] == others
        or all(not "\u4e00" <= char <= "\u9fff" for char in others)
    )
