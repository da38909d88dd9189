"""How often and how patiently a server is asked again."""

from __future__ import annotations

import asyncio
import random

import aiohttp
import msgspec


class RetryPolicy(msgspec.Struct, frozen=True):
    """``attempts`` in a row without progress end a download; the pauses double from ``base_s`` to ``cap_s``, times 0.5 to 1.5.

    A server that sends nothing for ``idle_timeout_s`` counts as broken off. A ``Retry-After`` up to ``longest_wish_s`` is honoured.
    """

    attempts: int = 6
    base_s: float = 0.5
    cap_s: float = 20.0
    connect_timeout_s: float = 15.0
    idle_timeout_s: float = 60.0
    longest_wish_s: float = 120.0

    @property
    def timeout(self) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(
            total=None, sock_connect=self.connect_timeout_s, connect=None, sock_read=self.idle_timeout_s
        )

    def pause_s(self, failures: int, wish_s: float | None) -> float:
        """Seconds to wait after ``failures`` failures in a row, of which there is at least one."""
        backoff = min(self.cap_s, self.base_s * 2 ** (failures - 1)) * random.uniform(0.5, 1.5)  # noqa: S311 - jitter
        return max(backoff, min(wish_s or 0.0, self.longest_wish_s))


async def paused(policy: RetryPolicy, failures: int, wish_s: float | None) -> None:
    await asyncio.sleep(policy.pause_s(failures, wish_s))


def why(error: aiohttp.ClientError | TimeoutError | OSError) -> str:
    """An exception of the network as half a sentence after the host's name."""
    if isinstance(error, TimeoutError):
        return "sent nothing for too long"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return "has a TLS certificate that is not trusted here"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "cannot be reached"
    return "broke off"
