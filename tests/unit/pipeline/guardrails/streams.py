"""What a detector finds in a text that arrives in pieces."""

from __future__ import annotations

from collections.abc import Sequence

from seekway.pipeline.guardrails.detector import Detector

Found = set[tuple[str, int, int]]


def found_in_whole(detector: Detector, text: str) -> Found:
    scan = detector.scan(text, 0, final=True)
    assert scan.safe == len(text)
    return {(finding.rule, finding.start, finding.end) for finding in scan.findings}


def found_in_stream(detector: Detector, pieces: Sequence[str], most_held: int) -> Found:
    """Passes on what is safe after each piece; checks that nothing unheard of is found in what went on, and how much is held back."""
    text = "".join(pieces)
    found: Found = set()
    passed = arrived = 0
    for number, piece in enumerate(pieces):
        arrived += len(piece)
        context = max(0, passed - detector.context_chars)
        final = number == len(pieces) - 1
        scan = detector.scan(text[context:arrived], passed - context, final=final)
        for finding in scan.findings:
            place = finding.rule, finding.start + context, finding.end + context
            assert place[1] >= passed or place in found
            found.add(place)
        assert passed <= scan.safe + context <= arrived
        passed = scan.safe + context
        assert arrived - passed <= most_held
    assert not pieces or passed == len(text)
    return found
