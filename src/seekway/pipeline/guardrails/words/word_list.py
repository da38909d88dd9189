"""A list of sensitive words, and the file that people write it in.

A file is UTF-8 text, one term a line::

    # A comment. Blank lines mean nothing.
    @name drugs-zh
    @source written for this project
    @license Apache-2.0

    [drugs high]
    冰毒
    speed ball
    麻古 | homophones
    溜冰 | low; unless 滑冰, 冬奥, 体育 within 20

    [allow]
    冰毒检测

``@key value`` describes the list: ``name`` (the file's name without its suffix, where it is missing), ``source`` and ``license``.
They stand before the first section.

``[category level]`` opens a section; ``level`` is ``low``, ``medium`` or ``high``.
A category is a word of Latin letters, digits, ``-`` and ``_``, and may be opened as often as one likes.

Options may follow the level after ``|``, as ``[drugs medium | unless 警方, 医生 within 20]``; they hold for each term of the section, and a term's own take their place one by one.

A term is written plainly: simplified Chinese, small letters, no disguise; the detector sees through disguises.
Options may follow it after ``|``, separated by ``;``:

- ``low``, ``medium``, ``high``: a level of its own;
- ``exact``: found as it is written only (letter case, width, traditional characters and invisible characters aside), without the other disguises; for short terms that would be found by chance;
- ``homophones``: any characters that sound alike count too, and the term written in pinyin; for terms of two characters, and for longer ones that are worth some false alarms. Terms of three or more characters are looked for in homophones and pinyin without it, but strictly;
- ``unless WORD, WORD within N``: harmless where one of the words stands within N characters before or after it, N from 1 to 100.

``[allow]`` opens a section of harmless phrases, each longer than a term that it holds: within one, that term is not found.
An allowed phrase counts for every list that is loaded beside it.

A term has at most 40 characters, an allowed phrase 60.
A term that stands in a file twice is kept once; with two categories it is kept in both, with two levels the file is refused.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NoReturn, cast

import msgspec

from seekway.core.errors import ConfigError
from seekway.pipeline.guardrails.detector import Severity

TERM_CHARS: Final = 40
ALLOW_CHARS: Final = 60
WITHIN_CHARS: Final = 100
_LEVELS: Final = frozenset({"low", "medium", "high"})
_SPECIAL: Final = frozenset("#@[")
_CATEGORY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")  # for files of operators, never for texts of users
_UNLESS: Final = re.compile(r"unless\s+(.+?)\s+within\s+(\d{1,6})")


class Term(msgspec.Struct, frozen=True, gc=False):
    """One sensitive word: ``text`` as the list has it, and how it is looked for.

    ``unless`` are words that make it harmless where one stands within ``within`` characters of it.
    """

    text: str
    category: str
    severity: Severity
    exact: bool = False
    homophones: bool = False
    unless: tuple[str, ...] = ()
    within: int = 0


class WordList(msgspec.Struct, frozen=True):
    """Terms and, in ``allow``, longer phrases within which no term is found."""

    name: str
    terms: tuple[Term, ...]
    allow: tuple[str, ...] = ()
    source: str = ""
    license: str = ""


def load_word_list(path: Path) -> WordList:
    """Reads one file; raises :class:`ConfigError`, with the line, where it says what cannot be meant."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"The word list {path} cannot be read: {error.strerror}.", param=str(path)) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{path}, line {line}: this is not UTF-8; save the file as UTF-8.", param=str(path)
        ) from error
    return parse_word_list(text, path)


