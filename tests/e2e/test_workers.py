"""Several gateway processes share a port, tell their figures together and are replaced when they die."""

from __future__ import annotations

import http.client
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CACHE
from tests.e2e.served import Served, gone

pytestmark = pytest.mark.timeout(300)

TOML = """
[model_service]
enabled = false

[gateway]
workers = 2
"""


def metrics(served: Served) -> str:
    connection = http.client.HTTPConnection(served.address, timeout=60)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def gateways(served: Served) -> list[int]:
    return [child.pid for child in served.children() if "--worker" in child.cmdline()]


def test_two_workers_share_a_port_and_their_figures(tmp_path: Path) -> None:
    with Served(tmp_path, CACHE, TOML) as served:
        assert len(gateways(served)) == 2
        for _ in range(40):
            assert served.get("/health/live")[0] == 200
        text = metrics(served)
        assert "seekway_workers 2.0" in text
        counts = re.findall(
            r'seekway_http_requests_total\{route="/health/live",status="200",worker="(\d)"\} ([\d.]+)', text
        )
        assert sum(float(count) for _, count in counts) == 40
        port = served.address.rpartition(":")[2]
        second = subprocess.run(
            [sys.executable, "-m", "seekway.app", "gateway", "--port", port],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (second.returncode, "is taken" in second.stderr) == (1, True), second.stderr
        children = served.children()
    assert gone(children)


def test_a_killed_worker_is_replaced_while_the_other_answers(tmp_path: Path) -> None:
    with Served(tmp_path, CACHE, TOML) as served:
        before = gateways(served)
        next(child for child in served.children() if child.pid == before[0]).kill()
        served.wait_for("process_back")
        assert served.get("/health/live")[0] == 200
        after = gateways(served)
        assert (len(after), before[1] in after) == (2, True)
        assert "seekway_workers 2.0" in metrics(served)
