"""How one seekway process starts another."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def seekway_command(name: str, arguments: Sequence[str]) -> list[str]:
    """``arguments`` before and after the subcommand: ``--config FILE`` belongs to the group."""
    config = list(arguments[:2]) if arguments[:1] == ["--config"] else []
    return [sys.executable, "-m", "seekway.app", *config, name, *arguments[len(config) :]]
