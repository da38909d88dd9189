"""The key of an answer: a digest of everything that changes it, and of whose it is.

What is digested is MessagePack, which tells where each value ends and of which kind it is, so that two requests have one encoding
only if they are equal. A schema's keys keep their order: a model that follows a schema writes its fields in that order.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

import msgspec

from seekway.core.types import (
    FilePart,
    GenerateRequest,
    ImagePart,
    Message,
    ResponseFormat,
    Sampling,
    Thinking,
    ToolChoice,
)
from seekway.pipeline.caller import Caller

_TAG_BYTES = 8
_DIGEST_BYTES = 24
_encode = msgspec.msgpack.Encoder().encode
_encode_sorted = msgspec.msgpack.Encoder(order="deterministic").encode
_PLAIN: Final = (ToolChoice(), ResponseFormat(), Thinking())
# SHA-256 through OpenSSL, which uses the processor's own instructions, takes 1.1 µs for 1.3 KB; BLAKE2b takes 1.7.
_digest = hashlib.sha256


class KeyScope(msgspec.Struct, frozen=True, array_like=True):
    """Whose answer it is and what made it; ``user`` is empty where a tenant's users share."""

    tenant: str
    model: str
    version: str
    namespace: str = ""
    user: str = ""


def tenant_of(caller: Caller) -> str:
    """Whose cache a caller has: the tenant's, of a key without a tenant its own, and one for all on an open gateway."""
    if caller.tenant:
        return f"tenant:{caller.tenant}"
    return f"key:{caller.key_id}" if caller.key_id else "open"


@lru_cache(maxsize=4096)
def tenant_tag(tenant: str) -> bytes:
    """The 8 bytes that a tenant's keys begin with, so that they can be found and cleared."""
    return _digest(tenant.encode("utf-8", "surrogatepass")).digest()[:_TAG_BYTES]


def answer_key(request: GenerateRequest, scope: KeyScope) -> bytes | None:
    """32 bytes: the tenant's 8, then 24 of the digest; None for a request that has no encoding (half a surrogate pair, a number over 64 bits).

    Left out is what does not change the answer: the request's id, its deadline, and whether it is streamed.
    """
    return _key(request, scope, request.messages)


def context_key(request: GenerateRequest, scope: KeyScope) -> bytes | None:
    """As :func:`answer_key`, of everything but the last message's text: what must be equal for two questions to be compared."""
    return _key(request, scope, (*request.messages[:-1], msgspec.structs.replace(request.messages[-1], content="")))


def is_repeatable(sampling: Sampling) -> bool:
    """Whether the client asks for an answer that is not drawn by chance: temperature 0, the likeliest token only, or a seed."""
    return sampling.temperature == 0 or sampling.top_k == 1 or sampling.seed is not None


def points_elsewhere(messages: tuple[Message, ...]) -> bool:
    """Whether the request names files or pictures by address or id: what lies there can change under the same name."""
    for message in messages:
        if not isinstance(message.content, str):
            for part in message.content:
                if isinstance(part, ImagePart) and not part.url.startswith("data:"):
                    return True
                if isinstance(part, FilePart) and part.file_id is not None:
                    return True
    return False


def _key(request: GenerateRequest, scope: KeyScope, messages: tuple[Message, ...]) -> bytes | None:
    r = request
    tail = (r.tool_choice, r.response_format, r.thinking)
    try:
        # Comparing the parts that most requests leave out is quicker than encoding them.
        encoded = _encode(
            (scope, messages, r.prompt, r.suffix, r.echo, r.sampling, r.tools, None if tail == _PLAIN else tail)
        )
        if r.extra:
            encoded += _encode_sorted(r.extra)
    except (UnicodeEncodeError, OverflowError, RecursionError):
        return None
    return tenant_tag(scope.tenant) + _digest(encoded).digest()[:_DIGEST_BYTES]
