"""Reads tool calls out of streamed text, each format by its own small parser.

What is no call, or a call too broken to name its function, comes out as the text it is: nothing a model wrote is lost.
The arguments are passed on as the model wrote them; only ``tool_choice`` ``required`` or a named function guarantees, through
a JSON schema on the engine, that they are valid and match the tool's schema. With ``auto`` they are the model's free text.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Protocol

from seekway.core.types import TextDelta, Tool, ToolCallDelta
from seekway.engine.json_scan import CallScanner, ValueScanner
from seekway.engine.markers import held_back
from seekway.engine.tool_formats import (
    CALL_BEGIN,
    CALL_END,
    CALLS_BEGIN,
    CALLS_END,
    HERMES_BEGIN,
    HERMES_END,
    PYTHON_TAG,
    SEPARATOR,
    FormatName,
)

Piece = TextDelta | ToolCallDelta


class ToolParser(Protocol):
    calls: int
    """Calls begun so far."""
    idle: bool
    """True while nothing is held back and no call is being read."""

    def feed(self, text: str) -> list[Piece]: ...

    def finish(self) -> list[Piece]:
        """What was held back, once no more text comes."""
        ...


def tool_parser(form: FormatName, tools: Sequence[Tool], *, forced: bool) -> ToolParser:
    """The parser for a model's format; ``forced`` is for output that a schema made a bare call."""
    if forced:
        return _BareParser(None)
    if form == "deepseek":
        return _DeepSeekParser()
    if form == "llama":
        return _BareParser(frozenset(tool.name for tool in tools))
    return _HermesParser()


class _Parser:
    """Text is searched for a beginning marker; each subclass reads what follows in ``_step``."""

    begin = ""

    def __init__(self) -> None:
        self.calls = 0
        self.idle = True
        self._buffer = ""
        self._outside = True
        self._after_call = False
        self._out: list[Piece] = []

    def feed(self, text: str) -> list[Piece]:
        if self.idle and not self._after_call and self.begin[0] not in text:
            return [TextDelta(text)] if text else []
        self._buffer += text
        while self._buffer and (self._search() if self._outside else self._step()):
            pass
        self.idle = self._outside and not self._buffer
        return self._taken()

    def finish(self) -> list[Piece]:
        if self._outside:
            self._text(self._buffer)
        else:
            self._abandon()
        self._buffer = ""
        return self._taken()

    def _search(self) -> bool:
        at = self._buffer.find(self.begin)
        if at < 0:
            keep = held_back(self._buffer, self.begin)
            cut = len(self._buffer) - keep
            self._text(self._buffer[:cut])
            self._buffer = self._buffer[cut:]
            return False
        self._text(self._buffer[:at])
        self._buffer = self._buffer[at + len(self.begin) :]
        self._outside = False
        self._enter()
        return True

    def _enter(self) -> None:
        """A beginning marker was read."""

    def _step(self) -> bool:
        """Read on inside; False when more text is needed."""
        raise NotImplementedError

    def _abandon(self) -> None:
        """The text ended inside a call."""

    def _text(self, text: str) -> None:
        if self._after_call:
            # White space between and after calls is their layout, not an answer.
            text = text.lstrip()
            self._after_call = not text
        if text:
            self._out.append(TextDelta(text))

    def _call(self, name: str) -> None:
        self._out.append(ToolCallDelta(self.calls, f"call_{secrets.token_hex(12)}", name))
        self.calls += 1
        self._after_call = True

    def _arguments(self, text: str) -> None:
        if text:
            self._out.append(ToolCallDelta(self.calls - 1, arguments=text))

    def _taken(self) -> list[Piece]:
        out, self._out = self._out, []
        return out


class _HermesParser(_Parser):
    begin = HERMES_BEGIN

    def __init__(self) -> None:
        super().__init__()
        self._scanner = CallScanner()
        self._read = ""
        self._named = False

    def _enter(self) -> None:
        self._scanner = CallScanner()
        self._read, self._named = "", False

    def _step(self) -> bool:
        scanner = self._scanner
        if not scanner.done and not scanner.broken:
            end = scanner.feed(self._buffer)
            if not self._named:
                self._read += self._buffer[:end]
            self._buffer = self._buffer[end:]
            name = scanner.callable_name
            if name is not None and not self._named:
                self._named = True
                self._call(name)
            self._arguments(scanner.take())
            return scanner.done or scanner.broken
        if not self._named:
            self._abandon()
            self._outside = True
            return True
        return self._skip_to_end()

    def _skip_to_end(self) -> bool:
        """Past the end marker; a call whose marker is missing ends where the next one begins."""
        if not self._scanner.has_arguments and self._scanner.done:
            self._arguments("{}")
            self._scanner.has_arguments = True
        ends = [(at, marker) for marker in (HERMES_END, HERMES_BEGIN) if (at := self._buffer.find(marker)) >= 0]
        if not ends:
            keep = held_back(self._buffer, HERMES_END, HERMES_BEGIN)
            self._buffer = self._buffer[len(self._buffer) - keep :]
            return False
        at, marker = min(ends)
        self._buffer = self._buffer[at + (len(marker) if marker == HERMES_END else 0) :]
        self._outside = True
        return True

    def _abandon(self) -> None:
        if not self._named:
            self._text(HERMES_BEGIN + self._read)
        elif self._scanner.done and not self._scanner.has_arguments:
            self._arguments("{}")


