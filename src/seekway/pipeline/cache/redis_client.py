"""A client of Redis for the cache, which rather does without an answer than waits for it."""

from __future__ import annotations

from importlib import import_module
from typing import Any, cast

from seekway.core.errors import ConfigError
from seekway.pipeline.cache.redis_store import RedisClient


def open_redis(
    url: str, password: str | None = None, *, timeout_s: float
) -> tuple[RedisClient, tuple[type[Exception], ...]]:
    """The client, connected when it is first used, and the errors it raises; its owner calls ``aclose``.

    Raises ``ConfigError`` when the package ``redis`` is not installed or ``url`` is none of its addresses.
    """
    try:
        asynchronous, exceptions = import_module("redis.asyncio"), import_module("redis.exceptions")
        retry, backoff = import_module("redis.asyncio.retry"), import_module("redis.backoff")
    except ImportError as error:
        raise ConfigError("Redis needs a package that is not installed; install seekway[redis].") from error
    options: dict[str, Any] = {
        "decode_responses": False,
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        # A second try would cost the request the time of a second wait.
        "retry": retry.Retry(backoff.NoBackoff(), 0),
    }
    if password is not None:
        options["password"] = password
    try:
        client = asynchronous.Redis.from_url(url, **options)
    except ValueError as error:
        raise ConfigError(f"The address of Redis cannot be read: {error}.") from error
    return cast("RedisClient", client), (cast("type[Exception]", exceptions.RedisError),)
