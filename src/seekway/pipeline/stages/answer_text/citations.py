"""One form for the many in which models cite their sources.

Known are ``[1]``, ``[^1]``, ``[[1]]``, ``[citation:1]`` (DeepSeek's search prompt), ``[source 2]``, ``[来源3]``, ``【1】``, ``【1†source】``,
``【4:0†file.pdf】`` (OpenAI's file search: message and source), full-width ``［1］``, and several numbers in one bracket.
Left alone are links ``[1](…)``, definitions ``[1]: …`` at a line's start, code, and plain lists such as ``[1, 2]``, which may be data.
"""

from __future__ import annotations

from typing import Final

from seekway.pipeline.stages.answer_text.code_spans import CodeSpans, may_go_on, run_length

_CLOSERS: Final = {"[": "]", "【": "】", "［": "］", "〔": "〕"}
_OF_INTEREST: Final = frozenset("`\n" + "".join(_CLOSERS))
_WORDS: Final = ("citation", "source", "cite", "ref", "引用", "来源", "來源", "资料", "^")
_LONGEST: Final = 64
"""Characters of a citation; a name of a source that is longer is no reason to hold an answer back."""
_MOST_DIGITS: Final = 3


class FormatCitations:
    """Writes every citation as ``style``, whose ``{n}`` is the number."""

    def __init__(self, style: str = "[{n}]") -> None:
        self._style = style
        self._held = ""
        self._code = CodeSpans()
        self._line_start = True

    def feed(self, text: str) -> str:
        return self._scan(self._held + text, final=False)

    def end(self, *, last: bool) -> str:
        return self._scan(self._held, final=True)

    def _scan(self, text: str, *, final: bool) -> str:
        out: list[str] = []
        at = 0
        while at < len(text):
            start = at
            while at < len(text) and text[at] not in _OF_INTEREST:
                at += 1
            if at > start:
                out.append(text[start:at])
                self._line_start = False
                continue
            taken = self._at_mark(text, at, out, final=final)
            if not taken:
                break
            at += taken
        self._held = text[at:]
        return "".join(out)

    def _at_mark(self, text: str, at: int, out: list[str], *, final: bool) -> int:
        """How many characters were dealt with; 0 where what follows must come first."""
        mark = text[at]
        if mark == "`":
            taken = run_length(text, at)
            if may_go_on(text, at, taken) and not final:
                return 0
            self._code.backticks(taken)
        elif mark == "\n":
            self._code.line_end()
            self._line_start = True
            out.append(mark)
            return 1
        elif self._code.inside:
            taken = 1
        else:
            found = self._citation(text, at, final=final)
            if found is None:
                return 0
            taken, written = found
            if taken:
                self._line_start = False
                out.append(written)
                return taken
            taken = 1
        self._line_start = False
        out.append(text[at : at + taken])
        return taken

    def _citation(self, text: str, at: int, *, final: bool) -> tuple[int, str] | None:
        """Its length and what it becomes, ``(0, "")`` where there is none, None where that is not known yet."""
        opener = text[at]
        closer = _CLOSERS[opener]
        depth = min(run_length(text[at : at + 2], 0), 2)
        if depth == 1 and at + 1 == len(text) and not final:
            return None
        inner_at = at + depth
        end = text.find(closer, inner_at, at + _LONGEST)
        if end < 0:
            open_ended = len(text) - at < _LONGEST and not final and _may_begin(text[inner_at:])
            return None if open_ended else (0, "")
        numbers = _numbers(text[inner_at:end], plain=opener == "[")
        if numbers is None:
            return 0, ""
        after = end + depth
        # A square bracket's meaning hangs on what follows it.
        if after + (opener == "[") > len(text) and not final:
            return None if text[end:].count(closer) == len(text) - end else (0, "")
        if text[end:after] != closer * depth:
            return 0, ""
        if opener == "[" and (text[after : after + 1] == "(" or (self._line_start and text[after : after + 1] == ":")):
            return 0, ""
        return after - at, "".join(self._style.replace("{n}", number) for number in numbers)


def _may_begin(inner: str) -> bool:
    begun = inner.lstrip(" ").lower()
    if not begun or (begun[0].isascii() and begun[0].isdecimal()):
        return "\n" not in inner
    return "\n" not in inner and any(word.startswith(begun) or begun.startswith(word) for word in _WORDS)


def _numbers(inner: str, *, plain: bool) -> list[str] | None:
    """The numbers cited, without leading zeros; ``plain`` brackets may hold several only after a word or before a ``†``."""
    head, dagger, _ = inner.partition("†")
    if "\n" in inner:
        return None
    for separator in "，、;；":
        head = head.replace(separator, ",")
    numbers: list[str] = []
    worded = False
    for part in head.split(","):
        bare = part.strip(" ").lower()
        for word in _WORDS:
            if bare.startswith(word):
                bare, worded = bare.removeprefix(word).lstrip(" :：#"), True
                break
        source = bare.rpartition(":")[2]
        if not (source.isascii() and source.isdecimal() and len(source) <= _MOST_DIGITS):
            return None
        if source != bare and not dagger:
            return None
        numbers.append(str(int(source)))
    return None if plain and len(numbers) > 1 and not worded and not dagger else numbers
