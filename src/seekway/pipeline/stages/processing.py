"""The processing stages that the settings ask for, in their order."""

from __future__ import annotations

from typing import NamedTuple

from seekway.core.sections.processing import ProcessingSettings
from seekway.pipeline.stage import RequestStage, StreamStage
from seekway.pipeline.stages.detect_language import DetectLanguage
from seekway.pipeline.stages.format_citations import CitationStage
from seekway.pipeline.stages.post_process import PostProcess
from seekway.pipeline.stages.repair_json import RepairJson
from seekway.pipeline.stages.separate_thinking import SeparateThinking
from seekway.pipeline.stages.trim_context import TrimContext


class ProcessingStages(NamedTuple):
    """``before`` the cache, so that what they make of a request is part of its key; ``reasoning`` before whoever keeps reasoning; ``after`` what counts the model's own tokens."""

    before: tuple[RequestStage, ...]
    reasoning: tuple[StreamStage, ...]
    after: tuple[StreamStage, ...]


def processing_stages(settings: ProcessingSettings) -> ProcessingStages:
    """What nobody asked for is not among them and costs nothing. Raises ``ConfigError`` for rules that cannot be followed."""
    before: list[RequestStage] = []
    if settings.detect_language:
        before.append(DetectLanguage())
    if settings.templates:
        # Jinja comes with it.
        from seekway.pipeline.stages.apply_template import ApplyTemplate

        before.append(ApplyTemplate(settings.templates))
    if settings.trim:
        before.append(TrimContext(settings.trim))
    after: list[StreamStage] = []
    if settings.json:
        after.append(RepairJson(settings.json))
    if settings.citations:
        after.append(CitationStage(settings.citations))
    if settings.post_process:
        after.append(PostProcess(settings.post_process))
    reasoning = (SeparateThinking(settings.thinking),) if settings.thinking else ()
    return ProcessingStages(tuple(before), reasoning, tuple(after))
