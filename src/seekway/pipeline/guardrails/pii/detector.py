"""Personal data in a text, as a :class:`seekway.pipeline.guardrails.detector.Detector`."""

from __future__ import annotations

import string
from collections.abc import Iterator
from typing import Final

from seekway.core.errors import ConfigError
from seekway.pipeline.guardrails.clues import clues_in
from seekway.pipeline.guardrails.detector import Finding, Scan
from seekway.pipeline.guardrails.literals import Literals
from seekway.pipeline.guardrails.pii import mail, places
from seekway.pipeline.guardrails.pii import names as people
from seekway.pipeline.guardrails.pii.codes import PROVINCES, WECHAT_WORDS, accounts, codes
from seekway.pipeline.guardrails.pii.idle_numbers import are_idle
from seekway.pipeline.guardrails.pii.mail import mail as mail_addresses
from seekway.pipeline.guardrails.pii.numbers import numbers
from seekway.pipeline.guardrails.pii.spelled import MONTHS, spelled
from seekway.pipeline.guardrails.pii.window import DIGIT_CHARACTERS, DIGITS, FOLDED, LONGEST, Found, Window

CATEGORIES: Final = frozenset(
    {"id_card", "phone", "bank_card", "credit_code", "passport", "permit", "licence", "plate", "address", "account"}
    | {"iban", "ssn", "national_id", "vat", "email", "ip", "mac", "birth_date", "name", "coordinates", "wallet"}
)
_TOKEN: Final = mail.LOCAL | frozenset(b"@:/+(\x01")
_JOINTS: Final = frozenset(b" -.(),\x01\x02\x03+/'\"")
_WRITTEN_JOINTS: Final = frozenset("年月，")
_MOST_WORDS: Final = 7
_LONGEST_WORD: Final = 14
_LONGEST_TOKEN: Final = mail.LONGEST_LOCAL + mail.LONGEST_DOMAIN + 2
_MONTH_BEGINNINGS: Final = frozenset(month.encode() for month in MONTHS)
_LONGEST_CUE: Final = 18
# Without these, and without a word that something may follow, there is nothing to find and little to hold.
_SPEAKING: Final = DIGIT_CHARACTERS | FOLDED | frozenset("@:°")
_HOLDING: Final = Literals([*places.REGIONS, *places.BEFORE, *people.CUES, *WECHAT_WORDS])
_REGIONS: Final = len(places.REGIONS)
_SHORT_WORD: Final = 2
_WORD_LETTERS: Final = "".join(map(chr, sorted(mail.LOCAL))) + "/+("
_ASCII_LETTERS: Final = frozenset(string.ascii_letters)
_QUIET_JOINTS: Final = " .(),/'\"-+，"
# A number is decided when what stands after it is: two characters.
_AFTER: Final = 2
_MAC_DASHES: Final = 5


