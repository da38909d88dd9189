"""Stream one answer from the model service."""

from __future__ import annotations

import sys

import click

from seekway.client import Client, Message, Options, SeekwayError


@click.command()
@click.argument("question")
@click.option("--target", default="127.0.0.1:50051", show_default=True, help="Address of the model service.")
@click.option("--model", default=None, help="Name or name@version; the first chat model served unless given.")
@click.option("--max-tokens", default=256, show_default=True, help="Longest answer.")
def main(question: str, target: str, model: str | None, max_tokens: int) -> None:
    """Ask QUESTION and print the answer as it comes; reasoning goes to standard error."""
    try:
        with Client(target, model=model) as seekway:
            for delta in seekway.stream([Message("user", question)], options=Options(max_tokens=max_tokens)):
                click.echo(delta.text, nl=False)
                click.echo(delta.reasoning, nl=False, err=True)
            click.echo()
    except SeekwayError as error:
        click.echo(f"{error.code}: {error.message}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
