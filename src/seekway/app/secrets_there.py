"""Whether every key that the settings name can be read."""

from __future__ import annotations

from pathlib import Path

from seekway.app.config_lines import line_of, line_of_entry
from seekway.core.errors import ConfigError
from seekway.core.settings import Settings, read_secret


def check_secrets(settings: Settings, config: Path | None) -> None:
    """Raises ``ConfigError`` with the line of ``config`` that names a key which is missing or empty; the keys themselves are forgotten."""
    for backend in settings.backends:
        field = "api_key_env" if backend.api_key_env is not None else "api_key_file"
        try:
            read_secret(backend.api_key_env, backend.api_key_file)
        except ConfigError as error:
            text = _text(config)
            line = line_of_entry("backends", backend.name, field, text) or line_of(["backends"], text)
            raise _refused(error, config, line, f"backends: {backend.name}: ") from error
    for section, field, name in (
        ("quota", "redis_password_env", settings.quota.redis_password_env),
        ("storage", "password_env", settings.storage.password_env),
        *(("knowledge", "store_options_env", name) for name in settings.knowledge.store_options_env.values()),
    ):
        try:
            read_secret(name, None)
        except ConfigError as error:
            line = line_of([section, field], _text(config))
            raise _refused(error, config, line, f"{section}.{field}: ") from error


def _refused(error: ConfigError, config: Path | None, line: int | None, what: str) -> ConfigError:
    place = "" if config is None else f"{config}: " if line is None else f"{config}, line {line}: "
    return ConfigError(f"{place}{what}{error.message}", param=error.param)


def _text(config: Path | None) -> str:
    return config.read_text("utf-8", "replace") if config is not None and config.is_file() else ""
