"""Ordinary sentences hold no term, however near they come to one."""

from __future__ import annotations

from pathlib import Path

import pytest

from seekway.pipeline.guardrails.words.word_detector import WordDetector
from seekway.pipeline.guardrails.words.word_list import parse_word_list

HERE = Path(__file__).parent
LIST = """
[all high]
ass
tit
cock
cunt
rape
hell
sex
shit
dick
cum
anal
fag
nazi
paki
god
sell
rapist
massacre
speed ball
kill yourself
forbiddenterm
8964
455
法轮
法轮功
冰毒
色情
赌博 | homophones
大麻
做爱
裸体
自杀
枪支
炸弹
违禁词
好色鬼
好色之徒
女子色情
轮功
[allow]
方法轮
脸色情
角色情
大麻花
"""
DETECTOR = WordDetector([parse_word_list(LIST, Path("list.txt"))])


@pytest.mark.parametrize("name", ["ordinary_en.txt", "ordinary_zh.txt"])
def test_ordinary_sentences_hold_nothing(name: str) -> None:
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    assert len(lines) >= 100
    found = {
        line: [(f.rule, line[f.start : f.end]) for f in scan.findings]
        for line in lines
        if (scan := DETECTOR.scan(line, 0, final=True)).findings
    }
    assert not found
