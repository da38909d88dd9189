"""``python -m tests.chaos [--short] [--json FILE] [NAME …]``; see ``docs/operate/chaos.md``."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from tests.chaos.play import play
from tests.chaos.report import held, make_report, summary, table, write_json
from tests.chaos.scenario import Result
from tests.chaos.scenarios.all import SCENARIOS


async def run(names: list[str], *, short: bool) -> list[Result]:
    chosen = [s for s in SCENARIOS if (s.name in names if names else s.short or not short)]
    results: list[Result] = []
    for at, scenario in enumerate(chosen, 1):
        say(f"[{at}/{len(chosen)}] {scenario.name} …")
        result = await play(scenario, short=short)
        say(f"    {result.verdict} in {result.seconds} s: {result.succeeded} of {result.admitted}")
        for reason in result.reasons:
            say(f"    {reason}")
        results.append(result)
    return results


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - a command of the developers'


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos")
    parser.add_argument("--short", action="store_true", help="the scenarios that CI plays, with fewer requests")
    parser.add_argument("--json", type=Path, default=Path("var/chaos.json"))
    parser.add_argument("--list", action="store_true")
    parser.add_argument("names", nargs="*", metavar="NAME")
    arguments = parser.parse_args()
    known = [scenario.name for scenario in SCENARIOS]
    if arguments.list:
        print("\n".join(known))  # noqa: T201 - as above
        return 0
    unknown = [name for name in arguments.names if name not in known]
    if unknown:
        say(f"There is no scenario {unknown[0]}; there are: {', '.join(known)}.")
        return 2
    results = asyncio.run(run(arguments.names, short=arguments.short))
    command = " ".join(("make chaos", *([f'ARGS="{" ".join(sys.argv[1:])}"'] if sys.argv[1:] else [])))
    report = make_report(results, command)
    write_json(report, arguments.json)
    print(table(results) + "\n\n" + summary(report))  # noqa: T201 - as above
    return 0 if held(results) else 1


if __name__ == "__main__":
    sys.exit(main())
