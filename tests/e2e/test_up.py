"""One command serves, survives its parts, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.conftest import CACHE
from tests.e2e.served import Served, gone

pytestmark = [pytest.mark.model, pytest.mark.timeout(400)]

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
TALE = [{"role": "user", "content": "Tell me a very long story about a dragon."}]
SHORT = {"model": "deepseek-chat", "messages": QUESTION, "max_tokens": 16}
LONG = {"model": "deepseek-chat", "messages": TALE, "stream": True, "max_tokens": 2000, "temperature": 0}


def test_a_deepseek_client_gets_a_streamed_answer_of_a_real_model(served: Served) -> None:
    with served.open("/v1/chat/completions", {**SHORT, "stream": True, "temperature": 0}) as response:
        stream = response.read().decode()
    assert "Paris" in stream
    assert stream.endswith("data: [DONE]\n\n")
    assert '"model":"smollm2:135m"' in stream, "the answer names the model that answered, not the alias"


def test_a_client_that_goes_away_frees_its_slot(served: Served) -> None:
    with served.open("/v1/chat/completions", LONG) as response:
        line = response.readline()
    assert line.startswith(b"data: {"), (response.status, line)
    stats: dict[str, int] = {}
    # The gateway asks for these figures every second at most.
    until = time.monotonic() + 60
    while time.monotonic() < until:
        _, listed = served.get("/api/v1/models")
        stats = listed["models"][0]["model"]["stats"]
        if stats["requests_total"] and not stats["running"] and not stats["queued"]:
            return
    pytest.fail(f"the slot is still held: {stats}")


def test_a_killed_worker_ends_its_streams_in_an_error_and_a_new_one_serves(served: Served) -> None:
    with served.open("/v1/chat/completions", LONG) as response:
        response.readline()
        served.child("seekway.app.worker").kill()
        rest = response.read().decode()
    assert '"code":"engine_crashed"' in rest
    assert "[DONE]" not in rest
    status, answer = served.post("/v1/chat/completions", SHORT)
    assert (status, answer["object"]) == (200, "chat.completion")
    _, metrics = served.get("/api/v1/models")
    assert metrics["models"][0]["model"]["stats"]["restarts"] >= 1


def test_a_killed_gateway_comes_back_on_its_port(served: Served) -> None:
    served.child("gateway").kill()
    served.wait_for("process_back")
    assert served.post("/v1/chat/completions", SHORT)[0] == 200


def test_ctrl_c_finishes_running_requests_and_leaves_no_process(demo_model: Path, tmp_path: Path) -> None:
    with Served(tmp_path, CACHE) as running:
        children = running.children()
        assert len(children) >= 3
        with running.open("/v1/chat/completions", {**LONG, "max_tokens": 100}) as response:
            response.readline()
            running.process.send_signal(signal.SIGINT)
            assert response.read().endswith(b"data: [DONE]\n\n")
        assert gone(children)
        assert running.process.wait(60) == 0


def test_killing_the_command_leaves_no_process(demo_model: Path, tmp_path: Path) -> None:
    with Served(tmp_path, CACHE) as running:
        children = running.children()
        os.kill(running.process.pid, signal.SIGKILL)
        assert gone(children)


def test_a_taken_port_is_one_clear_line(demo_model: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        running = Served(tmp_path, CACHE, arguments=("--port", str(port)))
        running.wait_for("is taken")
        assert running.process.wait(60) == 1
        running.end()
    assert running.lines[-1].startswith(f"seekway: Port {port} on 127.0.0.1 is taken")
    assert not any("Traceback" in line for line in running.lines)
