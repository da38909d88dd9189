"""What a server's refusal means to the person who asked for a model: one sentence, and whether another try can help."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from seekway.core.errors import DownloadError

TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})


class TransientFailure(Exception):
    """Another try may succeed; ``retry_after_s`` is the server's own wish, if it said one."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s


def check_status(status: int, headers: Mapping[str, str], what: str, host: str) -> None:
    """Raise ``TransientFailure`` or ``DownloadError`` unless ``status`` is 2xx; ``what`` is the thing asked for."""
    if 200 <= status < 300:
        return
    if status in TRANSIENT:
        reason = "asks for fewer requests (429)" if status == 429 else f"is in trouble ({status})"
        raise TransientFailure(f"{host} {reason}", _retry_after(headers))
    if status in (401, 403):
        raise DownloadError(
            f"{host} does not let you have {what} ({status}); if it is gated or private, set HF_TOKEN or MODELSCOPE_API_TOKEN to a token that may read it."
        )
    if status == 404:
        raise DownloadError(f"{host} has no {what} (404); check the name, or choose another hub with --hub.")
    raise DownloadError(f"{host} answered {status} for {what}; try another mirror with --mirror.")


def check_content(headers: Mapping[str, str], what: str, host: str) -> None:
    """A sign-in or error page with status 200 is not a file."""
    if headers.get("Content-Type", "").lower().startswith("text/html"):
        raise DownloadError(
            f"{host} answered with a web page instead of {what}; check catalog.mirror and the network's sign-in page."
        )


def _retry_after(headers: Mapping[str, str]) -> float | None:
    with contextlib.suppress(ValueError):
        return max(0.0, float(headers.get("Retry-After", "")))
    return None
