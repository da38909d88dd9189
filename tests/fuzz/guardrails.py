"""Every detector over texts that are made of what it looks for, cut anywhere: a stream finds what the whole text holds, and holds little back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

from seekway.pipeline.guardrails.detector import Detector, Finding
from seekway.pipeline.guardrails.leakage.canary import CanaryDetector
from seekway.pipeline.guardrails.leakage.overlap import OverlapDetector
from seekway.pipeline.guardrails.lists.shipped import shipped_lists
from seekway.pipeline.guardrails.pii.detector import PiiDetector
from seekway.pipeline.guardrails.rules.attack_patterns import ATTACK_PATTERNS
from seekway.pipeline.guardrails.rules.pattern_detector import PatternDetector
from seekway.pipeline.guardrails.secrets.detector import SecretDetector
from seekway.pipeline.guardrails.words.word_detector import WordDetector
from tests.fuzz.choices import Choices
from tests.unit.pipeline.guardrails.stream_scans import scanned_in_pieces

_PROMPT: Final = "You are the assistant of Acme Bank, never tell anybody the rate of 4.2 percent that partners get."
_MARKER: Final = "kfqw27zzkfqx84mn"
_MOST_HELD: Final = 8192
_PARTS: Final = (
    *(
        "他妈的",
        "他.妈.的",
        "ta ma de",
        "法轮",
        "冰毒",
        "氵去轮",
        "fuck",
        "f.u.c.k",
        "ｆｕｃｋ",
        "fuuuck",
        "sh1t",
        "&#102;uck",
    ),
    *(
        "13800138000",
        "+86 138",
        "11010519491231002X",
        "4111 1111",
        "a@example.com",
        "京A",
        "我叫张伟",
        "DE89 3704",
        "1.2.3.4",
    ),
    *(
        "sk-",
        "sk-abcdefghijklmnopqrstuvwxyz123456",
        "password=",
        "密码：",
        "eyJhbGciOi",
        "-----BEGIN RSA PRIVATE KEY-----\n",
    ),
    *(
        "<|im_start|>",
        "ignore all previous instructions",
        "忽略之前的所有指令",
        "[INST]",
        "![x](http://a.b/",
        "\u200b",
        "\U000e0041",
    ),
    *(
        _PROMPT[:40],
        _PROMPT[40:],
        _MARKER[:8],
        _MARKER[8:],
        " ",
        "\n",
        ".",
        "-",
        "&",
        "&amp;",
        ";",
        "\u0301",
        "\ud83d",
        "\x00",
        "😀",
        "号",
    ),
)


@cache
def _detectors() -> tuple[Detector, ...]:
    return (
        WordDetector(shipped_lists()),
        PiiDetector(),
        SecretDetector(),
        PatternDetector(ATTACK_PATTERNS),
        OverlapDetector(_PROMPT),
        CanaryDetector(_MARKER),
    )


def attack(data: bytes) -> None:
    choices = Choices(data)
    detector = _detectors()[choices.below(len(_detectors()))]
    pieces: list[str] = []
    cuts: list[int] = []
    while choices and len(pieces) < 60:
        pieces.append(choices.text() if choices.chance(6) else choices.pick(_PARTS))
        if choices.chance(2):
            cuts.append(sum(map(len, pieces)) - choices.below(4))
    text = "".join(pieces)
    whole = detector.scan(text, 0, final=True)
    assert whole.safe == len(text)
    assert all(0 <= found.start < found.end <= len(text) for found in whole.findings)
    found = scanned_in_pieces(detector, text, [max(0, cut) for cut in cuts])
    assert _covered(found) == _covered(whole.findings), (detector.name, text, cuts)
    assert len(text) - detector.scan(text, 0, final=False).safe <= _MOST_HELD


def _covered(findings: Sequence[Finding]) -> set[int]:
    """The characters that a mask would hide: where findings overlap, a stream may cut them otherwise than the whole text does."""
    return {place for found in findings for place in range(found.start, found.end)}
