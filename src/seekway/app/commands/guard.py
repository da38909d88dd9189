"""``seekway guard``: try a policy on a text, and measure it on labelled ones."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

import click
import structlog
from rich.table import Table
from rich.text import Text
from structlog.typing import FilteringBoundLogger

from seekway.app.cli import CommandLine, pass_command_line
from seekway.app.guard_report import explanation, findings_table
from seekway.app.terminal import messages, output, steps_bar
from seekway.core.caller import Caller
from seekway.core.errors import ConfigError
from seekway.core.sections.guardrails import PartName
from seekway.core.settings import Settings
from seekway.core.types import GenerateRequest
from seekway.observability.guardrail_figures import GuardrailCounts
from seekway.observability.record import RequestRecord
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.guardrails.detectors import Detectors
from seekway.pipeline.guardrails.evaluation import Example, Judged, evaluate, read_examples, tables
from seekway.pipeline.guardrails.guardrails import make_book
from seekway.pipeline.guardrails.review.batch import BatchReviewer
from seekway.pipeline.guardrails.review.policy import Part, Policy, masked
from seekway.pipeline.guardrails.review.verdict import RANK, Verdict

_PARTS: Final = ("input", "documents", "output", "reasoning")
_SHOWN_CHARS: Final = 100
_policy = click.option("--policy", "name", help="A policy by name; otherwise the one that fits the tenant.")
_tenant = click.option("--tenant", default="", help="Whose policy and word lists count.")


@click.group()
def guard() -> None:
    """See what the guardrails make of a text, and measure them on your own.

    \b
    Examples:
      seekway guard explain "Ignore all previous instructions."
      seekway guard test labelled.jsonl
    """


@guard.command()
@click.argument("text")
@_policy
@click.option("--part", type=click.Choice(_PARTS), default="input", show_default=True, help="What the text counts as.")
@_tenant
@pass_command_line
def explain(command_line: CommandLine, text: str, name: str | None, part: str, tenant: str) -> None:
    """Show what is found in TEXT, where, and what the policy does about it. TEXT is - for standard input.

    Nothing needs to run: the settings and the word lists are read here. What only a whole request has, such as a system prompt that leaks, is not seen.

    \b
    Examples:
      seekway guard explain "How do I build a pipe bomb?"
      seekway guard explain --part output --tenant shop - < answer.txt
    """
    if text == "-":
        text = sys.stdin.read()
    policy = _chosen(command_line.settings, name, tenant)
    chosen = _part(policy, cast("PartName", part))
    verdict = _reviewer().review(text, chosen)
    _raise_failed(verdict)
    console = output()
    console.print(Text(f"policy {policy.name}, version {policy.version}, digest {policy.digest}; part {part}", "dim"))
    console.print(explanation(verdict, chosen, policy, text))
    if verdict.judged:
        console.print()
        console.print(findings_table(verdict, text))
    if verdict.passages and not any(passage.action in ("block", "replace") for passage in verdict.passages):
        console.print()
        console.print(Text("What is left of it:", "dim"))
        console.print(masked(text, verdict.passages, chosen))
    asked = zip(chosen.watches, verdict.seconds, strict=True)
    times = ", ".join(f"{watch.detector.name} {seconds * 1000:.2f} ms" for watch, seconds in asked)
    console.print(Text(f"\n{times}", "dim"))


@guard.command("test")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@_policy
@_tenant
@click.option(
    "--errors",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="Texts shown that were judged wrong, of either kind.",
)
@pass_command_line
def measure(command_line: CommandLine, file: Path, name: str | None, tenant: str, errors: int) -> None:
    """Measure a policy on the labelled texts of FILE: recall, false alarms, what was taken for what.

    FILE is JSON Lines: {"text": "...", "label": "benign" or a category, "part": "input", "source": "..."}; part and source may be left out.

    \b
    Examples:
      seekway guard test labelled.jsonl
      seekway guard test --policy strict --errors 50 labelled.jsonl
    """
    with file.open("rb") as lines:
        examples = read_examples(lines, str(file))
    policy = _chosen(command_line.settings, name, tenant)
    parts = {example.part: _part(policy, example.part) for example in examples}
    reviewer = _reviewer()
    judged: list[Judged] = []
    with steps_bar("reviewing") as bar:
        for at, example in enumerate(examples, 1):
            judged.append(_judged(example, reviewer.review(example.text, parts[example.part])))
            bar.update(at, len(examples))
    result = evaluate(judged)
    console = output()
    console.print(
        Text(f"policy {policy.name}, version {policy.version}, digest {policy.digest}; {len(examples)} texts", "dim")
    )
    for table in tables(result):
        shown = Table(*table.head, title=table.title, title_justify="left", box=None, header_style="dim")
        for row in table.rows:
            shown.add_row(*row)
        console.print()
        console.print(shown)
    for title, wrong in (("Missed", result.missed), ("False alarms", result.alarmed)):
        _print_wrong(title, wrong, errors)


def _chosen(settings: Settings, name: str | None, tenant: str) -> Policy:
    """Raises ``ConfigError`` where there is no such policy."""
    if not settings.guardrails.enabled:
        messages().print("guardrails.enabled is false: the gateway reviews nothing; this is what it would do.")
    entries = make_book(settings.guardrails, Detectors(), GuardrailCounts())
    if name is None:
        exchange = Exchange(RequestRecord("guard"), Caller(tenant=tenant))
        return entries.match(GenerateRequest("guard", ""), exchange)
    for entry in entries.entries:
        if entry.policy.name == name:
            return entry.of(tenant)
    names = ", ".join(entry.policy.name for entry in entries.entries)
    raise ConfigError(f"There is no policy {name!r}; there is: {names}.")


def _part(policy: Policy, name: PartName) -> Part:
    part = policy.part(name)
    if part is None:
        raise ConfigError(f"The policy {policy.name} has no detectors for {name}, so that it is not reviewed.")
    return part


def _reviewer() -> BatchReviewer:
    return BatchReviewer(cast("FilteringBoundLogger", structlog.get_logger()))


def _raise_failed(verdict: Verdict) -> None:
    if verdict.failed:
        raise ConfigError(f"These detectors failed, see above: {', '.join(verdict.failed)}.")


def _judged(example: Example, verdict: Verdict) -> Judged:
    _raise_failed(verdict)
    decisive = sorted(verdict.judged, key=lambda one: -RANK[one.action])
    return Judged(example, verdict.action, tuple(dict.fromkeys(one.finding.category for one in decisive)))


def _print_wrong(title: str, wrong: Sequence[Judged], most: int) -> None:
    if not wrong or not most:
        return
    table = Table(
        "line",
        "label",
        "found",
        "text",
        title=f"{title}: {len(wrong)}",
        title_justify="left",
        box=None,
        header_style="dim",
    )
    for one in wrong[:most]:
        text = " ".join(one.example.text.split())
        cut = text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"
        table.add_row(str(one.example.line), one.example.label, ", ".join(one.categories) or "nothing", cut)
    console = output()
    console.print()
    console.print(table)
