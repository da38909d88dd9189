"""A word list is read as its author meant it, and a mistake in it is named with its line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from seekway.core.errors import ConfigError
from seekway.pipeline.guardrails.words.word_list import Term, load_word_list, parse_word_list

WHOLE = """\ufeff# a comment
@name drugs
@source somewhere
@license CC0-1.0

[drugs high]
冰毒
speed ball | low
麻古 | homophones; medium
[sport-2 low]
溜冰 | unless 滑冰, 冬奥，rink within 20
溜冰 | unless 滑冰, 冬奥，rink within 20
ab | exact
[allow]
冰毒检测
"""


def test_a_list_is_read_with_all_that_it_says(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(WHOLE, encoding="utf-8")
    words = load_word_list(path)
    assert (words.name, words.source, words.license, words.allow) == ("drugs", "somewhere", "CC0-1.0", ("冰毒检测",))
    assert words.terms == (
        Term("冰毒", "drugs", "high"),
        Term("speed ball", "drugs", "low"),
        Term("麻古", "drugs", "medium", homophones=True),
        Term("溜冰", "sport-2", "low", unless=("滑冰", "冬奥", "rink"), within=20),
        Term("ab", "sport-2", "low", exact=True),
    )


def test_a_list_without_a_name_has_its_files() -> None:
    assert parse_word_list("[a low]\nxy\r\n", Path("some/words.txt")).name == "words"


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("xy", 1, "needs a section"),
        ("[a]\nxy", 1, "opened by"),
        ("[a high", 1, "opened by"),
        ("[a worst]", 1, "low, medium or high"),
        ("[ä high]", 1, "category"),
        ("@author me", 1, "not known"),
        ("@name", 1, "needs a value"),
        ("@name a\n@name b", 2, "twice"),
        ("[a low]\n@name x", 2, "before the first"),
        ("[a low]\n***", 2, "no letter"),
        ("[a low]\nx", 2, "single Latin"),
        ("[a low]\n" + "长" * 41, 2, "40 is the most"),
        ("[a low]\n\n# c\nxy | loud", 4, "not known"),
        ("[a low]\nxy | exact; homophones", 2, "exclude"),
        ("[a low]\nxy | unless z within 0", 2, "from 1 to 100"),
        ("[a low]\nxy | unless abc within 2", 2, "longer than"),
        ("[a low]\nxy | unless abc", 2, "not known"),
        ("[a low]\nxy\nxy | high", 3, "already"),
        ("[allow]\nxy | exact", 2, "no options"),
        ("[allow]\n" + "长" * 61, 2, "60 is the most"),
    ],
)
def test_a_mistake_is_refused_with_its_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"bad.txt, line {line}: ")) as caught:
        parse_word_list(text, Path("bad.txt"))
    assert reason in caught.value.message


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_word_list(tmp_path / "none.txt")
    (tmp_path / "bytes.txt").write_bytes(b"[a low]\n\xff\xfe\n")
    with pytest.raises(ConfigError, match="line 2: this is not UTF-8"):
        load_word_list(tmp_path / "bytes.txt")
