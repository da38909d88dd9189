"""Virtual keys open what they may, as long as they may, and are kept only as digests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import msgspec
import pytest

from seekway.core.allowance import Allowance, Budget
from seekway.core.errors import ConfigError
from seekway.security.key_file import change_keys, load_key_table, read_keys
from seekway.security.keys import SCOPES, KeyRecord, KeyTable, Retired, digest_of, make_secret


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def record(name: str, **changes: object) -> KeyRecord:
    return msgspec.structs.replace(KeyRecord(name, digest_of(name.encode()).hex(), 900), **changes)


def table(*records: KeyRecord, clock: Clock | None = None) -> KeyTable:
    return KeyTable(records, clock or Clock())


def test_a_key_tells_who_asks() -> None:
    limits, budget = Allowance(concurrent=3), Budget(amount=5)
    kept = record("a", tenant="t", tags=("x",), models=("m",), priority=0, limits=limits, budget=budget)
    caller = table(kept).lookup(digest_of(b"a"))
    assert caller is not None
    assert (caller.key_id, caller.tenant, caller.tags, caller.models) == ("a", "t", ("x",), ("m",))
    assert (caller.priority, caller.scopes, caller.limits, caller.budget) == (0, ("models",), limits, budget)


def test_a_key_has_one_caller_for_all_its_requests() -> None:
    keys = table(record("a"), record("b"))
    assert keys.lookup(digest_of(b"a")) is keys.lookup(digest_of(b"a"))


@pytest.mark.parametrize("key", [b"", b"b", b"A", b"a "])
def test_an_unknown_key_opens_nothing(key: bytes) -> None:
    assert table(record("a")).lookup(digest_of(key)) is None


def test_a_revoked_key_opens_nothing() -> None:
    assert table(record("a", revoked=950)).lookup(digest_of(b"a")) is None


def test_a_key_opens_until_it_expires() -> None:
    clock = Clock()
    keys = table(record("a", expires=1001), clock=clock)
    clock.now = 1000.999
    assert keys.lookup(digest_of(b"a"))
    clock.now = 1001.0
    assert keys.lookup(digest_of(b"a")) is None


@pytest.mark.parametrize(("expires", "ends"), [(None, 1010), (1005, 1005), (2000, 1010)])
def test_a_rotated_key_opens_until_its_grace_or_the_keys_own_end(expires: int | None, ends: int) -> None:
    clock = Clock()
    retired = Retired(digest_of(b"old").hex(), 1010)
    keys = table(record("a", retired=(retired,), expires=expires), clock=clock)
    clock.now = ends - 1
    assert keys.lookup(digest_of(b"old")) is keys.lookup(digest_of(b"a")) is not None
    clock.now = ends
    assert keys.lookup(digest_of(b"old")) is None


def test_a_plain_file_of_keys_opens_everything() -> None:
    keys = table()
    keys.add_plain("# ours\nsk-one\n\n  sk-two \n")
    caller = keys.lookup(digest_of(b"sk-two"))
    assert caller
    assert caller.scopes == SCOPES
    assert len(keys) == 2


def test_secrets_are_long_and_never_the_same() -> None:
    made = {make_secret() for _ in range(1000)}
    assert len(made) == 1000
    assert all(key.startswith("sk-") and len(key) >= 46 for key in made)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "keys.jsonl"
    kept = (record("a", limits=Allowance(requests_per_second=2)), record("b", retired=(Retired("0" * 64, 5),)))
    change_keys(path, lambda _: kept)
    assert read_keys(path) == kept
    assert path.stat().st_mode & 0o077 == 0


def test_a_change_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "keys.jsonl"
    change_keys(path, lambda _: (record("a"),))
    for wrong in ((record("a"), record("a")), (record("a"), record("b", digest=record("a").digest))):
        with pytest.raises(ConfigError, match="stands twice"):
            change_keys(path, lambda _, wrong=wrong: wrong)
    assert read_keys(path) == (record("a"),)
    assert [p.name for p in tmp_path.iterdir() if not p.name.endswith(".lock")] == ["keys.jsonl"]


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys.jsonl"

    def write(number: int) -> None:
        for i in range(10):
            change_keys(path, lambda known, i=i: (*known, record(f"k{number}-{i}")))

    threads = [Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(read_keys(path)) == 40


@pytest.mark.parametrize(
    "line", ["{", '{"id":"x"}', '{"id":"x","digest":"beef","created":1}', '{"id":"x","key":"sk-secret"}']
)
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "keys.jsonl"
    change_keys(path, lambda _: (record("a"),))
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    with pytest.raises(ConfigError, match=r"keys\.jsonl, line 2: ") as caught:
        read_keys(path)
    assert "sk-secret" not in caught.value.message


def test_both_files_together_are_the_gateways_keys(tmp_path: Path) -> None:
    path, plain = tmp_path / "keys.jsonl", tmp_path / "plain"
    change_keys(path, lambda _: (record("a"),))
    plain.write_text("b\n", "utf-8")
    keys = load_key_table(path, plain, Clock())
    assert keys is not None
    assert [keys.lookup(digest_of(key)) is not None for key in (b"a", b"b", b"c")] == [True, True, False]
    assert load_key_table(None, None, Clock()) is None


@pytest.mark.parametrize("text", ["", "# none\n"])
def test_a_gateway_without_one_key_is_refused(tmp_path: Path, text: str) -> None:
    plain = tmp_path / "plain"
    plain.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match="No key"):
        load_key_table(None, plain, Clock())
    with pytest.raises(ConfigError, match="cannot be read"):
        load_key_table(None, tmp_path / "missing", Clock())
