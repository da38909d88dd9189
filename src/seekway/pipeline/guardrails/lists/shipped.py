"""The word lists that come with Seekway."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from seekway.pipeline.guardrails.words.word_list import WordList, load_word_list

SHIPPED: Final = Path(__file__).parent


def shipped_files() -> list[Path]:
    """The files, by name."""
    return sorted(SHIPPED.glob("*.txt"))


def shipped_lists() -> list[WordList]:
    """Read anew at each call; raises ``ConfigError`` where somebody has broken a file."""
    return [load_word_list(path) for path in shipped_files()]
