"""Who asks, as the stages see it."""

from __future__ import annotations

from seekway.core.caller import ANONYMOUS, Caller

__all__ = ["ANONYMOUS", "Caller"]
