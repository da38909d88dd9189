"""What a model writes that reasons and acts by words (Yao et al., "ReAct", ICLR 2023), read while it streams.

It writes either ``Action:`` with a JSON object of the tool's name and input, or ``Final Answer:``; what stands before is its thought.
"""

from __future__ import annotations

import msgspec

from seekway.core.types import ToolCall

_FINAL = ("final answer:", "final answer：", "最终答案:", "最终答案：")
_ACTION = ("action:", "action：", "行动:", "行动：")
_THOUGHT = ("thought:", "thought：", "思考:", "思考：")
OBSERVATION = "Observation:"
_LONGEST = max(len(marker) for marker in (*_FINAL, *_ACTION))


class _Action(msgspec.Struct):
    tool: str
    input: dict[str, object] | str = {}


class ReactText:
    """Give it pieces; what :meth:`feed` and :meth:`end` return is the answer, as it comes.

    A model that keeps to no form answers with all that it wrote.
    """

    def __init__(self) -> None:
        self._seen = ""
        self._final = -1
        self._begun = False
        self._marks = ""
        self._looked = 0

    def feed(self, text: str) -> str:
        self._seen += text
        if self._final >= 0:
            return self._shown(text)
        low = self._seen.lower()
        begins = max(0, self._looked - _LONGEST)
        self._looked = len(low)
        at, marker = _first(low, _FINAL, begins)
        if at < 0:
            return ""
        self._final = at + len(marker)
        # A marker set in bold ends in stars that are not the answer's.
        self._marks = "*" if "*" in self._seen[:at].rpartition("\n")[2] else ""
        return self._shown(self._seen[self._final :])

    def end(self) -> str:
        """What is left of the answer where no marker came and nothing is to be called."""
        if self._final >= 0 or self.action() is not None:
            return ""
        self._final = 0
        return _without(self._seen.strip(), _THOUGHT)

    @property
    def thought(self) -> str:
        low = self._seen.lower()
        end, _ = _first(low, (*_FINAL, *_ACTION), 0)
        return _without(self._seen[: end if end >= 0 else None].strip().rstrip("*# \n"), _THOUGHT)

    def action(self) -> ToolCall | None:
        """The call that it asks for. One that cannot be read is given with its text as arguments, so that the model is told."""
        if self._final > 0:
            return None
        low = self._seen.lower()
        at, marker = _first(low, _ACTION, 0)
        if at < 0:
            return None
        written = self._seen[at + len(marker) :].strip().removeprefix("```json").removeprefix("```").strip()
        written = written.removesuffix("```").strip()
        try:
            action = msgspec.json.decode(_first_object(written), type=_Action)
        except (msgspec.DecodeError, UnicodeError):
            return ToolCall("react", "", written)
        text = action.input if isinstance(action.input, str) else msgspec.json.encode(action.input).decode()
        return ToolCall("react", action.tool, text)

    def _shown(self, text: str) -> str:
        if not self._begun:
            text = text.lstrip(f" \t\r\n{self._marks}")
            self._begun = bool(text)
        return text


def _first(text: str, markers: tuple[str, ...], begins: int) -> tuple[int, str]:
    """Where a line begins with one of ``markers``, the first such."""
    found = [(at, marker) for marker in markers if (at := _line(text, marker, begins)) >= 0]
    return min(found, default=(-1, ""))


def _line(text: str, marker: str, begins: int) -> int:
    at = text.find(marker, begins)
    while at >= 0 and text[:at].rpartition("\n")[2].strip(" *#"):
        at = text.find(marker, at + 1)
    return at


def _without(text: str, markers: tuple[str, ...]) -> str:
    low = text.lower()
    marker = next((marker for marker in markers if low.startswith(marker)), "")
    return text[len(marker) :].strip()


def _first_object(text: str) -> str:
    """The first JSON object in it, without what the model wrote behind."""
    depth, quoted, skipping = 0, False, False
    start = text.find("{")
    for at in range(max(start, 0), len(text)):
        one = text[at]
        if skipping:
            skipping = False
        elif quoted:
            skipping = one == "\\"
            quoted = one != '"'
        elif one == '"':
            quoted = True
        elif one in "{[":
            depth += 1
        elif one in "}]":
            depth -= 1
            if not depth:
                return text[start : at + 1]
    return text
