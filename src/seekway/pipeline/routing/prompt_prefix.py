"""Where prompts may have a beginning in common, as a chain of hashes."""

from __future__ import annotations

from zlib import crc32

from seekway.core.types import GenerateRequest, ImagePart, Message, TextPart

WINDOW = 128
"""Characters (or token ids) hashed before each place."""

PLACES = (512, 2048, 8192, 32768)
"""Characters into one message at which a prefix ends, beside the message's own end."""

MOST = 8
"""Prefixes of one request: by the eighth a conversation is told from every other."""


def prefixes(request: GenerateRequest, seed: int) -> list[int]:
    """The request's prefixes from the shortest on, each as 32 bits that depend on the ones before it; equal prompts give equal lists in every process.

    As routers before vLLM and SGLang do it, blocks are hashed in a chain, so that the longest common one can be found by looking from the end.
    Unlike theirs the blocks end where prompts are alike in practice, after each message and at a few places within a long one,
    and of each only the end is read: the work is bounded by eight windows however long the prompt is.
    Two prompts that differ only between the windows are taken for one; they then merely share a backend.
    """
    found: list[int] = []
    if request.prompt is not None:
        _within(_text_of_prompt(request.prompt), found, seed)
        return found
    for message in request.messages:
        content = message.content
        seed = _within(content if isinstance(content, str) else _text(message), found, seed)
        if len(found) >= MOST:
            break
    return found


def _within(text: str, found: list[int], seed: int) -> int:
    """Add the prefixes that end in ``text``; returns the last one."""
    length = len(text)
    if length > PLACES[0]:
        for place in PLACES:
            if length <= place or len(found) >= MOST:
                break
            seed = crc32(text[place - WINDOW : place].encode("utf-8", "surrogatepass"), seed)
            found.append(seed)
    if len(found) < MOST:
        # The length stands for all that is not read; a message's role follows from its place in the chain.
        seed = crc32(text[-WINDOW:].encode("utf-8", "surrogatepass"), (seed + length) & 0xFFFFFFFF)
        found.append(seed)
    return seed


def _text(message: Message) -> str:
    """The text of a message in parts; an image stands for itself by its address."""
    pieces: list[str] = []
    for part in message.content:
        if isinstance(part, TextPart):
            pieces.append(part.text)
        elif isinstance(part, ImagePart):
            pieces.append(part.url[-WINDOW:])
    return "\n".join(pieces)


def _text_of_prompt(prompt: str | tuple[int, ...]) -> str:
    """Token ids as one character each: what is hashed is their order, not their meaning."""
    if isinstance(prompt, str):
        return prompt
    return "".join([chr(token % 0xD800) for token in prompt[: PLACES[-1] + 1]])
