"""What a run found, and how it stands to what was promised."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from benchmarks.gateway.alone import FIRST_REQUESTS, OPEN_STREAMS
from benchmarks.gateway.contestants import LITELLM, NGINX, SEEKWAY
from benchmarks.gateway.sections import Section
from benchmarks.machine import Machine
from benchmarks.verdicts import Verdict, at_least, at_most

PACKAGES = ("seekway", "uvicorn", "uvloop", "httptools", "msgspec", "aiohttp", "fastapi")


class Results(msgspec.Struct, frozen=True):
    date: str
    command: str
    machine: Machine
    on: list[str]
    sections: list[Section]

    def section(self, name: str) -> Section | None:
        return next((one for one in self.sections if one.name == name and one.skipped is None), None)

    def find(self, section: str, row: str, key: str) -> float | None:
        found = self.section(section)
        return None if found is None else found.find(row, key)


def verdicts(results: Results) -> list[Verdict]:
    """The promised figures that this run has measured, in the issue's order."""
    return [*_speed(results), *_added(results), *_memory(results), *_flat(results)]


def _speed(results: Results) -> Iterable[Verdict]:
    for section, what, most, times in (("requests", "request", 60, 150), ("chunks", "chunk", 18, 35)):
        ours = results.find(section, SEEKWAY, "us")
        if ours is None:
            continue
        yield at_most(f"CPU a {'streamed ' if what == 'chunk' else ''}{what}", ours, most, "µs")
        if (theirs := results.find(section, LITELLM, "us")) is not None:
            yield at_least(f"{what}s of a CPU second, over LiteLLM", theirs / ours, times, "times")
        if (theirs := results.find(section, NGINX, "us")) is not None:
            # Nothing was promised against nginx: the figure shows how far a compiled proxy without features is.
            yield Verdict(f"CPU a {what}, over nginx", "", f"{ours / theirs:.1f} times", met=True, gap="")


def _added(results: Results) -> Iterable[Verdict]:
    for section, key, figure, most in (
        ("latency", "added_p50", "added p50 at 200 requests/s", 0.5),
        ("latency", "added_p99", "added p99 at 200 requests/s", 1.5),
        ("first-token", "added_p50", "added first token, 20 streams", 1.0),
    ):
        if (found := results.find(section, SEEKWAY, key)) is not None:
            yield at_most(figure, found, most, "ms", digits=2)


def _memory(results: Results) -> Iterable[Verdict]:
    section = results.section("memory")
    if section is None:
        return
    over = [row for row in section.rows if row.name.startswith("after ")]
    # The first load is the base; it says nothing where time was up before it ended.
    if len(over) > 1:
        first, last = over[0].median("rss") or 0.0, over[-1].median("rss") or 0.0
        yield at_most(f"RSS {over[-1].name}, over {FIRST_REQUESTS:,}", last - first, 20, "MB")
    if over:
        yield at_most(f"RSS {over[-1].name}", over[-1].median("rss") or 0.0, 150, "MB")
    if (found := section.find(f"{OPEN_STREAMS:,} open streams", "rss")) is not None:
        yield at_most(f"RSS with {OPEN_STREAMS:,} open streams", found, 300, "MB")


def _flat(results: Results) -> Iterable[Verdict]:
    """Flat is nowhere put as a number: here it is a tenth more at the most, which is what the noise allows to see."""
    one, two = (results.find("workers", name, "rps") for name in ("one", "two"))
    if one and two:
        yield at_least("two workers over one", two / one, 1.8, "times")
    for name in ("backends", "keys"):
        section = results.section(name)
        rows = [] if section is None else [row for row in section.rows if "us" in row.values]
        for kind in dict.fromkeys(row.name.partition(", ")[2] for row in rows):
            same_kind = [row for row in rows if row.name.partition(", ")[2] == kind]
            first, last = same_kind[0], same_kind[-1]
            few, many = first.median("us"), last.median("us")
            if few and many and first is not last:
                figure = f"CPU a request, {last.name.partition(',')[0] if kind else last.name} {name} over {first.name.partition(',')[0]}"
                yield at_most(figure + (f" ({kind})" if kind else ""), many / few, 1.1, "times", digits=2)
