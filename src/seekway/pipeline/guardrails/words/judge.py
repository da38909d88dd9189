"""Whether letters that spell a term are that term: what stands between them and around them.

Every rule looks at a bounded piece of the text, so that a stream is judged as the whole text is.
"""

from __future__ import annotations

from enum import Enum, auto
from itertools import groupby
from typing import Final

from seekway.pipeline.guardrails.normalise.characters import FIRST_HAN
from seekway.pipeline.guardrails.normalise.folded import Folded
from seekway.pipeline.guardrails.normalise.gaps import Gap, gap_at_end, gap_before, is_alphabetic
from seekway.pipeline.guardrails.words.entries import LEET, RARELY_DOUBLED, Entry

FOUND_CHARS: Final = 400
"""No disguised term is longer than this in the text as it came."""
_SIGNS: Final = frozenset(sign for sign in LEET if not sign.isdigit())
_RUN_LETTERS: Final = 16
_SPELLED_INSIDE: Final = 6  # so many letters spelled out are a term even within a longer spelled word


class Verdict(Enum):
    YES = auto()
    NO = auto()
    OPEN = auto()
    """What follows decides."""


class Span:
    """Letters ``begin`` up to ``end`` of a text, which are not the whole text unless ``final``."""

    def __init__(self, folded: Folded, begin: int, end: int, *, final: bool) -> None:
        self.folded = folded
        self.begin = begin
        self.end = end
        self.final = final
        self._gaps: list[Gap] | None = None

    @property
    def gaps(self) -> list[Gap]:
        """What stands before each letter but the first."""
        if self._gaps is None:
            places = self.folded.places
            if places[self.end - 1] - places[self.begin] == self.end - 1 - self.begin:
                self._gaps = [Gap.NONE] * (self.end - self.begin - 1)
            else:
                self._gaps = [gap_before(self.folded, k) for k in range(self.begin + 1, self.end)]
        return self._gaps

    def original(self) -> tuple[int, int]:
        places = self.folded.places
        return self.folded.original_span(places[self.begin], places[self.end - 1])

    def is_too_long(self) -> bool:
        places = self.folded.places
        if places[self.end - 1] - places[self.begin] >= FOUND_CHARS:
            return True
        begin, end = self.original()
        return end - begin > FOUND_CHARS

    def begins_word(self) -> bool:
        letters = self.folded.letters
        return (
            not is_alphabetic(letters[self.begin])
            or self.begin == 0
            or not is_of_word(self.folded, self.begin - 1)
            or gap_before(self.folded, self.begin) > Gap.INVISIBLE
        )

    def ends_word(self) -> Verdict:
        letters = self.folded.letters
        if not is_alphabetic(letters[self.end - 1]):
            return Verdict.YES
        if self.end == len(letters):
            return Verdict.OPEN if not self.final and gap_at_end(self.folded) <= Gap.INVISIBLE else Verdict.YES
        inside = is_of_word(self.folded, self.end) and gap_before(self.folded, self.end) <= Gap.INVISIBLE
        return Verdict.NO if inside else Verdict.YES

    def ends_spelling(self) -> Verdict:
        """Whether a word that is spelled out letter by letter begins and ends where the term does."""
        if self._spelled_on(self.begin, self.begin + 1, self.begin - 2):
            before = self.folded.letters[self.begin - 1]
            if (
                before not in "ai"
                or self._between(self.begin) != " "
                or self._spelled_on(self.begin - 1, self.begin, self.begin - 3)
            ):
                return Verdict.NO
        if self.end == len(self.folded.letters):
            return Verdict.OPEN if not self.final and gap_at_end(self.folded) < Gap.FAR else Verdict.YES
        if self._between(self.end) != self._between(self.end - 1):
            return Verdict.YES
        if self.end + 1 == len(self.folded.letters):
            is_open = not self.final and gap_at_end(self.folded) <= Gap.INVISIBLE
            return Verdict.OPEN if is_open else Verdict.NO
        return Verdict.NO if gap_before(self.folded, self.end + 1) > Gap.INVISIBLE else Verdict.YES

    def _spelled_on(self, letter: int, following: int, before: int) -> bool:
        """True where the letter before ``letter`` stands alone too, at the same distance."""
        if letter <= 0 or gap_before(self.folded, letter) in {Gap.NONE, Gap.INVISIBLE, Gap.FAR}:
            return False
        alone = (before < 0 and not self.folded.is_cut) or (
            before >= 0 and gap_before(self.folded, before + 1) > Gap.INVISIBLE
        )
        return alone and self._between(letter) == self._between(following)

    def _between(self, letter: int) -> str:
        places = self.folded.places
        if gap_before(self.folded, letter) == Gap.FAR:
            return f"far {letter}"  # like no other
        return self.folded.text[places[letter - 1] + 1 : places[letter]]


def is_of_word(folded: Folded, letter: int) -> bool:
    """True for a letter of an alphabet, but not for a sign that is read as one."""
    return is_alphabetic(folded.letters[letter]) and folded.text[folded.places[letter]] not in _SIGNS


def judge(span: Span, entry: Entry) -> Verdict:
    """The rules for letters that are the term's own, whatever stands between them."""
    if entry.term is None:
        return _judge_phrase(span, entry)
    if entry.term.exact:
        return (
            _judge_word(span)
            if max(span.gaps, default=0) <= Gap.INVISIBLE or _only_at(span, entry.breaks)
            else Verdict.NO
        )
    if entry.is_han:
        return _judge_han(span, entry)
    return _judge_alphabetic(span, entry)


def _judge_word(span: Span) -> Verdict:
    return span.ends_word() if span.begins_word() else Verdict.NO


