"""A text as the terms it is indexed and asked for by.

Width, case, accents and traditional characters are folded, English is stemmed (Snowball's ``english``).
Chinese is segmented with jieba's dictionary into words, the words within them and their characters: questions say 专票 where passages say 专用发票.
jieba's guesses at unknown words are left out, since they depend on what stands around a word and so differ between a question and its passage.
Scripts that are written without spaces and not in the dictionary (kana, Thai) are cut into pairs of characters.
"""

from __future__ import annotations

import importlib
import re
import unicodedata
from functools import cache
from importlib.resources import files
from typing import Final, Protocol, cast

from seekway.knowledge.index.terms.dictionary import dictionary
from seekway.knowledge.index.terms.stop_words import STOP_WORDS

MAX_TERM: Final = 64
"""Characters; what is longer is no word (a key, an address' code) and is cut."""

# Character classes only, so that matching is linear: Latin and digits, Han, what is written without spaces, all other letters.
_RUNS: Final = re.compile(
    r"([a-z0-9]+)|([\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+)|([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff]+)|([^\W_]+)"
)
_PARTS: Final = re.compile(r"[a-z]+|[0-9]+")


class _Stemmer(Protocol):
    def stemWord(self, word: str, /) -> str: ...  # noqa: N802 - the package's name


def terms(text: str) -> list[str]:
    """Repeated as often as they stand there; letters and digits only, folded."""
    return _terms(text, frozenset())


def query_terms(text: str) -> list[str]:
    """Each once, without the words that questions are built of, unless there are no others."""
    found = _terms(text, STOP_WORDS)
    return list(dict.fromkeys(found or terms(text)))


def keywords(text: str, most: int) -> list[str]:
    """The words that are most of a text: the more often and the longer, the earlier; at most ``most``."""
    counts: dict[str, int] = {}
    for term in terms(text):
        if len(term) > 1 and term not in _stop_terms() and not term.isdigit():
            counts[term] = counts.get(term, 0) + 1
    # Longer words say more: Chinese words of three characters are mostly names and terms.
    ranked = sorted(counts, key=lambda term: -counts[term] * min(len(term) if not term.isascii() else 3, 4))
    return ranked[:most]


def folded(text: str) -> str:
    """Width, case and accents folded, traditional characters simplified; not for showing."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", text).casefold().translate(_folds())


def warm_up() -> None:
    """Load dictionary, stemmer and tables, some 20 ms of a core; not on the event loop."""
    terms("预热 running")


def _terms(text: str, without: frozenset[str]) -> list[str]:
    found: list[str] = []
    for match in _RUNS.finditer(folded(text)):
        run, kind = match[0], match.lastindex
        if run in without:
            continue
        if kind == 1:
            found += _latin(run)
        elif kind == 2:
            found += _han(run, without)
        elif kind == 3:
            found += [run[k : k + 2] for k in range(len(run) - 1)] or [run]
        else:
            found.append(run[:MAX_TERM])
    return found


def _han(run: str, without: frozenset[str]) -> list[str]:
    found: list[str] = []
    for word, within in dictionary().words(run):
        if word in without:
            continue
        if len(word) > 1:
            found += within
            found.append(word)
        found += word
    return found


def _latin(run: str) -> list[str]:
    run = run[:MAX_TERM]
    if run.isalpha():
        return [_stemmer().stemWord(run)]
    if run.isdigit():
        return [run]
    # Model numbers are asked for in part too.
    return [run, *_PARTS.findall(run)]


@cache
def _stop_terms() -> frozenset[str]:
    return frozenset((*STOP_WORDS, *(term for word in STOP_WORDS if word.isascii() for term in terms(word))))


@cache
def _stemmer() -> _Stemmer:
    # The package has no types; this is the only place that touches it.
    return cast("_Stemmer", importlib.import_module("Stemmer").Stemmer("english"))


@cache
def _folds() -> dict[int, str]:
    folds: dict[int, str] = {}
    for code in range(0xC0, 0x250):
        base = unicodedata.normalize("NFD", chr(code))[0]
        if base.isascii():
            folds[code] = base.lower()
    table = files(__package__ or "").joinpath("traditional.txt").read_text(encoding="utf-8")
    for line in table.splitlines():
        simplified, _, traditional = line.partition(" ")
        folds.update(dict.fromkeys(map(ord, traditional), simplified))
    return folds
