"""What became of one request, judged by every byte of its answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

Kind = Literal["success", "refused", "broken", "cut", "unsent", "wrong", "hung"]
"""``refused``: an error's own status; ``broken``: an explicit error after the answer had begun; ``cut``: the connection ended without either;
``unsent``: it ended before a byte of the answer, and no backend was asked; ``wrong``: an answer that is not the one; ``hung``: no end in time."""


@dataclass(frozen=True)
class Outcome:
    number: int
    streamed: bool
    kind: Kind
    detail: str = ""
    """The error's code, or what is wrong."""
    retry_after: bool = False
    silence_s: float = 0.0
    """The longest time without a byte."""


class Told(msgspec.Struct, frozen=True):
    code: str | None = None


class Content(msgspec.Struct, frozen=True):
    content: str | None = None


class Choice(msgspec.Struct, frozen=True):
    delta: Content | None = None
    message: Content | None = None
    finish_reason: str | None = None


class Chunk(msgspec.Struct, frozen=True):
    choices: tuple[Choice, ...] = ()
    error: Told | None = None


Verdict = tuple[Kind, str]


def judge_refusal(status: int, body: bytes) -> Verdict:
    try:
        told = msgspec.json.decode(body, type=Chunk).error
    except msgspec.DecodeError:
        told = None
    if told is None or told.code is None:
        return "wrong", f"status {status} without an error's code: {body[:80]!r}"
    return "refused", told.code


def judge_whole(body: bytes, expected: str | None) -> Verdict:
    """A body that came with 200; ``expected`` None leaves the text to the model."""
    try:
        answer = msgspec.json.decode(body, type=Chunk)
    except msgspec.DecodeError as error:
        return "wrong", f"no JSON: {error}"
    if answer.error is not None:
        return ("broken", answer.error.code) if answer.error.code else ("wrong", "an error without a code")
    if len(answer.choices) != 1 or answer.choices[0].message is None:
        return "wrong", "not one choice with a message"
    choice = answer.choices[0]
    if choice.finish_reason is None:
        return "wrong", "no finish_reason"
    return _compare(choice.message.content or "" if choice.message else "", expected)


def judge_stream(body: bytes, expected: str | None) -> Verdict:
    """A whole stream of events: each token once and in order, one finish, then ``[DONE]``, or one error and nothing after it."""
    text: list[str] = []
    finishes = 0
    blocks = body.split(b"\n\n")
    if blocks.pop():
        return "wrong", "the last event is not closed"
    events = [block.removeprefix(b"data: ") for block in blocks if not block.startswith(b":")]
    for at, event in enumerate(events):
        last = at == len(events) - 1
        if event == b"[DONE]":
            break
        try:
            chunk = msgspec.json.decode(event, type=Chunk)
        except msgspec.DecodeError as error:
            return "wrong", f"no JSON in an event: {error}"
        if chunk.error is not None:
            if not last:
                return "wrong", "something follows the error"
            if _misplaced(text, expected):
                return "wrong", "what came before the error is not how the answer begins"
            return ("broken", chunk.error.code) if chunk.error.code else ("wrong", "an error without a code")
        finishes += sum(choice.finish_reason is not None for choice in chunk.choices)
        text += [choice.delta.content for choice in chunk.choices if choice.delta and choice.delta.content]
    if not events or events[-1] != b"[DONE]" or events.count(b"[DONE]") != 1:
        return "wrong", "no [DONE] at the end, or more than one"
    if finishes != 1:
        return "wrong", f"{finishes} finish_reasons"
    return _compare("".join(text), expected)


def _misplaced(text: Sequence[str], expected: str | None) -> bool:
    return expected is not None and not expected.startswith("".join(text))


def _compare(text: str, expected: str | None) -> Verdict:
    if expected is None or text == expected:
        return "success", ""
    same = next((at for at, (one, other) in enumerate(zip(text, expected, strict=False)) if one != other), None)
    at = min(len(text), len(expected)) if same is None else same
    return "wrong", f"{len(text)} characters for {len(expected)}, other from {at}: {text[at : at + 40]!r}"
