"""``seekway keys``: a key is printed once and kept nowhere; what it says is what is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from seekway.app.cli import main
from seekway.core.allowance import Budget
from seekway.security.key_file import load_key_table, read_keys
from seekway.security.keys import digest_of


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "keys.jsonl"
    monkeypatch.setenv("SEEKWAY_KEYS__FILE", str(path))
    monkeypatch.chdir(tmp_path)
    return path


def keys(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["keys", *arguments])


def made(*arguments: str) -> tuple[str, str]:
    """Id and key."""
    answer = json.loads(keys("create", "--json", *arguments).stdout)
    return answer["id"], answer["key"]


def opens(file: Path, key: str) -> bool:
    table = load_key_table(file, None, lambda: 2e9)
    assert table is not None
    return table.lookup(digest_of(key.encode())) is not None


def test_a_new_key_opens_and_is_kept_only_as_a_digest(file: Path) -> None:
    key_id, key = made("--tenant", "shop", "--budget", "100CNY/month", "--concurrent", "4")
    assert opens(file, key)
    assert key not in file.read_text("utf-8")
    (kept,) = read_keys(file)
    assert kept.limits is not None
    assert (kept.id, kept.tenant, kept.budget, kept.limits.concurrent) == (key_id, "shop", Budget(amount=100.0), 4)


def test_a_key_for_knowledge_looks_like_difys_and_stays_so(file: Path) -> None:
    key_id, key = made("--tenant", "shop", "--scope", "knowledge")
    assert key.startswith("dataset-")
    assert read_keys(file)[0].scopes == ("knowledge",)
    assert json.loads(keys("rotate", key_id, "--json").stdout)["key"].startswith("dataset-")
    assert made("--scope", "knowledge", "--scope", "models")[1].startswith("sk-")


def test_a_rotated_key_opens_beside_its_successor(file: Path) -> None:
    key_id, old = made()
    new = json.loads(keys("rotate", key_id, "--json", "--grace", "52w").stdout)["key"]
    table = load_key_table(file, None, lambda: float(read_keys(file)[0].created))
    assert table is not None
    assert table.lookup(digest_of(old.encode())) is table.lookup(digest_of(new.encode())) is not None
    newest = json.loads(keys("rotate", key_id, "--json", "--grace", "0").stdout)["key"]
    assert opens(file, newest)
    assert not opens(file, new)


def test_a_revoked_key_opens_nothing_and_stays_revoked(file: Path) -> None:
    key_id, key = made()
    other, _ = made()
    assert keys("revoke", key_id, "--yes").exit_code == 0
    assert not opens(file, key)
    assert keys("rotate", key_id).exit_code == 1
    assert [json.loads(keys("show", i, "--json").stdout)["state"] for i in (key_id, other)] == ["revoked", "active"]


def test_no_digest_is_shown(file: Path) -> None:
    key_id, key = made()
    digest = digest_of(key.encode()).hex()
    assert read_keys(file)[0].digest == digest
    for shown in (keys("list"), keys("list", "--json"), keys("show", key_id), keys("show", key_id, "--json")):
        assert shown.exit_code == 0
        assert key_id in shown.stdout
        assert digest not in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("create", "--expires", "soon"), 2),
        (("create", "--budget", "3"), 2),
        (("create", "--id", "no spaces"), 2),
        (("rotate", "k-none"), 1),
        (("show", "k-none"), 1),
        (("revoke", "k-none", "--yes"), 1),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(file: Path, arguments: tuple[str, ...], code: int) -> None:
    result = keys(*arguments)
    assert result.exit_code == code
    assert result.stderr.count("\n") == 1
    assert not file.exists()


def test_an_id_is_given_once(file: Path) -> None:
    made("--id", "front")
    assert keys("create", "--id", "front").exit_code == 1
    assert len(read_keys(file)) == 1
