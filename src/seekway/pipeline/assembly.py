"""The pipeline as served: the stages in their order."""

from __future__ import annotations

from collections.abc import Sequence

from seekway.core.sections.reasoning import ReasoningSettings
from seekway.core.settings import Settings
from seekway.pipeline.directory import BackendDirectory, Member
from seekway.pipeline.names import ModelNames
from seekway.pipeline.pipeline import Pipeline
from seekway.pipeline.reasoning_memory import LocalReasoningMemory
from seekway.pipeline.shaping import Shaping
from seekway.pipeline.stage import FigureBook
from seekway.pipeline.stages.apply_defaults import ApplyDefaults
from seekway.pipeline.stages.count_usage import CountUsage
from seekway.pipeline.stages.prune_reasoning import PruneReasoning
from seekway.pipeline.stages.resolve_alias import ResolveAlias
from seekway.pipeline.stages.restore_reasoning import reasoning_stages
from seekway.pipeline.stages.thinking_rules import ThinkingRules


class LastingParts:
    """What outlives a configuration: counters and everything that was learned of the backends and the callers."""

    def __init__(self) -> None:
        self.book = FigureBook()
        self.reasoning = LocalReasoningMemory(ReasoningSettings())


def build_pipeline(settings: Settings, members: Sequence[Member], parts: LastingParts) -> Pipeline:
    """``members`` come first to last where two serve the same model."""
    routes = BackendDirectory(members)
    names = ModelNames(routes, settings.aliases, settings.default_model)
    restore_reasoning, note_reasoning = reasoning_stages(settings.reasoning, parts.reasoning)
    return Pipeline(
        request_stages=(ResolveAlias(names), *restore_reasoning),
        shaping=Shaping((ThinkingRules(), ApplyDefaults(), PruneReasoning()), parts.book),
        stream_stages=(*note_reasoning, CountUsage()),
        routes=routes,
        names=names,
        book=parts.book,
    )
