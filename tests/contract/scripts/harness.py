"""Runs one client's checks and writes what each saw as one JSON object; judging is the tests' business.

This file and its neighbours run in the clients' own environments, where neither Seekway nor its test tools are installed.
"""

import contextlib
import json
import sys
from collections.abc import Callable

URL, CHAT_MODEL, EMBED_MODEL = sys.argv[1:4]
"""The server's address without ``/v1``, and the models to ask for."""

SCHEMA = {
    "type": "object",
    "properties": {
        "answer": {"type": "string", "enum": ["yes", "no"]},
        "sure": {"type": "boolean"},
    },
    "required": ["answer", "sure"],
    "additionalProperties": False,
}
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "enum": ["Paris", "Beijing"]},
                "unit": {"type": "string", "enum": ["C", "F"]},
            },
            "required": ["city", "unit"],
            "additionalProperties": False,
        },
    },
}
NAMED = {"type": "function", "function": {"name": "get_weather"}}
ASK = [{"role": "user", "content": "Tell me in one sentence what the sea looks like."}]
ASK_JSON = [{"role": "user", "content": "Is water wet? Answer in JSON with the members answer and sure."}]
ASK_WEATHER = [{"role": "user", "content": "What is the weather in Paris in degrees Celsius?"}]

Check = Callable[[], dict[str, object]]
_checks: dict[str, Check] = {}


def check(function: Check) -> Check:
    _checks[function.__name__] = function
    return function


def main() -> None:
    seen: dict[str, object] = {}
    for name, function in _checks.items():
        try:
            # Some clients print advice of their own where the answer belongs.
            with contextlib.redirect_stdout(sys.stderr):
                seen[name] = function()
        except Exception as error:
            seen[name] = {
                "raised": [kind.__name__ for kind in type(error).__mro__],
                "status": getattr(error, "status_code", None),
                "message": str(error),
            }
    json.dump(seen, sys.stdout)
