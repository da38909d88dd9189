"""The detectors of one exchange's own prompt."""

from __future__ import annotations

from seekway.core.types import GenerateRequest, TextPart
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.guardrails.detector import Detector
from seekway.pipeline.guardrails.leakage.canary import CanaryDetector
from seekway.pipeline.guardrails.leakage.overlap import overlap_detector


def leakage_detectors(request: GenerateRequest, exchange: Exchange, *, min_words: int = 12) -> tuple[Detector, ...]:
    """For ``request`` as it goes to the backend; none where it has no system prompt, or one too short to be found again. ``min_words`` 0 looks for the marker only."""
    detectors: list[Detector] = []
    if exchange.prompt_marker:
        detectors.append(CanaryDetector(exchange.prompt_marker))
    if min_words:
        prompt = "\n\n".join(
            [
                message.content
                if isinstance(message.content, str)
                else "\n".join([part.text for part in message.content if isinstance(part, TextPart)])
                for message in request.messages
                if message.role == "system"
            ]
        )
        if prompt and (overlap := overlap_detector(prompt, min_words)) is not None:
            detectors.append(overlap)
    return tuple(detectors)
