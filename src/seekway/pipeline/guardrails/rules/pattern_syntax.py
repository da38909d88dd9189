"""Reads a pattern as far as a stream needs to know it: how long a match can be, and what a match that is not whole yet looks like.

The syntax is RE2's (github.com/google/re2/wiki/Syntax) without anchors of lines and texts, which mean nothing within a stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from seekway.core.errors import ConfigError

MOST_REPEATS: Final = 1000
"""RE2's own bound on counted repetitions, nested ones multiplied."""
_MOST_DEPTH: Final = 50
_ZERO_WIDTH: Final = frozenset({"\\b", "\\B"})
_ANCHORS: Final = frozenset({"\\A", "\\z", "\\Z", "\\G", "^", "$"})


@dataclass(frozen=True, slots=True)
class Atom:
    """One character or, with ``width`` 0, a word boundary."""

    source: str
    width: int = 1


@dataclass(frozen=True, slots=True)
class Sequence:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    options: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """``most`` None is without a bound."""

    part: Node
    least: int
    most: int | None
    lazy: bool


@dataclass(frozen=True, slots=True)
class Group:
    """``flags`` such as ``i`` hold within it."""

    part: Node
    flags: str


Node = Atom | Sequence | Choice | Repeat | Group


def parse(source: str) -> Node:
    """Raises ``ConfigError`` with the place and what is wrong there."""
    reader = _Reader(source)
    node = reader.choice(0)
    if reader.at < len(source):
        raise reader.wrong("this bracket closes nothing")
    return node


def longest(node: Node) -> int | None:
    """Most characters of a match; None without a bound."""
    match node:
        case Atom(_, width):
            return width
        case Group(part, _):
            return longest(part)
        case Repeat(part, _, most, _):
            inner = longest(part)
            return 0 if inner == 0 else None if most is None or inner is None else most * inner
        case Sequence(parts) | Choice(parts):
            lengths = [longest(part) for part in parts]
            known = [length for length in lengths if length is not None]
            if len(known) < len(lengths):
                return None
            return max(known, default=0) if isinstance(node, Choice) else sum(known)


def shortest(node: Node) -> int:
    match node:
        case Atom(_, width):
            return width
        case Group(part, _):
            return shortest(part)
        case Repeat(part, least, _, _):
            return least * shortest(part)
        case Sequence(parts):
            return sum(map(shortest, parts))
        case Choice(options):
            return min(map(shortest, options), default=0)


def bounded(node: Node, most: int) -> Node:
    """``node`` with every repetition that has no bound held to ``most``."""
    match node:
        case Atom():
            return node
        case Group(part, flags):
            return Group(bounded(part, most), flags)
        case Repeat(part, least, known, lazy):
            return Repeat(bounded(part, most), least, max(least, most) if known is None else known, lazy)
        case Sequence(parts):
            return Sequence(tuple(bounded(part, most) for part in parts))
        case Choice(options):
            return Choice(tuple(bounded(option, most) for option in options))


def loosened(node: Node, count: int, *, keep_least: bool) -> Node:
    """``node`` with repetitions of ``count`` or more without a bound, and at least ``count`` times where more were asked: it fits all that ``node`` fits, and more.

    Of texts shorter than ``count`` characters, the same ones are beginnings of both, for none can repeat anything so often.
    ``keep_least`` leaves the lower bounds. What is counted is copied by RE2 as often, so that this is a far smaller automaton.
    """
    match node:
        case Atom():
            return node
        case Group(part, flags):
            return Group(loosened(part, count, keep_least=keep_least), flags)
        case Repeat(part, least, most, lazy):
            looser = loosened(part, count, keep_least=keep_least)
            if most is None or most < count or not shortest(part):
                return Repeat(looser, least, most, lazy)
            return Repeat(looser, least if keep_least else min(least, count), None, lazy)
        case Sequence(parts):
            return Sequence(tuple(loosened(part, count, keep_least=keep_least) for part in parts))
        case Choice(options):
            return Choice(tuple(loosened(option, count, keep_least=keep_least) for option in options))


def write(node: Node) -> str:
    """``node`` in RE2's syntax; groups capture nothing."""
    match node:
        case Atom(source, _):
            return source
        case Group(part, flags):
            return f"(?{flags}:{write(part)})"
        case Repeat(part, least, most, lazy):
            return _repeated(write(part), least, most) + ("?" if lazy else "")
        case Sequence(parts):
            return "".join(map(write, parts))
        case Choice(options):
            return f"(?:{'|'.join(map(write, options))})"


def beginnings(node: Node) -> str:
    """A pattern of what may still become a match of ``node``, or a longer one, when more follows; the empty text is among it.

    That of ``AB`` is that of ``A``, or ``A`` and that of ``B``; that of ``x{m,n}`` is ``x{0,n-1}`` and that of ``x``.
    """
    match node:
        case Atom():
            return ""
        case Group(part, flags):
            return f"(?{flags}:{beginnings(part)})"
        case Repeat(part, _, most, _):
            if most == 0:
                return ""
            return _repeated(write(part), 0, None if most is None else most - 1) + beginnings(part)
        case Choice(options):
            return f"(?:{'|'.join(map(beginnings, options))})"
        case Sequence(parts):
            made = beginnings(parts[-1]) if parts else ""
            for part in reversed(parts[:-1]):
                made = f"(?:{beginnings(part)}|{write(part)}{made})"
            return made


