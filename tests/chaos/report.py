"""The verdicts as a table and as JSON."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tests.chaos.scenario import LEAST_SHARE, Result

_COLUMNS = ("scenario", "admitted", "succeeded", "errors", "share", "attempts", "silence", "verdict")


class Report(msgspec.Struct, frozen=True):
    date: str
    machine: str
    python: str
    command: str
    results: list[Result]


def make_report(results: Sequence[Result], command: str) -> Report:
    return Report(
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        machine=f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, {platform.machine()}",
        python=platform.python_version(),
        command=command,
        results=list(results),
    )


def held(results: Sequence[Result]) -> bool:
    """Whether every scenario kept its promise, and all of them together theirs."""
    hideable = [result for result in results if result.hideable]
    admitted = sum(result.admitted for result in hideable)
    return all(result.verdict != "BROKEN" for result in results) and (
        not admitted or sum(result.succeeded for result in hideable) / admitted >= LEAST_SHARE
    )


def table(results: Sequence[Result]) -> str:
    """As Markdown; what is to be said of a scenario stands under it."""
    rows = [_COLUMNS, *(_row(result) for result in results)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_COLUMNS))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    told = [
        f"- {result.name}: {text}" for result in results for text in (*result.reasons, *_errors(result), *result.notes)
    ]
    return "\n".join((*lines, "", *told))


def summary(report: Report) -> str:
    hideable = [result for result in report.results if result.hideable]
    return (
        f"{_of(hideable)} succeeded where another backend could take over ({LEAST_SHARE:.2%} is promised); "
        f"{_of(report.results)} in all, those among them whose process was killed or whose stream could not be continued."
    )


def _of(results: Sequence[Result]) -> str:
    succeeded, admitted = sum(r.succeeded for r in results), sum(r.admitted for r in results)
    return f"{succeeded} of {admitted} admitted requests ({succeeded / admitted if admitted else 0.0:.4%})"


def write_json(report: Report, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")


def _row(result: Result) -> tuple[str, ...]:
    if result.verdict == "skipped":
        return (result.name, *["-"] * (len(_COLUMNS) - 2), "skipped")
    return (
        result.name,
        str(result.admitted),
        str(result.succeeded),
        str(result.errors + result.cut),
        f"{result.share:.3%}",
        f"{result.amplification:.3f}",
        f"{result.silence_s:.2f} s",
        result.verdict,
    )


def _errors(result: Result) -> list[str]:
    told = ", ".join(f"{count} {code}" for code, count in sorted(result.codes.items()))
    return [told] if told else []
