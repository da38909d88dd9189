"""A changed configuration takes force while the gateway serves; a wrong one is refused with its line and changes nothing."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.conftest import CACHE
from tests.e2e.served import Served

pytestmark = pytest.mark.timeout(300)

TOML = "[model_service]\nenabled = false\n"


def test_keys_come_into_force_and_a_bad_file_does_not(tmp_path: Path) -> None:
    with Served(tmp_path, CACHE, TOML) as served:
        config, keys = tmp_path / "seekway.toml", tmp_path / "keys"
        before = config.read_text("utf-8")
        assert served.get("/v1/models")[0] == 200
        keys.write_text("sk-one-two-three\n", "utf-8")
        config.write_text(f'{before}\n[gateway]\napi_key_file = "{keys}"\n', "utf-8")
        served.wait_for("config_in_force")
        assert served.get("/v1/models")[0] == 401
        lines = config.read_text("utf-8").splitlines()
        config.write_text("\n".join([*lines, 'port = "many"']), "utf-8")
        served.wait_for("config_refused")
        told = next(line for line in served.lines if "config_refused" in line)
        assert f"line {len(lines) + 1}" in told
        assert served.get("/v1/models")[0] == 401
        config.write_text(f"{before}\n[gateway]\nport = 1\n", "utf-8")
        served.wait_for("config_needs_restart")
        assert served.get("/v1/models")[0] == 200


def test_sighup_reads_again(tmp_path: Path) -> None:
    with Served(tmp_path, CACHE, TOML) as served:
        served.process.send_signal(signal.SIGHUP)
        served.wait_for("config_in_force")
        assert served.get("/v1/models")[0] == 200


POLICY = """
[[guardrails.policies]]
name = "shop"
version = "1"
lists = ["{lists}"]
[guardrails.policies.input.actions]
"fruit" = "block"
"""


def test_policies_and_their_lists_come_into_force_and_a_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    words = tmp_path / "fruit.txt"
    words.write_text("[fruit high]\ndurian\n", "utf-8")
    with Served(tmp_path, CACHE, TOML + POLICY.format(lists=words)) as served:
        config = tmp_path / "seekway.toml"
        before = config.read_text("utf-8")
        words.write_text("[fruit high]\ndurian\njackfruit\n", "utf-8")
        served.wait_for("guardrail_policy_changed")
        told = next(line for line in served.lines if "guardrail_policy_changed" in line)
        assert "shop" in told
        words.write_text("[fruit high]\ndurian | loud\n", "utf-8")
        served.wait_for("config_refused")
        told = next(line for line in served.lines if "config_refused" in line)
        assert f"{words}, line 2" in told
        config.write_text(before.replace('"fruit" = "block"', '"fruit" = "explode"'), "utf-8")
        served.wait_for("explode")
        told = next(line for line in served.lines if "explode" in line)
        number = before.splitlines().index('"fruit" = "block"') + 1
        assert f"line {number}" in told
        assert served.get("/v1/models")[0] == 200
