"""What keys and tokens look like: how they begin, what they are made of and how long they are.

From the issuers' own documentation of their formats, as of November 2026.
"""

from __future__ import annotations

import string
from typing import Final, NamedTuple

ALNUM: Final = frozenset(string.ascii_letters + string.digits)
_WORD: Final = ALNUM | frozenset("_-")
_UPPER: Final = frozenset(string.ascii_uppercase + string.digits)
_DOTTED: Final = _WORD | frozenset(".")
_BASE64: Final = ALNUM | frozenset("+/=")


class Form(NamedTuple):
    """``least`` and ``most`` count the characters after ``beginning``."""

    rule: str
    beginning: str
    letters: frozenset[str]
    least: int
    most: int


FORMS: Final = (
    Form("anthropic_key", "sk-ant-", _WORD, 20, 160),
    Form("openai_key", "sk-proj-", _WORD, 20, 220),
    Form("openai_key", "sk-svcacct-", _WORD, 20, 220),
    Form("api_key", "sk-", _WORD, 20, 120),
    Form("aws_access_key", "AKIA", _UPPER, 16, 16),
    Form("aws_access_key", "ASIA", _UPPER, 16, 16),
    Form("google_api_key", "AIza", _WORD, 35, 35),
    Form("google_oauth", "ya29.", _DOTTED, 20, 500),
    Form("aliyun_access_key", "LTAI", ALNUM, 12, 26),
    Form("tencent_secret_id", "AKID", ALNUM, 32, 32),
    Form("github_token", "ghp_", ALNUM, 36, 255),
    Form("github_token", "gho_", ALNUM, 36, 255),
    Form("github_token", "ghu_", ALNUM, 36, 255),
    Form("github_token", "ghs_", ALNUM, 36, 255),
    Form("github_token", "github_pat_", ALNUM | frozenset("_"), 22, 255),
    Form("gitlab_token", "glpat-", _WORD, 20, 64),
    Form("slack_token", "xoxb-", _WORD, 20, 120),
    Form("slack_token", "xoxp-", _WORD, 20, 120),
    Form("slack_token", "xapp-", _WORD, 20, 160),
    Form("stripe_key", "sk_live_", ALNUM, 16, 120),
    Form("stripe_key", "rk_live_", ALNUM, 16, 120),
    Form("npm_token", "npm_", ALNUM, 36, 36),
    Form("pypi_token", "pypi-", _WORD, 60, 300),
    Form("hugging_face_token", "hf_", ALNUM, 30, 60),
    Form("sendgrid_key", "SG.", _DOTTED, 60, 80),
    Form("json_web_token", "eyJ", _DOTTED | frozenset("="), 40, 2048),
    Form("azure_storage_key", "AccountKey=", _BASE64, 60, 100),
)
