"""Ids and fingerprints of answers."""

from __future__ import annotations

import hashlib
import random
import time
from functools import lru_cache

from seekway.gateway.dialects.openai_chat_answer import AnswerHead
from seekway.pipeline.exchange import Exchange


def new_id(kind: str) -> str:
    """Ours and not the client's ``x-request-id``: two running requests may carry the same of those."""
    return f"{kind}-{random.getrandbits(128):032x}"


def answer_head(request_id: str, exchange: Exchange, kind: str) -> AnswerHead:
    model = exchange.resolved.model
    fingerprint = _fingerprint(model.id, model.version, model.quantization, model.engine)
    return AnswerHead(request_id, kind, int(time.time()), model.id, fingerprint)


@lru_cache(maxsize=4096)
def _fingerprint(*what: str) -> str:
    """Changes with whatever changes a seeded answer: the weights, their quantization, the engine."""
    return f"fp_{hashlib.blake2s(chr(0).join(what).encode(), digest_size=6).hexdigest()}"
