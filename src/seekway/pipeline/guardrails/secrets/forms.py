"""What keys and tokens look like: how they begin, what they are made of and how long they are.

From the issuers' own documentation of their formats, as of November 2026.
"""

from __future__ import annotations

import string
from typing import Final, NamedTuple

ALNUM: Final = string.ascii_letters + string.digits
WORD: Final = ALNUM + "_-"
_DOTTED: Final = WORD + "."
_UPPER: Final = string.ascii_uppercase + string.digits
_HEX: Final = string.digits + "abcdefABCDEF"
_BASE64: Final = ALNUM + "+/="


class Form(NamedTuple):
    """``least`` and ``most`` count the characters after ``beginning``.

    ``chance`` says that the beginning is also one of ordinary words, so that the rest must look random;
    ``after`` that the beginning is no part of the secret, as in an address whose end is one.
    """

    rule: str
    beginning: str
    letters: str
    least: int
    most: int
    chance: bool = False
    after: bool = False


_GITHUB: Final = tuple(Form("github_token", f"gh{kind}_", ALNUM, 36, 255) for kind in "pousr")
_GITLAB: Final = tuple(
    Form("gitlab_token", f"gl{kind}-", _DOTTED, 20, 128)
    for kind in ("pat", "rt", "dt", "soat", "cbt", "ptt", "ft", "agent", "imt", "oas")
)
_SLACK: Final = tuple(Form("slack_token", f"xox{kind}-", WORD, 20, 160) for kind in "abpresoc")
_AWS: Final = tuple(Form("aws_access_key", f"A{kind}A", _UPPER, 16, 16) for kind in ("KI", "SI", "BI", "CC"))
_STRIPE: Final = tuple(
    Form("stripe_key", f"{kind}_{mode}_", ALNUM, 16, 247) for kind in ("sk", "rk") for mode in ("live", "test", "org")
)
_SHOPIFY: Final = tuple(Form("shopify_token", f"shp{kind}_", _HEX, 32, 32) for kind in ("at", "ca", "pa", "ss"))
_VAULT: Final = tuple(Form("vault_token", f"hv{kind}.", WORD, 24, 300) for kind in "sbr")

FORMS: Final = (
    # Models: DeepSeek's keys and those that Seekway makes begin with sk- and nothing else.
    Form("anthropic_key", "sk-ant-", WORD, 20, 160, chance=True),
    Form("openai_key", "sk-proj-", WORD, 20, 220, chance=True),
    Form("openai_key", "sk-svcacct-", WORD, 20, 220, chance=True),
    Form("openai_key", "sk-admin-", WORD, 20, 220, chance=True),
    Form("openrouter_key", "sk-or-v1-", _HEX, 64, 64),
    Form("api_key", "sk-", WORD, 20, 160, chance=True),
    Form("groq_key", "gsk_", ALNUM, 40, 64, chance=True),
    Form("xai_key", "xai-", ALNUM, 60, 100, chance=True),
    Form("perplexity_key", "pplx-", ALNUM, 40, 64, chance=True),
    Form("replicate_token", "r8_", ALNUM, 37, 40, chance=True),
    Form("hugging_face_token", "hf_", ALNUM, 30, 60, chance=True),
    # Clouds.
    *_AWS,
    Form("google_api_key", "AIza", WORD, 35, 35),
    Form("google_oauth", "ya29.", _DOTTED, 20, 500),
    Form("google_client_secret", "GOCSPX-", WORD, 28, 28),
    Form("aliyun_access_key", "LTAI", ALNUM, 12, 26),
    Form("tencent_secret_id", "AKID", ALNUM, 28, 60),
    Form("volcengine_access_key", "AKLT", ALNUM, 36, 60),
    Form("baidu_key", "/ALTAK-", ALNUM + "/", 40, 80, after=True),
    Form("azure_storage_key", "AccountKey=", _BASE64, 60, 100, after=True),
    Form("digitalocean_token", "dop_v1_", _HEX, 64, 64),
    Form("databricks_token", "dapi", _HEX, 32, 34, chance=True),
    *_VAULT,
    # Code and packages.
    *_GITHUB,
    Form("github_token", "github_pat_", ALNUM + "_", 22, 255),
    *_GITLAB,
    Form("npm_token", "npm_", ALNUM, 36, 36, chance=True),
    Form("pypi_token", "pypi-", WORD, 60, 300, chance=True),
    Form("docker_token", "dckr_pat_", WORD, 24, 40),
    Form("rubygems_key", "rubygems_", _HEX, 48, 48),
    # Messages and money.
    *_SLACK,
    Form("slack_token", "xapp-", WORD, 20, 160, chance=True),
    Form("slack_webhook", "hooks.slack.com/services/", ALNUM + "/", 30, 90, after=True),
    Form("dingtalk_webhook", "dingtalk.com/robot/send?access_token=", _HEX, 40, 80, after=True),
    Form("wecom_webhook", "weixin.qq.com/cgi-bin/webhook/send?key=", _HEX + "-", 32, 40, after=True),
    Form("feishu_webhook", "feishu.cn/open-apis/bot/v2/hook/", _HEX + "-", 32, 40, after=True),
    Form("telegram_token", ":AA", WORD, 32, 34, chance=True, after=True),
    *_STRIPE,
    Form("stripe_webhook_secret", "whsec_", ALNUM + "+/=", 24, 90, chance=True),
    *_SHOPIFY,
    Form("sendgrid_key", "SG.", _DOTTED, 60, 80, chance=True),
    # Tools.
    Form("notion_token", "ntn_", ALNUM, 40, 60, chance=True),
    Form("linear_key", "lin_api_", ALNUM, 32, 60, chance=True),
    Form("postman_key", "PMAK-", _HEX + "-", 50, 64),
    Form("grafana_token", "glsa_", ALNUM + "_", 32, 60, chance=True),
    Form("json_web_token", "eyJ", _DOTTED, 30, 2045),
)
