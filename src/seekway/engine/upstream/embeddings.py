"""Answers of ``/embeddings`` and ``/rerank`` as canonical results, checked before they are believed."""

from __future__ import annotations

import base64
import binascii

import msgspec
import numpy as np
from numpy.typing import NDArray

from seekway.core.errors import BackendProtocolError
from seekway.core.types import EmbedResult, RerankResult, RerankScore
from seekway.engine.upstream.wire import WireEmbeddings, WireScore, WireScores, WireUsage


def read_embeddings(body: bytes, backend: str, count: int) -> EmbedResult:
    """``count`` unit vectors in the inputs' order; raises ``BackendProtocolError`` for anything else."""
    try:
        wire = msgspec.json.decode(body, type=WireEmbeddings)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BackendProtocolError(f"The backend {backend} did not answer embeddings.") from None
    ordered = sorted(wire.data, key=lambda item: item.index)
    if [item.index for item in ordered] != list(range(count)):
        raise BackendProtocolError(f"The backend {backend} did not answer one embedding for each of {count} inputs.")
    vectors = [_unit(item.embedding, backend) for item in ordered]
    dimensions = vectors[0].size if vectors else 0
    if any(vector.size != dimensions for vector in vectors):
        raise BackendProtocolError(f"The backend {backend} answered embeddings of different lengths.")
    return EmbedResult(tuple(vector.tobytes() for vector in vectors), dimensions, _prompt_tokens(wire.usage))


def read_scores(body: bytes, backend: str, count: int, top_n: int | None) -> RerankResult:
    """Scores best first, at most ``top_n``; raises ``BackendProtocolError`` when they are not of ``count`` documents."""
    try:
        # SGLang answers the bare list.
        wire = msgspec.json.decode(body, type=WireScores | tuple[WireScore, ...])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BackendProtocolError(f"The backend {backend} did not answer scores.") from None
    results = wire.results if isinstance(wire, WireScores) else wire
    scores: list[RerankScore] = []
    for item in results:
        value = item.relevance_score if item.relevance_score is not None else item.score
        if value is None or not 0 <= item.index < count:
            raise BackendProtocolError(f"The backend {backend} answered a score that belongs to no document.")
        scores.append(RerankScore(item.index, value))
    expected = count if top_n is None else min(top_n, count)
    if len({score.index for score in scores}) != len(scores) or len(scores) < expected:
        raise BackendProtocolError(f"The backend {backend} did not score each document once.")
    scores.sort(key=lambda score: score.score, reverse=True)
    usage = wire.usage if isinstance(wire, WireScores) else None
    return RerankResult(tuple(scores[:expected]), _prompt_tokens(usage))


def _unit(embedding: tuple[float, ...] | str, backend: str) -> NDArray[np.float32]:
    try:
        raw = base64.b64decode(embedding, validate=True) if isinstance(embedding, str) else None
        values = np.array(embedding, np.float64) if raw is None else np.frombuffer(raw, "<f4").astype(np.float64)
    except (binascii.Error, ValueError):
        raise BackendProtocolError(f"The backend {backend} answered an embedding that cannot be read.") from None
    norm = float(np.linalg.norm(values))
    if not 0.0 < norm < float("inf"):
        raise BackendProtocolError(f"The backend {backend} answered an embedding without a direction.")
    return (values / norm).astype("<f4")


def _prompt_tokens(usage: WireUsage | None) -> int:
    if usage is None:
        return 0
    return usage.prompt_tokens if usage.prompt_tokens is not None else usage.total_tokens or 0
