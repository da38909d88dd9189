"""Routes are read from the file and refused with the rule and the field."""

from __future__ import annotations

from pathlib import Path

import pytest

from seekway.core.errors import ConfigError
from seekway.core.settings import Settings, load_settings

FILE = """
[routing]
strategy = "tiers"
region = "eu"

[[backends]]
name = "vllm"
base_url = "http://127.0.0.1:9000/v1"
tier = 0
weight = 2.5
tags = ["gpu"]
region = "asia"
cost = 0.2

[[routes]]
name = "own"
when_tenant = ["a"]
when_header = { x-seekway-test = "1" }
percent = 5
to_backends = ["vllm"]
"""


def load(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "seekway.toml"
    file.write_text(text, "utf-8")
    return load_settings(file, {})


def test_a_file_says_how_backends_are_chosen(tmp_path: Path) -> None:
    settings = load(tmp_path, FILE)
    backend, route = settings.backends[0], settings.routes[0]
    assert (settings.routing.strategy, backend.weight, backend.tags, backend.cost) == ("tiers", 2.5, ("gpu",), 0.2)
    assert (route.name, route.percent, route.when_header) == ("own", 5.0, {"x-seekway-test": "1"})


@pytest.mark.parametrize(
    ("found", "instead", "said"),
    [
        (
            'to_backends = ["vllm"]',
            'to_backends = ["nobody"]',
            "routes: own: to_backends: .*'nobody'.*model-service, vllm",
        ),
        ('to_backends = ["vllm"]', 'to_tags = ["tpu"]', "routes: own: to_tags: .*'tpu'.*gpu"),
        ('to_backends = ["vllm"]', 'to_regions = ["mars"]', "routes: own: to_regions: .*'mars'.*asia, eu"),
        ('to_backends = ["vllm"]', 'strategy = "magic"', r"'magic'.*\$\.routes\[0\]\.strategy"),
        ('to_backends = ["vllm"]', "", "routes: own: strategy: is not set"),
        ('strategy = "tiers"', 'strategy = "magic"', r"'magic'.*\$\.routing\.strategy"),
        ("percent = 5", "percent = 0", r"\$\.routes\[0\]\.percent"),
        ("weight = 2.5", "weight = 0", r"\$\.backends\[0\]\.weight"),
        ('name = "vllm"', 'name = "model-service"', "model-service is the name of our own model service"),
    ],
)
def test_what_cannot_be_followed_is_refused(tmp_path: Path, found: str, instead: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load(tmp_path, FILE.replace(found, instead))


def test_without_a_model_service_there_is_no_route_to_it(tmp_path: Path) -> None:
    route = '[[routes]]\nname = "own"\nto_backends = ["model-service"]\n'
    assert load(tmp_path, route).routes
    with pytest.raises(ConfigError, match="there is no backend 'model-service'"):
        load(tmp_path, "[model_service]\nenabled = false\n" + route)
