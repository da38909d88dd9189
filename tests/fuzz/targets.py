"""What is attacked, by name. A target takes bytes and raises ``AssertionError`` where a promise does not hold; any other error is a finding too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.fuzz import dialect_bodies, encoders, guard_texts, guardrails, http_connection, upstream_stream

SEEDS = Path(__file__).parent / "seeds"
TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "http": http_connection.attack,
    "bodies": dialect_bodies.attack,
    "encoders": encoders.attack,
    "upstream": upstream_stream.attack,
    "guardrails": guardrails.attack,
    "normaliser": guard_texts.attack_normaliser,
    "words": guard_texts.attack_words,
    "pii": guard_texts.attack_pii,
    "secrets": guard_texts.attack_secrets,
    "reviewer": guard_texts.attack_reviewer,
}


def seeds(name: str) -> list[bytes]:
    """The inputs that once found something, and some to begin with."""
    return [path.read_bytes() for path in sorted((SEEDS / name).iterdir())]
