"""What the tests of all clients demand of an answer, however the client names its members."""

from __future__ import annotations

import json
from typing import Any


def assert_usage(usage: dict[str, Any]) -> None:
    """Prompt and completion were counted, under OpenAI's, LangChain's or the AI SDK's names."""
    for names in (
        ("prompt_tokens", "input_tokens", "inputTokens"),
        ("completion_tokens", "output_tokens", "outputTokens"),
    ):
        count = next(usage[name] for name in names if name in usage)
        assert count > 0, usage


def assert_answer(seen: dict[str, Any]) -> None:
    """A finished answer with words in it."""
    assert "raised" not in seen, seen
    assert seen["text"].strip()
    assert seen.get("finish", "stop") in ("stop", "length")
    assert_usage(seen["usage"])


def assert_stream(seen: dict[str, Any]) -> None:
    """Text in more than one piece, one finish reason, and usage."""
    assert "raised" not in seen, seen
    assert len(seen["pieces"]) > 1
    assert "".join(seen["pieces"]).strip()
    assert len(seen["finishes"]) == 1
    assert seen["finishes"][0] in ("stop", "length")
    assert seen["usages"], "no usage came"
    assert_usage(seen["usages"][-1])


def assert_weather(arguments: str | dict[str, Any]) -> None:
    """Arguments that match the tool's schema."""
    values: dict[str, Any] = json.loads(arguments) if isinstance(arguments, str) else arguments
    assert values.keys() == {"city", "unit"}
    assert values["city"] in ("Paris", "Beijing")
    assert values["unit"] in ("C", "F")


def assert_verdict(text: str) -> None:
    """JSON text that matches the schema asked for."""
    values: dict[str, Any] = json.loads(text)
    assert values.keys() == {"answer", "sure"}
    assert values["answer"] in ("yes", "no")
    assert isinstance(values["sure"], bool)


def assert_refused(seen: dict[str, Any], statuses: set[int], *kinds: str) -> None:
    """The client raised one of its own errors for the status."""
    assert "raised" in seen, f"nothing was refused: {seen}"
    assert seen["status"] in statuses, seen
    assert not kinds or set(kinds) & set(seen["raised"]), seen
    assert seen["message"].strip()
