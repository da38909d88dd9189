"""A text becomes the likeliest pieces, as the library ``tokenizers`` finds them too."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from tokenizers import Tokenizer, models

from seekway.engine.e5.unigram import Unigram
from seekway.engine.e5.weight_file import WeightFile
from tests.fakes.e5_file import CONTROLS, write_e5

UNKNOWN = 3
FIRST = len(CONTROLS)


def unigram(tmp_path: Path, pieces: Sequence[tuple[str, float]], plain: dict[str, str] | None = None) -> Unigram:
    write_e5(tmp_path / "e5.bin", pieces, plain)
    return Unigram(WeightFile(tmp_path / "e5.bin").pieces())


def test_the_likeliest_pieces_are_taken_not_the_longest(tmp_path: Path) -> None:
    model = unigram(tmp_path, [("▁ab", -9.0), ("▁a", -1.0), ("b", -2.0)])
    assert model.encode("ab").tolist() == [FIRST + 1, FIRST + 2]


def test_spaces_are_one_and_stand_before_a_word(tmp_path: Path) -> None:
    model = unigram(tmp_path, [("▁a", -1.0), ("▁", -3.0)])
    assert model.encode("a   a").tolist() == model.encode(" a a").tolist() == [FIRST, FIRST]
    assert model.encode("").tolist() == [FIRST + 1]


def test_no_piece_goes_over_a_space(tmp_path: Path) -> None:
    model = unigram(tmp_path, [("▁a▁a", -0.1), ("▁a", -1.0)])
    assert model.encode("a a").tolist() == [FIRST + 1, FIRST + 1]


def test_characters_are_normalised_first(tmp_path: Path) -> None:
    model = unigram(tmp_path, [("▁a", -1.0)], {"Ａ": "a", "\u200b": ""})
    assert model.encode("Ａ\u200b").tolist() == [FIRST]


def test_a_run_of_unknown_characters_is_one_token(tmp_path: Path) -> None:
    model = unigram(tmp_path, [("▁a", -1.0), ("b", -1.0)])
    assert model.encode("a☃☃☃b☃").tolist() == [FIRST, UNKNOWN, FIRST + 1, UNKNOWN]


@pytest.mark.parametrize("name", CONTROLS)
def test_a_text_that_spells_a_control_token_is_text(tmp_path: Path, name: str) -> None:
    model = unigram(tmp_path, [(one, -1.0) for one in ("▁", *sorted(set("".join(CONTROLS))))])
    assert not set(model.encode(name).tolist()) & set(range(FIRST))


def test_two_pieces_of_one_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="hash"):
        unigram(tmp_path, [("a", -1.0), ("a", -2.0)])


@pytest.mark.parametrize("seed", range(40))
def test_any_text_is_cut_as_the_library_cuts_it(tmp_path: Path, seed: int) -> None:
    rnd = Random(seed)
    texts = {"".join(rnd.choices("▁abc中文", k=rnd.randint(1, 5))) for _ in range(40)}
    pieces = [(text, -rnd.randint(32, 800) / 64) for text in sorted(texts) if "▁" not in text[1:]]
    model = unigram(tmp_path, pieces)
    vocabulary = [*((name, -100.0) for name in CONTROLS), *pieces]
    library = Tokenizer(models.Unigram(vocabulary, unk_id=UNKNOWN))
    for _ in range(30):
        text = "a" + "".join(rnd.choices("abc中文 ☃", k=rnd.randint(0, 12)))
        spaced = "▁" + re.sub(" +", "▁", text)
        assert model.encode(text).tolist() == library.encode(spaced).ids
