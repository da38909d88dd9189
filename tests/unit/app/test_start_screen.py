"""The start screen's commands work as they stand."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from seekway.app.start_screen import print_welcome


def welcome(*, models: tuple[str, ...] = (), backends: tuple[str, ...] = (), workers: int = 1, keys: str = "") -> str:
    out = io.StringIO()
    print_welcome(
        Console(file=out, width=200),
        gateway="127.0.0.1:8000",
        model_service="",
        gateway_grpc="",
        model="deepseek-chat",
        models=models,
        backends=backends,
        workers=workers,
        keys=keys,
        seconds=1.0,
        program="seekway",
        demo=False,
        answers="",
    )
    return out.getvalue()


@pytest.mark.parametrize("keys", ["", "keys.txt"])
def test_the_command_to_try_sends_a_key_where_one_is_asked_for(keys: str) -> None:
    text = welcome(models=("own",), keys=keys)
    assert ("Authorization: Bearer" in text) == bool(keys)
    assert ("SEEKWAY_API_KEY" in text) == bool(keys)


def test_other_servers_are_not_called_models() -> None:
    text = welcome(backends=("vllm (http://10.0.0.5:8000/v1)",), workers=4)
    assert "  backend vllm" in text
    assert "models " not in text
    assert "4 gateways" in text
