"""Moments as texts."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(moment_ms: int) -> str:
    """ISO 8601 in UTC to the second and without a zone, as Dify writes it."""
    return datetime.fromtimestamp(moment_ms // 1000, UTC).replace(tzinfo=None).isoformat()