def parse_word_list(text: str, path: Path) -> WordList:
    """Reads what a file holds; ``path`` names it in errors, and names the list where the file does not."""
    return _Reader(path).read(text)


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._line = 0
        self._about: dict[str, str] = {}
        self._category = ""
        self._defaults = Term("", "", "high")
        self._in_allow = False
        self._terms: dict[tuple[str, str], Term] = {}
        self._allow: dict[str, None] = {}

    def read(self, text: str) -> WordList:
        for self._line, raw in enumerate(text.split("\n"), 1):
            line = raw.strip()
            if not line:
                continue
            if line[0] in _SPECIAL:
                self._special(line)
            elif self._in_allow:
                self._allow[self._checked(line, ALLOW_CHARS)] = None
            else:
                self._term(line)
        about = self._about
        return WordList(
            name=about.get("name", self._path.stem),
            terms=tuple(self._terms.values()),
            allow=tuple(self._allow),
            source=about.get("source", ""),
            license=about.get("license", ""),
        )

    def _refuse(self, reason: str) -> NoReturn:
        raise ConfigError(f"{self._path}, line {self._line}: {reason}", param=str(self._path))

    def _special(self, line: str) -> None:
        if line[0] == "#":
            return
        if line[0] == "@":
            self._describe(line)
        else:
            self._open(line)

    def _describe(self, line: str) -> None:
        key, _, value = line[1:].partition(" ")
        if key not in {"name", "source", "license"}:
            self._refuse(f"@{key} is not known; there are @name, @source and @license.")
        if self._category or self._in_allow:
            self._refuse(f"@{key} must stand before the first [section].")
        if not value.strip():
            self._refuse(f"@{key} needs a value after a space.")
        if key in self._about:
            self._refuse(f"@{key} is given twice.")
        self._about[key] = value.strip()

    def _open(self, line: str) -> None:
        if not line.endswith("]"):
            self._refuse("a section is opened by [category level] or [allow] on a line of its own.")
        head, bar, options = line[1:-1].partition("|")
        words = head.split()
        self._in_allow = words == ["allow"] and not bar
        if self._in_allow:
            return
        if len(words) != 2 or words[1] not in _LEVELS:
            self._refuse("a section is opened by [category level], with the level low, medium or high, or by [allow].")
        if not _CATEGORY.fullmatch(words[0]):
            self._refuse(f"the category {words[0]} may hold Latin letters, digits, - and _ only.")
        self._category = words[0]
        defaults = Term("", words[0], cast("Severity", words[1]))
        self._defaults = self._with_options(defaults, options) if bar else defaults

    def _checked(self, text: str, most: int) -> str:
        if len(text) > most:
            self._refuse(f"this has {len(text)} characters; {most} is the most.")
        if not text.isalnum():
            if not any(map(str.isalnum, text)):
                self._refuse("this holds no letter and no digit, so that it could be found anywhere.")
            if "|" in text:
                self._refuse("an allowed phrase has no options, and no phrase holds a |.")
        if len(text) == 1 and text.isascii():
            self._refuse("a single Latin letter or digit is no term.")
        return text

    def _term(self, line: str) -> None:
        if not self._category:
            self._refuse("a term needs a section before it, such as [violence high].")
        text, bar, options = line.partition("|")
        if bar:
            text = text.rstrip()
        term = msgspec.structs.replace(self._defaults, text=self._checked(text, TERM_CHARS))
        if bar:
            term = self._with_options(term, options)
        key = (text, self._category)
        before = self._terms.setdefault(key, term)
        if before is not term and before != term:
            self._refuse(f"{text} stands in {self._category} already, with another level or other options.")

    def _with_options(self, term: Term, options: str) -> Term:
        severity, exact, homophones = term.severity, term.exact, term.homophones
        unless, within = term.unless, term.within
        for option in map(str.strip, options.split(";")):
            if option in _LEVELS:
                severity = cast("Severity", option)
            elif option == "exact":
                exact = True
            elif option == "homophones":
                homophones = True
            elif found := _UNLESS.fullmatch(option):
                unless = tuple(filter(None, (word.strip() for word in found[1].replace("，", ",").split(","))))
                within = int(found[2])
            else:
                self._refuse(
                    f"the option {option!r} is not known; there are low, medium, high, exact, homophones and unless WORD, WORD within N."
                )
        if unless and not 1 <= within <= WITHIN_CHARS:
            self._refuse(f"within must be from 1 to {WITHIN_CHARS}.")
        if any(len(word) > within for word in unless):
            self._refuse(f"a word after unless is longer than the {within} characters in which it is looked for.")
        if exact and homophones:
            self._refuse("exact and homophones exclude each other.")
        return Term(term.text, term.category, severity, exact, homophones, unless, within)
