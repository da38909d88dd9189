"""Takes Markdown's marks out of an answer, for channels that show plain text: short messages, speech, logs.

Taken away: headings' and quotes' marks, ``**``, ``__``, ``~~``, ``*emphasis*``, backticks and the lines that fence code, rules.
A link ``[text](address)`` becomes ``text (address)``, an image its description. Bullets become ``-``; code's own lines stay as they are.
"""

from __future__ import annotations

from typing import Final

from seekway.pipeline.stages.answer_text.code_spans import CodeSpans, may_go_on, run_length

_MARKS: Final = frozenset("*_~`[!\n")
_LONGEST_LINK: Final = 1024
_LONGEST_START: Final = 64
"""Characters at a line's start that are looked at together; a rule or a fence is shorter."""


class StripMarkdown:
    def __init__(self) -> None:
        self._held = ""
        self._before = "\n"
        """The character before what is looked at: a line end at the start."""
        self._code = CodeSpans()

    def feed(self, text: str) -> str:
        return self._scan(self._held + text, final=False)

    def end(self, *, last: bool) -> str:
        return self._scan(self._held, final=True)

    def _scan(self, text: str, *, final: bool) -> str:
        out: list[str] = []
        at = 0
        while at < len(text):
            found = self._step(text, at, final=final)
            if found is None:
                break
            taken, written = found
            self._before = text[at + taken - 1]
            at += taken
            out.append(written)
        self._held = text[at:]
        return "".join(out)

    def _step(self, text: str, at: int, *, final: bool) -> tuple[int, str] | None:
        if self._before == "\n":
            start = self._line_start(text, at, final=final)
            if start is None or start[0]:
                return start
        mark = text[at]
        if mark == "\n":
            self._code.line_end()
            return 1, mark
        if self._code.in_block or mark not in _MARKS:
            end = at + 1
            while end < len(text) and text[end] != "\n" and (self._code.in_block or text[end] not in _MARKS):
                end += 1
            return end - at, text[at:end]
        if mark in "[!":
            if at + 1 == len(text) and not final:
                return None
            return (1, mark) if self._code.inside else self._link(text, at, final=final)
        run = run_length(text, at)
        if may_go_on(text, at, run) and not final:
            return None
        if mark == "`":
            if run < 3:
                self._code.backticks(run)
            return run, ""
        if self._code.inside:
            return run, text[at : at + run]
        return run, self._emphasis(text, at, run)

    def _emphasis(self, text: str, at: int, run: int) -> str:
        """What is left of a run of ``*``, ``_`` or ``~``: nothing where it may emphasise something."""
        mark, after = text[at], text[at + run : at + run + 1]
        alone = (not self._before.strip()) and (not after.strip())
        single = run == 1 and mark != "*"
        return text[at : at + run] if alone or single or run > 3 else ""

    def _line_start(self, text: str, at: int, *, final: bool) -> tuple[int, str] | None:
        """What a line begins with: ``(0, "")`` where that is its own text."""
        end = text.find("\n", at, at + _LONGEST_START)
        whole = end >= 0 or len(text) - at >= _LONGEST_START or final
        line = text[at : end if end >= 0 else at + _LONGEST_START]
        bare = line.lstrip(" ")
        indent = len(line) - len(bare)
        if not whole and not bare:
            return None
        if bare.startswith("`" * min(3, max(len(bare), 1))):
            if len(bare) < 3 and not whole:
                return None
            if bare.startswith("```"):
                return self._fence(text, at, end, indent, whole=whole)
        if self._code.in_block or not bare or bare[0] not in "#>*+-_":
            return 0, ""
        return self._marked(bare, indent, end >= 0, whole=whole)

    def _fence(self, text: str, at: int, end: int, indent: int, *, whole: bool) -> tuple[int, str] | None:
        """The line that begins or ends a block of code goes away."""
        if not whole:
            return None
        self._code.backticks(run_length(text, at + indent))
        taken = end + 1 - at if end >= 0 else min(len(text) - at, _LONGEST_START)
        return taken, ""

    def _marked(self, bare: str, indent: int, ended: bool, *, whole: bool) -> tuple[int, str] | None:
        mark = bare[0]
        run = run_length(bare, 0)
        if run == len(bare) and not whole:
            return None
        after = bare[run : run + 1]
        if mark == "#":
            return (indent + run + 1, "") if run <= 6 and after == " " else (0, "")
        if mark == ">":
            return indent + 1 + (bare[1:2] == " "), ""
        if mark in "*-_" and run >= 3 and not bare.strip(" " + mark):
            if not whole:
                return None
            return indent + len(bare) + ended, ""
        if mark in "*+-" and run == 1 and after == " ":
            return indent + 2, " " * indent + "- "
        return 0, ""

    def _link(self, text: str, at: int, *, final: bool) -> tuple[int, str] | None:
        image = text[at] == "!"
        open_at = at + image
        if image and text[open_at : open_at + 1] != "[":
            return 1, "!"
        most = at + _LONGEST_LINK
        line = text.find("\n", open_at, most)
        if line >= 0:
            most = line
        close = text.find("]", open_at, most)
        undecided = line < 0 and len(text) < most and not final
        if close < 0 or close + 1 == len(text):
            return None if undecided and "[" not in text[open_at + 1 :] else (1, text[at])
        label = text[open_at + 1 : close]
        if text[close + 1] != "(" or "[" in label:
            return 1, text[at]
        end = text.find(")", close, most)
        if end < 0:
            return None if undecided else (1, text[at])
        address = text[close + 2 : end].split(" ", 1)[0]
        return end + 1 - at, label if image else f"{label} ({address})"