class PiiDetector:
    """``categories`` are those that are looked for; None: all of :data:`CATEGORIES`. Raises ``ConfigError`` for one that there is not.

    Only what its check digits and form bear out is found, or what a word beside it says it is; docs/guardrails-pii.md has the table.
    """

    name = "pii"
    context_chars = 2 * LONGEST
    needs_whole = False

    def __init__(self, categories: frozenset[str] | None = None) -> None:
        if categories is not None and (unknown := sorted(categories - CATEGORIES)):
            raise ConfigError(
                f"There is no category of personal data named {unknown[0]}; there are {', '.join(sorted(CATEGORIES))}.",
                param="categories",
            )
        self._categories = CATEGORIES if categories is None else categories
        self._spelled = bool(self._categories & {"account", "name", "address"})

    def scan(self, text: str, start: int, *, final: bool) -> Scan:
        base = start - self.context_chars
        if base > 0:
            # More context than is asked for tells nothing.
            text, start = text[base:], self.context_chars
        else:
            base = 0
        if not final and (quiet := self._quiet(text, start)) is not None:
            return Scan((), quiet + base)
        found, safe = self._scan(text, start, final=final)
        return Scan([_moved(one, base) for one in found] if base else found, safe + base)

    def _scan(self, text: str, start: int, *, final: bool) -> Scan:
        window = Window(text, start)
        safe = len(text) if final else max(start, self._held(window, start))
        found = [one for one in self._all(window) if one.begin >= start and one.category in self._categories]
        if not found:
            return Scan((), safe)
        found = _outermost(found)
        if not final:
            for one in reversed(found):
                if one.end > safe:
                    safe = min(safe, one.begin)
        findings = [
            Finding(self.name, one.category, one.severity, one.begin, one.end, one.rule, one.score)
            for one in found
            if one.begin < safe or final
        ]
        return Scan(findings, safe)

    def _quiet(self, text: str, start: int) -> int | None:
        """What :meth:`_scan` has for ``safe`` where ordinary words alone are new; None where it must look."""
        new = text[start:]
        if not _SPEAKING.isdisjoint(new) or new.count("-") >= _MAC_DASHES:
            return None
        low = max(0, start - _LONGEST_CUE)
        near = text[low:]
        if any(number >= _REGIONS or low + begin >= start for number, begin, _ in _HOLDING.find(near)):
            return None  # an address begins with its region: one that was passed on begins nothing any more
        lower = near.lower()
        if "name" in lower or "called" in lower or not (near.isascii() or FOLDED.isdisjoint(near)):
            return None  # a cue in capitals, or in full width
        size = len(text)
        words = new[-_LONGEST_TOKEN:]
        before = words.rstrip(_WORD_LETTERS)
        rest = before
        while (rest := rest.rstrip(_QUIET_JOINTS)) and rest[-1] in _ASCII_LETTERS:
            # A short word in capitals or a month's name, which a number may follow; what is held may reach back over other capitals.
            last = rest[len(rest.rstrip(_WORD_LETTERS)) :]
            if not last.isalpha() or last[:3].encode("ascii", "replace").lower() in _MONTH_BEGINNINGS:
                return None
            if last[0] > "Z":
                break
            if len(last) <= _SHORT_WORD:
                return None
            rest = rest[: -len(last)]
        held = size - len(words) + len(before)
        if held == size and not text.isascii():
            held = max(start, min(people.held_surname(text), places.held_region(text)))
        if before and before[-1] in PROVINCES:
            return min(held, size - len(words) + len(before) - 1)
        return held

    def _all(self, window: Window) -> Iterator[Found]:
        start = window.start
        new = window.folded[start:]
        if (pieces := window.pieces()) and not are_idle(window, pieces):
            yield from numbers(window, pieces)
            yield from codes(window, pieces)
            yield from spelled(window, self._categories, pieces)
        elif new.count(b":") > 1 or new.count(b"-") >= _MAC_DASHES:
            yield from codes(window, ())  # addresses of machines may have letters alone
        if b"@" in new:
            yield from mail_addresses(window)
        if self._spelled:
            yield from self._by_word(window)

    def _by_word(self, window: Window) -> Iterator[Found]:
        """What only a word beside it tells."""
        low = max(0, window.start - _LONGEST_CUE)
        clues = clues_in(window.text[low:])
        if clues.accounts and "account" in self._categories:
            yield from accounts(window)
        if "name" in self._categories and (clues.names or people.has_disguised_cue(window, low)):
            yield from people.names(window)
        if clues.places and "address" in self._categories:
            yield from places.places(window)

    def _held(self, window: Window, start: int) -> int:
        """Where the longest end of the text begins that may still become a finding."""
        held = _token_begin(window, start)
        if "name" in self._categories:
            held = min(held, people.held(window))
        if "address" in self._categories and not window.text.isascii():
            held = min(held, places.held(window.text))
        return held


def _moved(one: Finding, by: int) -> Finding:
    return Finding(one.detector, one.category, one.severity, one.start + by, one.end + by, one.rule, one.score)


def _outermost(found: list[Found]) -> list[Found]:
    """Without what lies wholly within another: a group of an account's digits may look like a telephone's."""
    found.sort(key=lambda one: (one.begin, -one.end, one.rule))
    kept: list[Found] = []
    furthest = -1
    for one in found:
        if one.end > furthest:
            kept.append(one)
            furthest = one.end
    return kept


def _joins(folded: int, char: str) -> bool:
    return folded in _JOINTS or char in _WRITTEN_JOINTS


def _token_begin(window: Window, start: int) -> int:
    """Of the word in progress, and of the groups of digits before it that it may belong to."""
    folded, text = window.folded, window.text
    place, floor = len(folded), max(start, len(folded) - _LONGEST_TOKEN)
    while place > floor and folded[place - 1] in _TOKEN:
        place -= 1
    floor = max(floor, len(folded) - LONGEST)
    held, words = place, 0
    while place > floor:
        # The two characters after a number decide whether it stands free.
        back = place
        while back > floor and place - back < _AFTER + 1 and _joins(folded[back - 1], text[back - 1]):
            back -= 1
        begin = back
        while begin > floor and (48 <= folded[begin - 1] <= 57 or 65 <= (folded[begin - 1] & 0xDF) <= 90):
            begin -= 1
        group = folded[begin:back]
        if not group:
            break
        place = begin
        if (
            not DIGITS.isdisjoint(group)
            or (len(group) <= _SHORT_WORD and group.isupper())
            or group[:3].lower() in _MONTH_BEGINNINGS
        ):
            held = begin
        elif words < _MOST_WORDS and len(group) <= _LONGEST_WORD and 65 <= group[0] <= 90:
            # Of an account or a street, if a number stands before it.
            words += 1
        else:
            break
    place = held
    while place > start and len(folded) - place < LONGEST and folded[place - 1] in b"+-(":
        place -= 1
    if place > start and text[place - 1] in PROVINCES:
        place -= 1
    return max(place, start)