def _only_at(span: Span, breaks: frozenset[int]) -> bool:
    return all(gap <= Gap.INVISIBLE or (k in breaks and gap < Gap.FAR) for k, gap in enumerate(span.gaps, 1))


def _judge_phrase(span: Span, entry: Entry) -> Verdict:
    """An allowed phrase stands as it is written, but for its spaces."""
    begin, end = span.original()
    if end - begin > phrase_chars(entry) or not span.begins_word():
        return Verdict.NO
    fits = all(gap == Gap.NONE or (k in entry.breaks and gap <= Gap.CLAUSE) for k, gap in enumerate(span.gaps, 1))
    return Verdict.YES if fits else Verdict.NO


def phrase_chars(entry: Entry) -> int:
    """How long an allowed phrase may be in the text as it came."""
    return len(entry.letters) + 2 * len(entry.breaks)


def _judge_alphabetic(span: Span, entry: Entry) -> Verdict:
    inner = [gap for k, gap in enumerate(span.gaps, 1) if k not in entry.breaks] if entry.breaks else span.gaps
    if Gap.FAR in span.gaps:
        return Verdict.NO
    strongest = max(inner, default=Gap.NONE)
    size = len(entry.letters)
    if strongest <= Gap.INVISIBLE:
        return _judge_word(span)
    if min(inner) > Gap.INVISIBLE and size >= 3:
        if strongest == Gap.BREAK and min(inner) < Gap.BREAK:
            return Verdict.NO
        if not span.begins_word():
            return Verdict.NO
        ends = span.ends_word()
        if ends != Verdict.YES or size >= _SPELLED_INSIDE:
            return ends
        return span.ends_spelling()
    least = 10 if strongest == Gap.CLAUSE else 6 if strongest == Gap.JOINER else 4
    return _judge_word(span) if strongest <= Gap.CLAUSE and size >= least else Verdict.NO


def _judge_han(span: Span, entry: Entry) -> Verdict:
    gaps = span.gaps
    strongest = max(gaps, default=Gap.NONE)
    if strongest == Gap.FAR:
        return Verdict.NO
    size = len(entry.letters)
    if strongest <= Gap.ODD or _only_at(span, entry.breaks):
        return _judge_word(span)
    if size == 2:
        return _judge_pair(span)
    if min(gaps) > Gap.INVISIBLE:
        return _judge_word(span) if strongest < Gap.BREAK or min(gaps) == Gap.BREAK else Verdict.NO
    return _judge_word(span) if strongest <= (Gap.JOINER if size == 3 else Gap.CLAUSE) else Verdict.NO


def _judge_pair(span: Span) -> Verdict:
    """Two characters with a hyphen, a dot or spaces between them are a word only where both stand alone."""
    folded = span.folded
    between = folded.text[folded.places[span.begin] + 1 : folded.places[span.begin + 1]]
    if max(span.gaps) > Gap.JOINER and not between.isspace():
        return Verdict.NO
    if "\n" in between or (span.begin > 0 and gap_before(folded, span.begin) <= Gap.INVISIBLE):
        return Verdict.NO
    if span.end == len(folded.letters):
        return Verdict.OPEN if not span.final and gap_at_end(folded) <= Gap.INVISIBLE else Verdict.YES
    return Verdict.YES if gap_before(folded, span.end) > Gap.INVISIBLE else Verdict.NO


def judge_leet(span: Span, entry: Entry, letters: str) -> Verdict:
    """``letters`` are the span's letters before digits and signs were read as letters."""
    digits = signs = 0
    for written, meant in zip(letters, entry.letters, strict=True):
        if written != meant:
            if meant not in LEET.get(written, ""):
                return Verdict.NO
            digits += written.isdigit()
            signs += 1
    own = len(letters) - signs
    if not signs or not own or digits > own:
        return Verdict.NO  # 455 or B00 are more often numbers of something
    return _judge_alphabetic(span, entry)


def squeezed_span(folded: Folded, runs: list[int], entry: Entry, *, final: bool) -> Span | None:
    """The letters of a term that repeats some; nothing where they may be an ordinary word.

    ``runs`` says where the run of each of its letters begins, and at last where the last one ends.
    """
    begin, end = runs[0], runs[-1]
    wanted = [(letter, len(list(group))) for letter, group in groupby(entry.letters)]
    last = len(wanted) - 1
    differs = False
    for k, (letter, least) in enumerate(wanted):
        count = runs[k + 1] - runs[k]
        if letter >= FIRST_HAN and k in {0, last}:
            if count < least:
                return None
            if k == 0:
                begin += count - least
            if k == last:
                end -= count - least
        elif count != least:
            differs = True
            if not _is_repeated(letter, count, least, len(entry.letters)):
                return None
    return Span(folded, begin, end, final=final) if differs else None


def _is_repeated(letter: str, count: int, least: int, size: int) -> bool:
    if count < least or count > _RUN_LETTERS or letter.isdigit():
        return False
    if letter >= FIRST_HAN:
        return count >= 3 or size >= 3
    # goood is good, not god: a short word may be another one whose double letter is drawn out.
    return letter in RARELY_DOUBLED or (count >= 3 and (size >= 4 or least > 1))


def sounds_alike(letters: str, entry: Entry) -> bool:
    """True where enough of the characters are the term's own for the others to be meant as its homophones."""
    if letters == entry.letters or entry.term is None:
        return False
    if entry.term.homophones:
        return True
    same = sum(a == b for a, b in zip(letters, entry.letters, strict=True))
    return same >= max(2, (len(letters) + 1) // 2)
