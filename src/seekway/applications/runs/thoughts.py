"""Where a model's reasoning goes, and how it is told from the answer again."""

from __future__ import annotations

from typing import Final

OPEN: Final = "<think>"
CLOSE: Final = "</think>"
BEFORE: Final = f"{OPEN}\n"
AFTER: Final = f"\n{CLOSE}\n\n"


def tagged(reasoning: str, answer: str) -> str:
    """As the definition's ``tags`` have it."""
    return f"{BEFORE}{reasoning}{AFTER}{answer}" if reasoning else answer


def without_thinking(answer: str, reasoning: str = "") -> str:
    """The answer alone. ``reasoning`` is what is known to stand before it; what is not known is found by its tags.

    A text that begins with an open tag and never closes it is all reasoning, as that of an answer which was stopped;
    a tag that an answer only mentions is part of it.
    """
    if reasoning and answer.startswith(BEFORE + reasoning):
        return answer[len(BEFORE + reasoning) :].removeprefix(AFTER)
    first, closed = answer.find(OPEN), answer.find(CLOSE)
    if closed >= 0 and not 0 <= first < closed:
        # A template had opened the tag before the model wrote.
        answer = answer[closed + len(CLOSE) :].lstrip()
    begin = 0
    while (begin := answer.find(OPEN, begin)) >= 0:
        end = answer.find(CLOSE, begin)
        if end >= 0:
            answer = answer[:begin] + answer[end + len(CLOSE) :].lstrip()
        elif not answer[:begin].strip():
            return ""
        else:
            break
    return answer
