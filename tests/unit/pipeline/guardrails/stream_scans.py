"""A detector over a text that arrives in pieces, as the reviewer of streams drives it."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import strategies as st

from seekway.pipeline.guardrails.detector import Detector, Finding


def scanned_in_pieces(detector: Detector, text: str, cuts: Iterable[int]) -> list[Finding]:
    """The findings at their places in the whole text; fails where a scan goes back on what an earlier one called safe."""
    found: list[Finding] = []
    start = 0
    for cut in (*sorted(cuts), None):
        base = max(0, start - detector.context_chars)
        scan = detector.scan(text[base:cut], start - base, final=cut is None)
        assert scan.safe >= start - base
        for finding in scan.findings:
            assert finding.start >= start - base
            found.append(
                Finding(
                    *(finding.detector, finding.category, finding.severity),
                    *(finding.start + base, finding.end + base, finding.rule, finding.score),
                )
            )
        start = base + scan.safe
    assert start == len(text)
    return found


@st.composite
def cut_texts(draw: st.DrawFn, parts: list[str], most: int = 10) -> tuple[str, list[int]]:
    """A text of some of ``parts`` and letters, and where it is cut."""
    piece = st.sampled_from(parts) | st.text(st.sampled_from("aZ09 -.:@，。号王的\n"), max_size=3)
    text = "".join(draw(st.lists(piece, max_size=most)))
    return text, draw(st.lists(st.integers(0, len(text)), max_size=len(text)))
