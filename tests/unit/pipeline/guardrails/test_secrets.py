"""What is a secret and what only looks like one, whole and in pieces."""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seekway.pipeline.guardrails.secrets.detector import SecretDetector
from tests.unit.pipeline.guardrails.stream_scans import cut_texts, scanned_in_pieces

_CHANCE = random.Random(7)


def _random(size: int, letters: str = string.ascii_letters + string.digits) -> str:
    return "".join(_CHANCE.choice(letters) for _ in range(size))


_UPPER = string.ascii_uppercase + string.digits
_TOKENS = {
    "api_key": "sk-" + _random(40),
    "anthropic_key": "sk-ant-api03-" + _random(60),
    "aws_access_key": "AKIA" + _random(16, _UPPER),
    "aliyun_access_key": "LTAI" + _random(20),
    "google_api_key": "AIza" + _random(35),
    "github_token": "ghp_" + _random(36),
    "gitlab_token": "glpat-" + _random(20),
    "slack_token": "xoxb-" + _random(40),
    "stripe_key": "sk_live_" + _random(24),
    "hugging_face_token": "hf_" + _random(34),
    "npm_token": "npm_" + _random(36),
    "json_web_token": "eyJhbGciOiJIUzI1NiJ9." + _random(40) + "." + _random(40),
    "private_key": "-----BEGIN RSA PRIVATE KEY-----\n" + _random(300) + "\n-----END RSA PRIVATE KEY-----",
}


def _found(text: str) -> list[tuple[str, str]]:
    return [
        (found.rule, text[found.start : found.end]) for found in SecretDetector().scan(text, 0, final=True).findings
    ]


@pytest.mark.parametrize("rule", _TOKENS)
@pytest.mark.parametrize("around", ["{}", "密钥是{}，请保管", 'key = "{}"\n', "see {}."])
def test_tokens_are_found_in_any_text(rule: str, around: str) -> None:
    assert (rule, _TOKENS[rule]) in _found(around.format(_TOKENS[rule]))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(
            ("password=Hunter2!x", "Hunter2!x"),
            ("密码：abc12345。", "abc12345"),
            ('"api_key": "9f8a7b6c5d4e"', "9f8a7b6c5d4e"),
        ),
        ("postgresql://app:s3cretpw@db.example/x", "s3cretpw"),
    ],
)
def test_passwords_are_found_by_the_word_before_them(text: str, value: str) -> None:
    assert [found for _, found in _found(text)] == [value]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "password: required",
            "sk-xxxxxxxxxxxxxxxxxxxxxxxx",
            "sk-your-api-key-goes-here-please",
            "token = os.environ['X1']",
        ),
        *(
            "https://example.com:8080/a@b",
            "密码至少8位",
            "password=${DB_PASSWORD}",
            "risk-management-and-other-things-we-do",
        ),
        *(
            "550e8400-e29b-41d4-a716-446655440000",
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
        *(
            "token: request.token",
            "the secret: never give up",
            "AKIA",
            "eyJ",
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        ),
    ],
)
def test_examples_blanks_and_code_are_let_pass(text: str) -> None:
    assert _found(text) == []


_PARTS = [
    *(_TOKENS.values()),
    *(
        " password=Hunter2!x",
        " 密码：abc12345。",
        "postgres://user:s3cretpw@host/db",
        " password: ",
        "sk-",
        "sk",
        "eyJ",
        "://",
    ),
    *("-----BEGIN ", "=", "：", "你好", "\n", "secret"),
]


@example(("-----BEGIN RSA PRIVATE KEY-----\nx\n-----END RSA PRIVATE KEY-----" * 2, [63, 65]))
@given(cut_texts(_PARTS, most=6))
def test_a_stream_finds_what_the_whole_text_holds(cut_text: tuple[str, list[int]]) -> None:
    text, cuts = cut_text
    detector = SecretDetector()
    assert scanned_in_pieces(detector, text, cuts) == list(detector.scan(text, 0, final=True).findings)


@given(st.text(st.characters(), max_size=300))
def test_ordinary_text_is_hardly_held_back(text: str) -> None:
    assert len(text) - SecretDetector().scan(text, 0, final=False).safe <= 140


@pytest.mark.parametrize(
    "text",
    [
        "sk-" * 100_000,
        "eyJ" + "a" * 200_000,
        "password=" * 30_000,
        "://" * 100_000,
        "-----BEGIN RSA PRIVATE KEY-----" * 5000,
    ],
)
def test_long_texts_are_looked_through(text: str) -> None:
    scan = SecretDetector().scan(text, 0, final=False)
    assert len(text) - scan.safe <= 4200
