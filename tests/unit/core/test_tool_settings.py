from __future__ import annotations

from pathlib import Path

import pytest

from seekway.core.errors import ConfigError
from seekway.core.sections.tools import ToolProviderSettings
from seekway.core.settings import load_settings, tool_secrets


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('kind = "openapi"', "set spec"),
        ('kind = "openapi"\nspec = "a.json"\nurl = "http://127.0.0.1/"', "for MCP servers"),
        ('kind = "openapi"\nspec = "a.json"\nbase_url = "ftp://x"', "base_url must begin"),
        ('kind = "mcp"', "either a url or a command"),
        ('kind = "mcp"\nurl = "http://127.0.0.1/"\ncommand = ["x"]', "either a url or a command"),
        ('kind = "mcp"\nurl = "http://127.0.0.1/"\nspec = "a"', "for HTTP services"),
        ('kind = "mcp"\ncommand = ["x"]\n[[tools]]\nname = "a"\nkind = "mcp"\ncommand = ["y"]', "stands twice"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path: Path, table: str, says: str) -> None:
    file = tmp_path / "seekway.toml"
    file.write_text(f'[[tools]]\nname = "a"\n{table}\n')
    with pytest.raises(ConfigError, match=says):
        load_settings(file, {})


def test_keys_come_from_the_environment_and_programs_get_what_is_named() -> None:
    tool = ToolProviderSettings(
        name="a", kind="mcp", headers={"x": "1"}, header_env={"authorization": "KEY"}, environment=("MODE",)
    )
    assert tool_secrets(tool, {"KEY": " s ", "MODE": "m", "MORE": "z"}) == (
        {"x": "1", "authorization": "s"},
        {"MODE": "m"},
    )
    with pytest.raises(ConfigError, match="MODE is empty"):
        tool_secrets(tool, {"KEY": "s"})
