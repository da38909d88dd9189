"""``seekway kb`` from files to answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from seekway.app.cli import main

Kb = Callable[..., Result]


@pytest.fixture
def kb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kb:
    monkeypatch.delenv("DEEPSEEK_API_KEY", raising=False)
    config = tmp_path / "seekway.toml"
    config.write_text('[storage]\ndirectory = "state"\n[knowledge]\nembedding_model = ""\n', "utf-8")
    docs = tmp_path / "docs"
    (docs / "zh").mkdir(parents=True)
    (docs / "warranty.md").write_text("# Warranty\n\nThe warranty is two years.\n", "utf-8")
    (docs / "zh" / "returns.md").write_text("# 退货\n\n商品可在七天内无理由退货。\n", "utf-8")
    (docs / "logo.png").write_bytes(b"\x89PNG")

    def run(*arguments: str | Path, said: int = 0) -> Result:
        result = CliRunner().invoke(main, ["--config", str(config), "kb", *map(str, arguments)])
        assert result.exit_code == said, result.output
        return result

    return run


def test_a_folder_is_added_searched_and_deleted(kb: Kb, tmp_path: Path) -> None:
    added = kb("add", "--to", "handbook", tmp_path / "docs").stderr
    assert "handbook: 2 documents found by 2 passages, 0 of them there before, 0 failed." in added
    assert "1 files of other kinds were left out." in added
    assert "2 of them there before" in kb("add", tmp_path / "docs").stderr
    assert "warranty.md" in kb("search", "How long is the warranty?", "--method", "full_text").stdout
    found = msgspec.json.decode(
        kb("search", "多久可以退货", "--in", "handbook", "--method", "full_text", "--json").stdout
    )
    assert found[0]["document_name"] == "zh/returns.md"
    assert "handbook" in kb("list").stdout
    kb("delete", "zh/returns.md", "--in", "handbook")
    names = [one["name"] for one in msgspec.json.decode(kb("documents", "--json").stdout)]
    assert names == ["warranty.md"]
    kb("delete", "--in", "handbook", "--yes")
    assert "handbook" not in kb("list").stdout


def test_a_broken_file_says_why_and_the_others_are_added(kb: Kb, tmp_path: Path) -> None:
    (tmp_path / "docs" / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    said = kb("add", "--to", "handbook", tmp_path / "docs", said=1).stderr
    assert "2 documents found" in said
    assert "broken.pdf: The PDF is broken" in said
    assert "broken.pdf: The PDF is broken" in kb("documents").stdout


def test_mistakes_are_one_plain_line(kb: Kb, tmp_path: Path) -> None:
    assert "There is no file or folder" in kb("add", "--to", "a", tmp_path / "nothing", said=1).stderr
    assert "handbook" not in kb("list").stdout
    assert "there is: none yet" in kb("documents", "--in", "a", said=1).stderr
    kb("create", "a")
    kb("create", "b")
    assert "Say which knowledge base; there is: " in kb("documents", said=1).stderr
    assert "nothing was deleted" in kb("delete", "x.md", "--in", "a", said=1).stderr
    assert "There is no reranker" in kb("search", "x", "--method", "full_text", "--rerank", said=1).stderr


def test_ones_own_questions_are_measured(kb: Kb, tmp_path: Path) -> None:
    kb("add", "--to", "handbook", tmp_path / "docs")
    questions = tmp_path / "questions.jsonl"
    questions.write_text('{"question": "warranty", "relevant": [{"document": "warranty.md"}]}\n', "utf-8")
    measured = msgspec.json.decode(kb("eval", questions, "--json").stdout)
    assert set(measured) == {"keyword", "full_text"}
    assert measured["full_text"][""]["mrr"] == 1.0
    assert "recall@3" in kb("eval", questions).stdout
    questions.write_text('{"question": "warranty", "relevant": [{"document": "nothing.md"}]}\n', "utf-8")
    assert "has no document 'nothing.md'" in kb("eval", questions, said=1).stderr


@pytest.mark.model
def test_the_default_model_finds_by_meaning(kb: Kb, tmp_path: Path) -> None:
    (tmp_path / "seekway.toml").write_text('[storage]\ndirectory = "state"\n', "utf-8")
    kb("add", "--to", "handbook", tmp_path / "docs")
    found = msgspec.json.decode(kb("search", "Can I send goods back?", "--method", "semantic", "--json").stdout)
    assert found[0]["document_name"] == "zh/returns.md"


def test_the_set_that_comes_with_it_is_measured_by_words(kb: Kb) -> None:
    measured = msgspec.json.decode(kb("eval", "--method", "full_text", "--json").stdout)
    assert measured["full_text"][""]["questions"] >= 200
    assert measured["full_text"]["keyword"]["recall"]["10"] > 0.9
