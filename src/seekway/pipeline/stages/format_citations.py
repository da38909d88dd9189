"""Gives the citations in answers one form."""

from __future__ import annotations

from collections.abc import Sequence

from seekway.core.sections.processing import CitationRule
from seekway.core.types import GenerateRequest
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.stages.answer_text.citations import FormatCitations
from seekway.pipeline.stages.answer_text.text_filter import TextStream
from seekway.pipeline.stages.matching import first_match


class CitationStage:
    """Answers in JSON are left as they are: a bracket is an array there."""

    name = "format_citations"

    def __init__(self, rules: Sequence[CitationRule]) -> None:
        self._rules = [(rule, rule) for rule in rules]

    def open(self, request: GenerateRequest, exchange: Exchange) -> TextStream | None:
        rule = first_match(self._rules, request, exchange)
        if rule is None or request.response_format.type != "text":
            return None
        return TextStream(FormatCitations(rule.style))
