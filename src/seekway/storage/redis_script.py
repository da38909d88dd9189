"""One Lua script in one Redis, MessagePack in and out: the only file that knows the Redis client."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any, cast

from seekway.core.errors import ConfigError, StorageFailed

if TYPE_CHECKING:
    from redis.asyncio import Redis


class RedisScript:
    """Calls are cut off after ``timeout_s``, connecting and answering each, and never repeated: what a caller does without an answer is his to say.

    Made without connecting. Raises ``ConfigError`` when the client is not installed or the address is none.
    """

    def __init__(self, url: str, source: str, *, timeout_s: float, password: str | None = None) -> None:
        self._source = source
        self._digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
        self._redis = _connect(url, timeout_s, password)

    async def run(self, payload: bytes) -> bytes:
        """Run the script on ``payload``; raises ``StorageFailed`` when Redis does not answer or the script fails."""
        from redis.exceptions import NoScriptError, RedisError

        task = asyncio.current_task()
        cancelled = task.cancelling() if task is not None else 0
        try:
            try:
                answer = await self._redis.evalsha(self._digest, 0, payload)
            except NoScriptError:
                # A Redis that was started again has forgotten its scripts.
                answer = await self._redis.eval(self._source, 0, payload)
        except (RedisError, OSError) as error:
            raise StorageFailed(f"Redis does not answer: {str(error).rstrip('.')}.") from error
        finally:
            if task is not None and task.cancelling() > cancelled:
                # The client swallows a cancellation that comes while it reads; whoever cancelled would wait forever.
                raise asyncio.CancelledError
        return cast("bytes", answer)

    async def close(self) -> None:
        await self._redis.aclose()


def _connect(url: str, timeout_s: float, password: str | None) -> Redis:
    # Imported here: it is an extra.
    try:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ImportError as error:
        raise ConfigError(
            "quota.redis_url needs the Redis client: install seekway[redis].", param="quota.redis_url"
        ) from error
    options: dict[str, Any] = {} if password is None else {"password": password}
    options.update(socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=Retry(NoBackoff(), 0))
    try:
        return Redis.from_url(url, max_connections=2, **options)  # pyright: ignore[reportUnknownMemberType] - its options are not typed
    except ValueError as error:
        raise ConfigError(f"quota.redis_url is not an address of Redis: {error}.", param="quota.redis_url") from error
