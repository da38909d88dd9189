"""Answers to everything but ``Generate``."""

from __future__ import annotations

import msgspec

from seekway.core.errors import BackendProtocolError
from seekway.core.types import EmbedResult, EngineStats, ModelInfo, RerankResult, RerankScore, TokenCount
from seekway.model_service.analysis import Analysis, AnalyzeText, Sentiment
from seekway.model_service.contract import model_service_pb2 as pb
from seekway.model_service.translate.events import usage_from_proto, usage_to_proto

_SENTIMENTS: dict[Sentiment, pb.AnalyzeResponse.Sentiment] = {
    "positive": pb.AnalyzeResponse.SENTIMENT_POSITIVE,
    "neutral": pb.AnalyzeResponse.SENTIMENT_NEUTRAL,
    "negative": pb.AnalyzeResponse.SENTIMENT_NEGATIVE,
}
_SENTIMENT_NAMES: dict[pb.AnalyzeResponse.Sentiment, Sentiment] = {number: name for name, number in _SENTIMENTS.items()}
_STATS = tuple(field for field in EngineStats.__struct_fields__ if field != "kv_cache_used")
_INFO = tuple(field for field in ModelInfo.__struct_fields__ if field not in ("capabilities", "stats"))


def embed_result_to_proto(result: EmbedResult) -> pb.EmbedResponse:
    return pb.EmbedResponse(vectors=result.vectors, dimensions=result.dimensions, prompt_tokens=result.prompt_tokens)


def embed_result_from_proto(message: pb.EmbedResponse) -> EmbedResult:
    return EmbedResult(tuple(message.vectors), message.dimensions, message.prompt_tokens)


def rerank_result_to_proto(result: RerankResult) -> pb.RerankResponse:
    return pb.RerankResponse(
        scores=[pb.RerankScore(index=found.index, score=found.score) for found in result.scores],
        prompt_tokens=result.prompt_tokens,
    )


def rerank_result_from_proto(message: pb.RerankResponse) -> RerankResult:
    return RerankResult(tuple(RerankScore(found.index, found.score) for found in message.scores), message.prompt_tokens)


def token_count_to_proto(count: TokenCount) -> pb.CountTokensResponse:
    return pb.CountTokensResponse(tokens=count.tokens, estimated=not count.exact)


def token_count_from_proto(message: pb.CountTokensResponse) -> TokenCount:
    return TokenCount(message.tokens, exact=not message.estimated)


def models_to_proto(models: tuple[ModelInfo, ...]) -> pb.ListModelsResponse:
    return pb.ListModelsResponse(
        models=[
            pb.ModelInfo(
                capabilities=info.capabilities,
                stats=pb.EngineStats(
                    kv_cache_used=info.stats.kv_cache_used, **{name: getattr(info.stats, name) for name in _STATS}
                ),
                **{name: getattr(info, name) for name in _INFO},
            )
            for info in models
        ]
    )


def models_from_proto(message: pb.ListModelsResponse) -> tuple[ModelInfo, ...]:
    """Raises ``BackendProtocolError`` for a state or capability this version does not know."""
    try:
        return tuple(
            msgspec.convert(
                {name: getattr(info, name) for name in _INFO}
                | {"capabilities": tuple(info.capabilities), "stats": _stats_from_proto(info.stats)},
                ModelInfo,
            )
            for info in message.models
        )
    except msgspec.ValidationError as error:
        raise BackendProtocolError(
            f"The model service lists a model this version does not understand: {error}."
        ) from error


def _stats_from_proto(stats: pb.EngineStats) -> EngineStats:
    used = stats.kv_cache_used if stats.HasField("kv_cache_used") else None
    return EngineStats(kv_cache_used=used, **{name: getattr(stats, name) for name in _STATS})


def analyze_to_proto(text: AnalyzeText) -> pb.AnalyzeRequest:
    return pb.AnalyzeRequest(id=text.id, text=text.text, model=text.model, labels=text.labels)


def analyze_from_proto(message: pb.AnalyzeRequest, deadline_s: float | None) -> AnalyzeText:
    return AnalyzeText(message.id, message.text, message.model, tuple(message.labels), deadline_s)


def analysis_to_proto(analysis: Analysis) -> pb.AnalyzeResponse:
    return pb.AnalyzeResponse(
        id=analysis.id,
        summary=analysis.summary,
        key_points=analysis.key_points,
        sentiment=_SENTIMENTS[analysis.sentiment],
        labels=analysis.labels,
        model=analysis.model,
        usage=usage_to_proto(analysis.usage),
    )


def analysis_from_proto(message: pb.AnalyzeResponse) -> Analysis:
    sentiment = _SENTIMENT_NAMES.get(message.sentiment)
    if sentiment is None:
        raise BackendProtocolError("The model service answered a sentiment this version does not know.")
    return Analysis(
        id=message.id,
        summary=message.summary,
        key_points=tuple(message.key_points),
        sentiment=sentiment,
        labels=tuple(message.labels),
        model=message.model,
        usage=usage_from_proto(message.usage),
    )
