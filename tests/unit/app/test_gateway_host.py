"""A changed configuration takes the old one's place only when everything it names is there."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from seekway.app.gateway_host import GatewayHost
from seekway.core.settings import Settings, load_settings
from seekway.pipeline.guardrails import detectors
from seekway.pipeline.guardrails.words.word_list import WordList

BACKEND = '[[backends]]\nname = "a"\nbase_url = "http://127.0.0.1:1/v1"\n'


@pytest.fixture
def capture() -> LogCapture:
    return LogCapture()


@pytest.fixture
def log(capture: LogCapture) -> FilteringBoundLogger:
    return structlog.wrap_logger(None, processors=[capture], wrapper_class=structlog.make_filtering_bound_logger(0))


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("DEEPSEEK_API_KEY", raising=False)
    path = tmp_path / "seekway.toml"
    path.write_text(BACKEND, "utf-8")
    return path


def hosted(config: Path, log: FilteringBoundLogger) -> GatewayHost:
    settings: Settings = load_settings(config)
    return GatewayHost(settings, settings, None, log)


def write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")


def said(capture: LogCapture, event: str) -> list[dict[str, Any]]:
    return [dict(entry) for entry in capture.entries if entry["event"] == event]


async def test_a_reload_that_lacks_a_key_is_refused_with_its_line_until_the_key_is_there(
    config: Path, log: FilteringBoundLogger, capture: LogCapture
) -> None:
    host = hosted(config, log)
    key = config.with_name("a.key")
    before = host.front.services
    write(config, f'{BACKEND}api_key_file = "{key}"\n')
    await host.reload(config)
    assert host.front.services is before
    (refused,) = said(capture, "config_refused")
    assert refused["problem"].startswith(f"{config}, line 4: backends: a: The key file {key} cannot be read")
    # The key's file is watched although the configuration that names it was refused.
    assert key in set(host.files(config))
    write(key, "sk-now\n")
    await host.reload(config)
    assert host.front.services is not before
    assert len(said(capture, "config_refused")) == 1
    await host.close()


async def test_a_key_that_goes_leaves_the_old_configuration_in_force(
    config: Path, log: FilteringBoundLogger, capture: LogCapture
) -> None:
    key = config.with_name("a.key")
    write(key, "sk-old")
    write(config, f'{BACKEND}api_key_file = "{key}"\n')
    host = hosted(config, log)
    before = host.front.services
    write(key, "")
    await host.reload(config)
    assert host.front.services is before
    assert said(capture, "config_refused")
    await host.close()


async def test_word_lists_are_made_ready_in_a_thread_and_a_bad_one_leaves_the_old_policy(
    config: Path, log: FilteringBoundLogger, capture: LogCapture
) -> None:
    listed = config.with_name("words.txt")
    write(listed, "[drugs high]\nblorptonium\n")
    write(config, f'{BACKEND}[[guardrails.policies]]\nname = "p"\nlists = ["{listed}"]\n')
    host = hosted(config, log)
    book = host.front.services.pipeline
    made_in: list[str] = []
    make = detectors.load_word_list

    def noted(file: Path) -> WordList:
        made_in.append(threading.current_thread().name)
        return make(file)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detectors, "load_word_list", noted)
        write(listed, "[drugs high]\nblorptonium\n[drugs huge]\nfrobnicate\n")
        await host.reload(config)
        assert host.front.services.pipeline is book
        (refused,) = said(capture, "config_refused")
        assert "words.txt" in refused["problem"]
        assert "line 3" in refused["problem"]
        write(listed, "[drugs high]\nfrobnicate\n")
        await host.reload(config)
    assert host.front.services.pipeline is not book
    assert said(capture, "guardrail_policy_changed")
    assert made_in
    assert threading.main_thread().name not in made_in
    await host.close()
