"""The pipeline as served: the stages in their order."""

from __future__ import annotations

from collections.abc import Sequence

from seekway.core.settings import Settings
from seekway.pipeline.directory import BackendDirectory, Member
from seekway.pipeline.names import ModelNames
from seekway.pipeline.pipeline import Pipeline
from seekway.pipeline.shaping import Shaping
from seekway.pipeline.stages.apply_defaults import ApplyDefaults
from seekway.pipeline.stages.count_usage import CountUsage
from seekway.pipeline.stages.prune_reasoning import PruneReasoning
from seekway.pipeline.stages.resolve_alias import ResolveAlias
from seekway.pipeline.stages.thinking_rules import ThinkingRules


def build_pipeline(settings: Settings, members: Sequence[Member]) -> Pipeline:
    """``members`` come first to last where two serve the same model."""
    routes = BackendDirectory(members)
    names = ModelNames(routes, settings.aliases, settings.default_model)
    return Pipeline(
        request_stages=(ResolveAlias(names),),
        shaping=Shaping((ThinkingRules(), ApplyDefaults(), PruneReasoning())),
        stream_stages=(CountUsage(),),
        routes=routes,
        names=names,
    )
