"""Logs carry what is needed and no secret."""

from __future__ import annotations

import io

import msgspec
import pytest

from seekway.core.sections.log import LogSettings
from seekway.core.types import Usage
from seekway.observability.logging import log_access, make_logger, mask
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


def test_the_access_line_has_the_requests_figures() -> None:
    out = io.StringIO()
    record = RequestRecord("r1", "POST", "/v1/chat/completions", operation="chat", model="m", status=502)
    record.first_token_at = record.started + 0.05
    record.usage, record.error = Usage(3, 2), "stream_interrupted"
    log_access(make_logger(LogSettings(format="json"), out), record)
    line = msgspec.json.decode(out.getvalue(), type=dict[str, object])
    expected = {"request_id": "r1", "model": "m", "status": 502, "ttft_ms": 50.0, "error_type": "stream_interrupted"}
    assert expected.items() <= line.items()
    assert (line["prompt_tokens"], line["completion_tokens"]) == (3, 2)
    assert "duration_ms" in line


def test_probes_that_succeed_are_quiet() -> None:
    out = io.StringIO()
    log = make_logger(LogSettings(format="json"), out)
    log_access(log, RequestRecord("r", route="/health/live", status=200))
    assert not out.getvalue()
    log_access(log, RequestRecord("r", route="/health/ready", status=503))
    assert out.getvalue()
