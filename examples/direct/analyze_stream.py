"""Analyse many texts at once; each result is printed as it is finished."""

from __future__ import annotations

import sys

import click

from seekway.client import AnalysisFailed, AnalyzeText, Client, SeekwayError

REVIEWS = (
    "The delivery took three weeks and nobody answered my letters.",
    "Works exactly as described. My whole family uses it every day.",
    "It is a kettle. It boils water.",
    "The first one broke after a day, but the replacement came overnight and the support was kind.",
)


@click.command()
@click.option("--target", default="127.0.0.1:50051", show_default=True, help="Address of the model service.")
@click.option("--model", default="", help="Name or name@version; the service's default unless given.")
@click.argument("texts", nargs=-1)
def main(target: str, model: str, texts: tuple[str, ...]) -> None:
    """Analyse TEXTS, or some reviews when none are given."""
    asked = [
        AnalyzeText(str(number), text, model, labels=("delivery", "quality", "support", "price"))
        for number, text in enumerate(texts or REVIEWS, start=1)
    ]
    failed = 0
    try:
        with Client(target) as seekway:
            for result in seekway.analyze_stream(asked):
                if isinstance(result, AnalysisFailed):
                    failed += 1
                    click.echo(f"{result.id}. {result.code}: {result.message}", err=True)
                else:
                    labels = ", ".join(result.labels) or "no label"
                    click.echo(f"{result.id}. [{result.sentiment}; {labels}] {result.summary}")
    except SeekwayError as error:
        click.echo(f"{error.code}: {error.message}", err=True)
        sys.exit(1)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
