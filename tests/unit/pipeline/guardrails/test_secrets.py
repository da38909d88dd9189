"""What is a secret and what only looks like one, whole and in pieces."""

from __future__ import annotations

import base64
import random
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seekway.pipeline.guardrails.secrets.detector import SecretDetector
from seekway.pipeline.guardrails.secrets.forms import FORMS, Form
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


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.beginning)
def test_every_form_is_found_and_its_blank_is_not(form: Form) -> None:
    if form.rule == "json_web_token":
        return  # its parts have a form of their own, tested above
    # Capitals where there are any, so that short tokens change their kind of character as real ones do.
    letters = "".join(char for char in form.letters if char.isalnum())
    secret = form.beginning + _random(form.least, letters)
    begin = len(form.beginning) if form.after else 0
    text = f"请看 {secret}，完"
    assert (form.rule, secret[begin:]) in _found(text)
    assert not _found(f"see {form.beginning}{'x' * form.least} there")


def test_a_private_key_in_a_json_string_is_found_whole() -> None:
    lines = "\\n".join(_random(64) for _ in range(26))
    text = f'{{"private_key": "-----BEGIN PRIVATE KEY-----\\n{lines}\\n-----END PRIVATE KEY-----\\n", "x": 1}}'
    assert ("private_key", text[text.index("-----") : text.rindex("-----") + 5]) in _found(text)


def test_a_private_key_that_is_cut_off_is_found_up_to_where_it_ends() -> None:
    body = "\n".join(_random(64) for _ in range(5))
    assert [
        value.endswith(body)
        for rule, value in _found(f"-----BEGIN EC PRIVATE KEY-----\n{body}\n\nThat is all.")
        if rule == "private_key"
    ] == [True]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(
            ("password=Hunter2!x", "Hunter2!x"),
            ("密码：abc12345。", "abc12345"),
            ('"api_key": "9f8a7b6c5d4e"', "9f8a7b6c5d4e"),
        ),
        ("postgresql://app:s3cretpw@db.example/x", "s3cretpw"),
        ("redis://:p@ss-w0rd@cache:6379/0", "p@ss-w0rd"),
        ("密码：13572468", "13572468"),
        ("登录密码已重置为aB3dE!99，请尽快修改", "aB3dE!99"),
        ("root密码 aB3dE@123", "aB3dE@123"),
        ("my password is hunter22", "hunter22"),
        ("**Password:** Tr0ub4dor", "Tr0ub4dor"),
        ("mysql --password Tr0ub4dor -u root", "Tr0ub4dor"),
        ('{"clientSecret":"a8Fk2mPq9XzR4tLw"}', "a8Fk2mPq9XzR4tLw"),
        ("X-API-Key: a8Fk2mPq9XzR4tLw", "a8Fk2mPq9XzR4tLw"),
        ("Authorization: Bearer a8Fk2mPq9XzR4tLw7NbVc3Ye", "a8Fk2mPq9XzR4tLw7NbVc3Ye"),
        ("Authorization: Basic " + base64.b64encode(b"user:s3cretpw").decode(), "dXNlcjpzM2NyZXRwdw=="),
        (
            "https://open.feishu.cn/open-apis/bot/v2/hook/9f8a7b6c-1d2e-3f4a-5b6c-7d8e9f0a1b2c",
            "9f8a7b6c-1d2e-3f4a-5b6c-7d8e9f0a1b2c",
        ),
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
            "密码长度为16位",
            "密码强度：中等",
            "token数量：12345678",
            "password: use at-least-12-characters",
            "password = password_hash_v2",
            "pwd: /home/user1/project2",
            "Passwords: SHA256-hashed",
            "The header -----BEGIN PRIVATE KEY----- marks a key.",
            "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
            "sk-your-1234567890abcdef1234567890",
            "sk-learn-contrib-installation-guide-v2",
            "pypi-publish-action-release-v1-pipeline-configuration-name-of-a-long-kind",
            "authToken: process.env.NPM_TOKEN_1",
            "token: 550e8400-e29b-41d4-a716-446655440000",
            "Authorization: Bearer $TOKEN1",
            "Authorization: Basic auth is required",
            "https://user:<password>@host/",
            "postgres://user:password@localhost/db",
            "mysql://root:${MYSQL_PWD}@db/app",
            "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
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
    *(
        "-----BEGIN ",
        "=",
        "：",
        "你好",
        "\n",
        "secret",
        "Proc-Type: 4,ENCRYPTED\n",
        "\\n",
        "密码改为",
        "Bearer ",
        "--password ",
    ),
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
    assert len(text) - scan.safe <= 6144