def _repeated(part: str, least: int, most: int | None) -> str:
    if most == 0:
        return ""
    counts: dict[tuple[int, int | None], str] = {(0, None): "*", (1, None): "+", (0, 1): "?"}
    short = counts.get((least, most))
    return f"(?:{part})" + (short or f"{{{least},{'' if most is None else most}}}")


class _Reader:
    def __init__(self, source: str) -> None:
        self._source = source
        self.at = 0

    def wrong(self, why: str) -> ConfigError:
        return ConfigError(f"at character {self.at + 1}: {why}", param="pattern")

    def choice(self, depth: int) -> Node:
        if depth > _MOST_DEPTH:
            raise self.wrong("groups are nested too deep")
        options = [self._sequence(depth)]
        while self._next() == "|":
            self.at += 1
            options.append(self._sequence(depth))
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def _next(self, count: int = 1) -> str:
        return self._source[self.at : self.at + count]

    def _sequence(self, depth: int) -> Node:
        parts: list[Node] = []
        while (mark := self._next()) and mark not in "|)":
            if mark in _ANCHORS:
                raise self.wrong(f"{mark} stands for a line's end, which a stream does not have; use \\b for a word's")
            if mark in "*+?":
                raise self.wrong(f"{mark} repeats nothing")
            if self._next(2) == "(?" and (end := self._flags_alone()):
                flags = self._source[self.at + 2 : end]
                self.at = end + 1
                parts.append(Group(self.choice(depth + 1), flags))
                break
            parts.append(self._repeats(self._part(depth)))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _flags_alone(self) -> int:
        """The place of the bracket that closes ``(?i)``, or 0."""
        end = self.at + 2
        while self._source[end : end + 1].isalpha():
            end += 1
        return end if self._source[end : end + 1] == ")" and end > self.at + 2 else 0

    def _part(self, depth: int) -> Node:
        mark = self._next()
        if mark == "(":
            return self._group(depth)
        if mark == "[":
            return Atom(self._class())
        if mark == "\\":
            return self._escape()
        self.at += 1
        # Outside of a count a brace is itself.
        return Atom(f"\\{mark}" if mark in "{}]" else mark)

    def _group(self, depth: int) -> Node:
        began = self.at
        self.at += 1
        flags = ""
        if self._next() == "?":
            end = self.at + 1
            while self._source[end : end + 1].isalpha() or self._source[end : end + 1] == "-":
                end += 1
            if self._source[end : end + 1] != ":" or self._source[self.at + 1 : self.at + 2] == "P":
                raise self.wrong("of groups (…), (?:…) and (?i:…) are known; looking around and naming are not")
            flags = self._source[self.at + 1 : end]
            self.at = end + 1
        part = self.choice(depth + 1)
        if self._next() != ")":
            self.at = began
            raise self.wrong("this bracket is not closed")
        self.at += 1
        return Group(part, flags)

    def _class(self) -> str:
        began = self.at
        at = began + 1 + (self._source[began + 1 : began + 2] == "^")
        first = at
        while at < len(self._source) and (self._source[at] != "]" or at == first):
            if self._source[at] == "\\":
                at += 1
            elif self._source[at : at + 2] == "[:":
                at = max(self._source.find(":]", at), at) + 1
            at += 1
        if at >= len(self._source):
            raise self.wrong("this bracket is not closed")
        self.at = at + 1
        return self._source[began : self.at]

    def _escape(self) -> Node:
        pair = self._next(2)
        if len(pair) < 2 or pair in _ANCHORS:
            raise self.wrong(f"{pair} cannot stand here")
        if pair[1] in "123456789":
            raise self.wrong("what a group found cannot be referred to, as that takes more than linear time")
        if pair in ("\\Q", "\\C"):
            raise self.wrong(f"{pair} is not known")
        end = self.at + 2
        if pair in ("\\x", "\\p", "\\P") and self._source[end : end + 1] == "{":
            end = self._source.find("}", end) + 1
            if not end:
                raise self.wrong("this brace is not closed")
        elif pair == "\\x":
            end += 2
        elif pair in ("\\p", "\\P"):
            end += 1
        source = self._source[self.at : end]
        self.at = end
        return Atom(source, 0 if source in _ZERO_WIDTH else 1)

    def _repeats(self, part: Node) -> Node:
        count = self._count()
        if count is None:
            return part
        least, most = count
        if (most is not None and most < least) or max(least, most or 0) > MOST_REPEATS:
            raise self.wrong(f"a count must rise and be at most {MOST_REPEATS}")
        lazy = self._next() == "?"
        self.at += lazy
        if self._next() in ("*", "+") or (self._next() == "?" and not lazy):
            raise self.wrong("this repeats a repetition; put it into a group")
        return Repeat(part, least, most, lazy)

    def _count(self) -> tuple[int, int | None] | None:
        mark = self._next()
        if mark and mark in "*+?":
            self.at += 1
            return (1 if mark == "+" else 0), (1 if mark == "?" else None)
        if mark != "{":
            return None
        end = self._source.find("}", self.at)
        least, comma, most = self._source[self.at + 1 : max(end, self.at + 1)].partition(",")
        if end < 0 or not least.isdecimal() or (most and not most.isdecimal()):
            return None
        self.at = end + 1
        return int(least), int(least) if not comma else int(most) if most else None
