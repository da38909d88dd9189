"""Composition root of an engine worker; started by the model service, never by hand."""

from __future__ import annotations

import sys

import click

from seekway.core.errors import StartupError
from seekway.engine.loading import load_local_model
from seekway.engine.worker.entry import worker_process


def main() -> None:
    try:
        sys.exit(worker_process(sys.argv[1:], load_local_model))
    except StartupError as error:
        click.echo(f"seekway: {error.message}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
