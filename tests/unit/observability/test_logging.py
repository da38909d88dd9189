"""Logs carry what is needed and no secret."""

from __future__ import annotations

import asyncio
import io
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from seekway.core.sections.log import LogSettings
from seekway.core.types import Usage
from seekway.observability.access_log import AccessLog
from seekway.observability.logging import make_logger, mask
from seekway.observability.record import RequestRecord


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("key sk-0123456789abcdef is bad", "key sk-*** is bad"),
        ("app-0123456789abcdefgh", "app-***"),
        ("app-server and risk-free stay", "app-server and risk-free stay"),
    ],
)
def test_keys_are_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_field_value_or_traceback_shows_a_key(form: str) -> None:
    out = io.StringIO()
    log = make_logger(msgspec.convert({"format": form}, LogSettings), out)
    try:
        raise ValueError("sk-verysecret1")
    except ValueError:
        log.exception(
            "failed", headers={"Authorization": "verysecret2"}, note=["Bearer verysecret3"], api_key="verysecret4"
        )
    assert "failed" in out.getvalue()
    assert "verysecret" not in out.getvalue()


async def test_the_access_line_has_the_requests_figures() -> None:
    out = io.StringIO()
    log = AccessLog(LogSettings(format="json"), out)
    record = RequestRecord("r1", "POST", "/v1/chat/completions", operation="chat", model="m", status=502)
    record.first_token_at = record.started + 0.05
    record.usage, record.error = Usage(3, 2), "stream_interrupted"
    log.write(record)
    log.flush()
    line = msgspec.json.decode(out.getvalue(), type=dict[str, object])
    expected = {"request_id": "r1", "model": "m", "status": 502, "ttft_ms": 50.0, "error_type": "stream_interrupted"}
    assert expected.items() <= line.items()
    assert (line["prompt_tokens"], line["completion_tokens"]) == (3, 2)
    assert {"duration_ms", "timestamp", "level"} <= line.keys()


async def test_a_line_that_waited_has_the_time_of_its_requests_end() -> None:
    out = io.StringIO()
    log = AccessLog(LogSettings(format="json"), out)
    record = RequestRecord("r1", status=200)
    record.ended = record.started + 0.25
    record.started, record.ended = record.started - 3600, record.ended - 3600
    log.write(record)
    log.flush()
    line = msgspec.json.decode(out.getvalue(), type=dict[str, object])
    assert line["duration_ms"] == 250.0
    written = datetime.fromisoformat(str(line["timestamp"]))
    # It ended long before it was written, and the line says so.
    assert written < datetime.now(UTC) - timedelta(minutes=30)


@pytest.mark.parametrize("form", ["json", "console"])
async def test_probes_that_succeed_are_quiet_and_keys_are_masked(form: str) -> None:
    out = io.StringIO()
    log = AccessLog(msgspec.convert({"format": form}, LogSettings), out)
    log.write(RequestRecord("r", route="/health/live", status=200))
    log.flush()
    assert not out.getvalue()
    log.write(RequestRecord("sk-verysecret1", path="/sk-verysecret2", route="/health/ready", status=503))
    log.flush()
    assert "503" in out.getvalue()
    assert "verysecret" not in out.getvalue()


async def test_access_lines_are_written_without_being_flushed_by_hand() -> None:
    written = asyncio.Event()

    class Out(io.StringIO):
        def flush(self) -> None:
            written.set()

    out = Out()
    log = AccessLog(LogSettings(format="json"), out)
    for name in ("a", "b"):
        log.write(RequestRecord(name, status=200))
    await asyncio.wait_for(written.wait(), 10)
    assert [msgspec.json.decode(line)["request_id"] for line in out.getvalue().splitlines()] == ["a", "b"]
