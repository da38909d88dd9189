"""What ``seekway guard explain`` shows."""

from __future__ import annotations

from typing import Final

from rich.table import Table
from rich.text import Text

from seekway.core.sections.guardrails import Action
from seekway.pipeline.guardrails.review.policy import Part, Policy
from seekway.pipeline.guardrails.review.verdict import Verdict, ending

_STYLES: Final[dict[Action, str]] = {
    "pass": "green",
    "flag": "yellow",
    "mask": "cyan",
    "sanitise": "magenta",
    "replace": "bold red",
    "block": "bold red",
}
_AROUND: Final = 20
"""Characters shown on either side of a finding."""


def explanation(verdict: Verdict, part: Part, policy: Policy, text: str) -> Text:
    """One sentence."""
    return Text(f"{verdict.action.upper()}: {_said(verdict, part, policy, text)}", _STYLES[verdict.action])


def findings_table(verdict: Verdict, text: str) -> Table:
    """A row a finding: where it stands, marked in its surroundings, and what is done about it."""
    table = Table("place", "found", "category", "severity", "action", "detector", "rule", box=None, header_style="dim")
    for one in verdict.judged:
        finding = one.finding
        rule = finding.rule if finding.score == 1.0 else f"{finding.rule} ({finding.score:.2f})"
        table.add_row(
            f"{finding.start}–{finding.end}",
            _marked(text, finding.start, finding.end, _STYLES[one.action]),
            finding.category,
            finding.severity,
            Text(one.action, _STYLES[one.action]),
            finding.detector,
            rule,
        )
    return table


def _said(verdict: Verdict, part: Part, policy: Policy, text: str) -> str:
    if not verdict.judged:
        return "nothing was found; the text goes on as it is."
    ends = ending(verdict.passages)
    if ends is None:
        if not verdict.passages:
            return "what was found is noted in the access log and the metrics; the text goes on as it is."
        return "the passages found are taken out; the rest goes on."
    message = policy.message(text)
    why = f"{ends.category}, found by {ends.detector}"
    if part.name in ("output", "reasoning"):
        return f"the answer ends before it ({why}), and the user reads: {message}"
    if ends.action == "replace":
        return f"no model is asked ({why}), and the user reads: {message}"
    return f"the request is refused with 400 content_filter ({why}): {message}"


def _marked(text: str, start: int, end: int, style: str) -> Text:
    before, after = text[max(0, start - _AROUND) : start], text[end : end + _AROUND]
    shown = Text("…" if start > _AROUND else "")
    shown.append(_one_line(before), "dim")
    # Brackets mark the place where there are no colours.
    shown.append(f"[{_one_line(text[start:end])}]", f"{style} underline")
    shown.append(_one_line(after), "dim")
    shown.append("…" if end + _AROUND < len(text) else "")
    return shown


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else "·" for character in text)