class _DeepSeekParser(_Parser):
    """V3 and R1 write ``function<sep>NAME`` and the arguments in a ``json`` fence, V3.1 ``NAME<sep>ARGUMENTS``."""

    begin = CALLS_BEGIN

    def __init__(self) -> None:
        super().__init__()
        self._value: ValueScanner | None = None
        self._started = False

    def _step(self) -> bool:
        if self._value is not None:
            return self._read_arguments(self._value)
        begin, end = self._buffer.find(CALL_BEGIN), self._buffer.find(CALLS_END)
        if end >= 0 and (begin < 0 or end < begin):
            self._buffer = self._buffer[end + len(CALLS_END) :]
            self._outside = True
            return True
        if begin < 0:
            keep = held_back(self._buffer, CALL_BEGIN, CALLS_END)
            self._buffer = self._buffer[len(self._buffer) - keep :]
            return False
        self._buffer = self._buffer[begin:]
        return self._read_head(len(CALL_BEGIN))

    def _read_head(self, start: int) -> bool:
        separator = self._buffer.find(SEPARATOR, start)
        if separator < 0:
            return False
        name = self._buffer[start:separator].strip()
        rest = separator + len(SEPARATOR)
        if name == "function":
            brace = self._buffer.find("{", rest)
            line = self._buffer.find("\n", rest)
            ends = [at for at in (brace, line) if at >= 0]
            if not ends:
                return False
            rest, name = min(ends), self._buffer[rest : min(ends)].strip()
        self._call(name)
        self._buffer = self._buffer[rest:]
        self._value, self._started = ValueScanner(), False
        return True

    def _read_arguments(self, value: ValueScanner) -> bool:
        if not self._started and not self._find_start():
            return self._value is None
        if not value.done:
            end = value.feed(self._buffer)
            self._arguments(self._buffer[:end])
            self._buffer = self._buffer[end:]
        if not value.done:
            return False
        at = self._buffer.find(CALL_END)
        if at < 0:
            begin, end = self._buffer.find(CALL_BEGIN), self._buffer.find(CALLS_END)
            if begin >= 0 or end >= 0:
                self._value = None
                return True
            keep = held_back(self._buffer, CALL_END, CALL_BEGIN, CALLS_END)
            self._buffer = self._buffer[len(self._buffer) - keep :]
            return False
        self._buffer = self._buffer[at + len(CALL_END) :]
        self._value = None
        return True

    def _find_start(self) -> bool:
        """Skip the fence before the arguments; a call without any has ``{}``."""
        brace, end = self._buffer.find("{"), self._buffer.find(CALL_END)
        if end >= 0 and (brace < 0 or end < brace):
            self._arguments("{}")
            self._buffer = self._buffer[end + len(CALL_END) :]
            self._value = None
            return False
        if brace < 0:
            return False
        self._buffer = self._buffer[brace:]
        self._started = True
        return True

    def _abandon(self) -> None:
        if self._value is None and CALL_BEGIN in self._buffer:
            self._text(self._buffer)


class _BareParser(_Parser):
    """The whole answer is one call or several, as bare JSON; ``known`` None takes any name, since a schema saw to it."""

    begin = "{"

    def __init__(self, known: frozenset[str] | None) -> None:
        super().__init__()
        self._known = known
        self._scanner = CallScanner()
        self._read = ""
        self._named = False
        self._plain = False
        self._lead = ""

    def feed(self, text: str) -> list[Piece]:
        if self._plain:
            return [TextDelta(text)] if text else []
        self.idle = False
        return super().feed(text)

    def _search(self) -> bool:
        """Only an object at the very beginning, or after another call, is a call."""
        lead = self._buffer.lstrip(" \t\r\n;")
        if not lead:
            return False
        if lead.startswith(PYTHON_TAG):
            self._lead, self._buffer = self._lead + PYTHON_TAG, lead[len(PYTHON_TAG) :]
            return True
        if PYTHON_TAG.startswith(lead):
            return False
        if lead[0] == "{":
            self._lead += self._buffer[: len(self._buffer) - len(lead)]
            self._buffer, self._outside = lead, False
            self._scanner, self._read, self._named = CallScanner(), "", False
            return True
        return self._give_up()

    def _give_up(self) -> bool:
        self._plain, self._outside = True, True
        self._text(self._lead + self._buffer if not self.calls else self._buffer)
        self._buffer = ""
        return False

    def _step(self) -> bool:
        scanner = self._scanner
        end = scanner.feed(self._buffer)
        if not self._named:
            self._read += self._buffer[:end]
        self._buffer = self._buffer[end:]
        name = scanner.callable_name
        unknown = name is not None and self._known is not None and name not in self._known
        if not self._named and name is not None and not unknown:
            self._named = True
            self._call(name)
        if not self._named and (scanner.broken or scanner.done or unknown):
            self._buffer = self._read + self._buffer
            return self._give_up()
        if self._named:
            self._arguments(scanner.take())
        if scanner.done and self._named:
            if not scanner.has_arguments:
                self._arguments("{}")
            self._outside = True
            return True
        if scanner.broken:
            self._buffer = ""
        return False

    def _abandon(self) -> None:
        if not self._named:
            self._text(self._lead + self._read if not self.calls else self._read)
