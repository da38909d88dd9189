"""Large events in pieces, so that a filter's work on each is short."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from seekway.core.types import Event, ReasoningDelta, TextDelta, ToolCallDelta

SLICE: Final = 8192
"""Characters of a piece at most, but where log-probabilities keep them together."""


_TEXT: Final = (TextDelta, ReasoningDelta)


def is_large(event: Event) -> bool:
    # A tuple: a union would be made anew for each event.
    if isinstance(event, _TEXT):
        return len(event.text) > SLICE
    return isinstance(event, ToolCallDelta) and len(event.arguments) > SLICE


def any_large(events: Sequence[Event]) -> bool:
    # As is_large, without a call an event and by exact type: this is every chunk's way.
    for event in events:
        if type(event) is TextDelta or type(event) is ReasoningDelta:
            if len(event.text) > SLICE:
                return True
        elif type(event) is ToolCallDelta and len(event.arguments) > SLICE:
            return True
    return False


def slices_of(event: Event) -> Iterator[Event]:
    """The same said in pieces. Tokens stay with their text; where they do not add up to it, the event stays whole."""
    if not is_large(event):
        yield event
    elif isinstance(event, ToolCallDelta):
        arguments = event.arguments
        yield msgspec.structs.replace(event, arguments=arguments[:SLICE])
        for at in range(SLICE, len(arguments), SLICE):
            yield ToolCallDelta(event.index, arguments=arguments[at : at + SLICE])
    elif isinstance(event, _TEXT):
        yield from _texts(event)


def _texts(event: TextDelta | ReasoningDelta) -> Iterator[Event]:
    kind, text, tokens = type(event), event.text, event.logprobs
    if not tokens:
        for at in range(0, len(text), SLICE):
            yield kind(text[at : at + SLICE])
        return
    if "".join([token.token for token in tokens]) != text:
        yield event
        return
    first = at = end = 0
    for number, token in enumerate(tokens):
        if end - at >= SLICE:
            yield kind(text[at:end], tokens[first:number])
            first, at = number, end
        end += len(token.token)
    yield kind(text[at:], tokens[first:])
