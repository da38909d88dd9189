"""Documents keep their promises: links lead somewhere, the README stays short, ADRs are numbered."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from seekway.core.settings import load_settings, read_secret
from seekway.security.key_file import load_key_table

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path
    for path in (
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("examples/**/*.md"),
        *ROOT.glob("benchmarks/**/*.md"),
    )
    if "node_modules" not in path.parts
)
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_NAMED_FILE = re.compile(r"`((?:src|tests|docs|scripts|proto|examples|benchmarks)/[\w./-]+\.\w+)`")
_TOML = re.compile(r"^```toml\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_KEY_LINE = f'{{"id":"k","digest":"{"0" * 64}","created":0}}\n'
_OPERATORS_PAGES = ("docs/gateway.md", "docs/gateway.zh.md")


def settings_in(page: Path) -> str:
    """All of a page's ```toml blocks: they can stand in one file. Other programs' settings are ```text."""
    return "\n".join(_TOML.findall(page.read_text("utf-8")))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_and_named_files_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    links = [link for link in _LINK.findall(text) if not link.startswith(("http://", "https://"))]
    missing = [link for link in links if not (page.parent / link).exists()]
    missing += [name for name in _NAMED_FILE.findall(text) if not (ROOT / name).exists()]
    assert not missing


@pytest.mark.parametrize("page", [p for p in PAGES if settings_in(p)], ids=lambda p: str(p.relative_to(ROOT)))
def test_the_settings_that_a_page_shows_can_stand_in_one_file(page: Path, tmp_path: Path) -> None:
    check_settings(settings_in(page), tmp_path)


@pytest.mark.parametrize("uncommented", [False, True], ids=["as it stands", "with all that is commented out"])
def test_the_example_settings_load(uncommented: bool, tmp_path: Path) -> None:
    text = (ROOT / "seekway.example.toml").read_text("utf-8")
    if uncommented:
        text = re.sub(r"^# ?(?=\[|\w+ = )", "", text, flags=re.MULTILINE)
    check_settings(text, tmp_path)


def test_both_languages_of_the_operators_page_show_the_same_settings() -> None:
    english, chinese = (tomllib.loads(settings_in(ROOT / name)) for name in _OPERATORS_PAGES)
    assert english == chinese


def check_settings(text: str, folder: Path) -> None:
    """As ``seekway up`` reads them, with a file in the place of each one named and a value for each secret."""
    for number, name in enumerate(re.findall(r'^(?:api_key_)?file = "(.+?)"', text, flags=re.MULTILINE)):
        placeholder = folder / f"file-{number}"
        placeholder.write_text(_KEY_LINE if name.endswith(".jsonl") else "placeholder\n")
        text = text.replace(f'"{name}"', f'"{placeholder}"')
    path = folder / "seekway.toml"
    path.write_text(text, "utf-8")
    settings = load_settings(path, {})
    virtual, plain = (
        None if name is None else Path(name) for name in (settings.keys.file, settings.gateway.api_key_file)
    )
    load_key_table(virtual, plain, lambda: 0.0)
    for backend in settings.backends:
        read_secret(backend.api_key_env, backend.api_key_file, {backend.api_key_env or "": "placeholder"})


def test_files_that_the_architecture_names_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    package = ROOT / "src" / "seekway"
    named = re.findall(
        r"`((?:app|gateway|pipeline|client|catalog|model_service|engine|observability|core)/[\w/.]*)`", text
    )
    assert len(named) > 20
    assert not [name for name in named if not (package / name).exists()]


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_readme_is_short_and_begins_with_a_command(name: str) -> None:
    lines = (ROOT / name).read_text("utf-8").splitlines()
    assert len(lines) <= 150
    assert "make run" in lines[:25]


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs" / "adr").glob("[0-9]*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_locks_carry_hashes_and_name_no_host() -> None:
    for lock in (
        *ROOT.glob("*.lock"),
        *ROOT.glob("tests/contract/*.lock"),
        *ROOT.glob("tests/contract/node/package-lock.json"),
    ):
        text = lock.read_text("utf-8")
        assert "sha256:" in text or "sha512-" in text, lock.name
        assert not re.search(r"https?://|--index-url|\"resolved\"", text), lock.name
