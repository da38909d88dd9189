"""Puts a text in the place of whatever a detector finds."""

from __future__ import annotations

from seekway.pipeline.guardrails.detector import Detector


class Replace:
    """Findings that overlap are replaced by one ``text``."""

    def __init__(self, detector: Detector, text: str) -> None:
        self._detector = detector
        self._text = text
        self._context = ""
        self._held = ""

    def feed(self, text: str) -> str:
        if not text:
            return ""
        self._held += text
        return self._pass_on(final=False)

    def end(self, *, last: bool) -> str:
        out = self._pass_on(final=True)
        self._context = ""
        return out

    def _pass_on(self, *, final: bool) -> str:
        start = len(self._context)
        text = self._context + self._held
        scan = self._detector.scan(text, start, final=final)
        regions: list[tuple[int, int]] = []
        for finding in scan.findings:
            if finding.end <= start or finding.end == finding.start:
                continue
            if regions and finding.start < regions[-1][1]:
                regions[-1] = regions[-1][0], max(regions[-1][1], finding.end)
            else:
                regions.append((finding.start, finding.end))
        cut = scan.safe
        out: list[str] = []
        at = start
        for begin, end in regions:
            if begin >= cut:
                break
            if end > cut:
                cut = begin
                break
            out.append(text[at:begin])
            out.append(self._text)
            at = end
        out.append(text[at:cut])
        self._held = text[cut:]
        self._context = text[max(0, cut - self._detector.context_chars) : cut] if self._detector.context_chars else ""
        return "".join(out)
