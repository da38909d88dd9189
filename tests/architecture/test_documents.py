"""Documents keep their promises: links lead somewhere, the README stays short, ADRs are numbered."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_and_named_files_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    links = [link for link in _LINK.findall(text) if not link.startswith(("http://", "https://"))]
    missing = [link for link in links if not (page.parent / link).exists()]
    missing += [name for name in _NAMED_FILE.findall(text) if not (ROOT / name).exists()]
    assert not missing


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
