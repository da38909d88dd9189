"""Review of what goes to models and of what they answer: policies, their parts, and word lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from seekway.core.errors import ConfigError

Action = Literal["pass", "flag", "mask", "sanitise", "replace", "block"]
"""From the mildest to the most severe."""

PartName = Literal["input", "documents", "output", "reasoning"]
DetectorName = Literal["words"]
OnFailure = Literal["open", "closed"]

BLOCKED_EN: Final = "I can't help with that. Please ask about something else."
BLOCKED_ZH: Final = "抱歉，我无法回答这个问题，请换一个话题。"
_LEVELS: Final = ("low", "medium", "high")
_ENDING: Final = ("replace", "block")

_ACTIONS = Meta(
    description="What is done about findings: `block`, `replace`, `sanitise`, `mask`, `flag` or `pass`, under a category, a detector or `*`, "
    'each alone or with a severity behind a stroke (`"violence/high"`). The most exact one holds: category before detector before `*`, with a severity before without; '
    "what nothing is said about is flagged. The table takes the place of the default one."
)
_DETECTORS = Meta(description="Detectors that look through it; none: it is not reviewed.")
_ON_FAILURE = Meta(
    description="When a detector fails or finds no time: `closed` refuses with `review_unavailable`, `open` lets the text go on without it. Either is counted and logged."
)


def _flag_all() -> dict[str, Action]:
    return {"*": "flag"}


def _messages() -> dict[Literal["en", "zh"], str]:
    return {"en": BLOCKED_EN, "zh": BLOCKED_ZH}


class PartSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one kind of text goes through; the kinds differ in their defaults."""

    detectors: Annotated[tuple[DetectorName, ...], _DETECTORS] = ()
    actions: Annotated[dict[str, Action], _ACTIONS] = msgspec.field(default_factory=_flag_all)
    on_failure: Annotated[OnFailure, _ON_FAILURE] = "open"


class InputSettings(PartSettings, frozen=True, forbid_unknown_fields=True):
    """What users write."""


class DocumentSettings(PartSettings, frozen=True, forbid_unknown_fields=True):
    """Results of tools and retrieved text."""


class OutputSettings(PartSettings, frozen=True, forbid_unknown_fields=True):
    """The model's answer and the arguments of its tool calls."""

    on_failure: Annotated[OnFailure, _ON_FAILURE] = "closed"


class ThoughtSettings(PartSettings, frozen=True, forbid_unknown_fields=True):
    """What the model thinks aloud."""

    on_failure: Annotated[OnFailure, _ON_FAILURE] = "closed"


class PolicySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One policy. All conditions given must hold, and of each condition's values one; the first policy that fits is taken."""

    name: Annotated[str, Meta(min_length=1, pattern=r"^[\w.-]+$", description="Name in logs and metrics.")]
    version: Annotated[
        str, Meta(min_length=1, pattern=r"^[\w.-]+$", description="Version, told in logs; yours to count.")
    ] = "1"
    tenants: Annotated[tuple[str, ...], Meta(description="Tenants of the caller's key; empty: all.")] = ()
    tags: Annotated[tuple[str, ...], Meta(description="Tags of the caller's key; empty: all.")] = ()
    apps: Annotated[
        tuple[str, ...],
        Meta(
            description="Apps, by the request's header `x-seekway-app`, which is the client's word: where that must not choose, use `tags`. Empty: all."
        ),
    ] = ()
    routes: Annotated[tuple[str, ...], Meta(description="Names of the `[[routes]]` taken; empty: all.")] = ()
    models: Annotated[
        tuple[str, ...], Meta(description="Models, by the name asked for or the one it means; empty: all.")
    ] = ()
    input: Annotated[InputSettings, Meta(description="What users write.")] = InputSettings()
    documents: Annotated[DocumentSettings, Meta(description="Results of tools, and retrieved text.")] = (
        DocumentSettings()
    )
    output: Annotated[OutputSettings, Meta(description="The model's answer, and the arguments of its tool calls.")] = (
        OutputSettings()
    )
    reasoning: Annotated[ThoughtSettings, Meta(description="What the model thinks aloud.")] = ThoughtSettings()
    messages: Annotated[
        dict[Literal["en", "zh"], str],
        Meta(
            description="What the user is told in place of a text that is kept from them, in the language they wrote."
        ),
    ] = msgspec.field(default_factory=_messages)
    mask: Annotated[
        str, Meta(description="What stands in the place of a masked passage; `{category}` in it is the passage's.")
    ] = "***"
    sanitised: Annotated[str, Meta(description="What stands in the place of a passage that `sanitise` takes out.")] = (
        "[removed: {category}]"
    )
    bundled_words: Annotated[bool, Meta(description="Use the word lists that come with Seekway.")] = True
    lists: Annotated[
        tuple[str, ...],
        Meta(
            description="More word lists, by file; they are read again when they change. docs/guardrails.md has their form."
        ),
    ] = ()


class TenantListSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    file: Annotated[str, Meta(min_length=1, description="A word list, as in `lists` of a policy.")]
    tenants: Annotated[
        tuple[str, ...], Meta(description="Tenants for whose requests it counts, under whichever policy; empty: all.")
    ] = ()


class GuardrailSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    enabled: Annotated[bool, Meta(description="Review requests and answers.")] = True
    policies: Annotated[
        tuple[PolicySettings, ...],
        Meta(description="Policies; the first that fits a request is taken, and the default one where none does."),
    ] = ()
    lists: Annotated[tuple[TenantListSettings, ...], Meta(description="Word lists of tenants.")] = ()
    threads: Annotated[
        int, Meta(ge=1, le=64, description="Threads for what takes long: large texts and the classifier.")
    ] = 2
    large_text: Annotated[
        int,
        Meta(ge=256, description="Characters from which a text is reviewed in a thread, so that others need not wait."),
    ] = 8192
    patience_s: Annotated[
        float,
        Meta(gt=0, description="How long a request waits for its review at most, in seconds; then `on_failure` holds."),
    ] = 2.0
    remembered_verdicts: Annotated[
        int,
        Meta(ge=0, description="Texts whose verdict is remembered, so that a conversation's history is reviewed once."),
    ] = 20_000
    remembered_bytes: Annotated[int, Meta(ge=0, description="Memory of these verdicts at most, about.")] = (
        16 * 1024 * 1024
    )


DEFAULT_POLICY: Final = PolicySettings(name="default")


def check_policies(policies: Sequence[PolicySettings], routes: Sequence[str]) -> None:
    """Raises ``ConfigError`` with the place for a policy that stands twice, can never be reached, or says what cannot be done.

    ``routes`` are the names of the rules there are.
    """
    seen: set[str] = set()
    for at, policy in enumerate(policies):
        if policy.name in seen:
            raise _refused(at, "name", f"{policy.name} stands twice; give each policy a name of its own.")
        if seen and "" in seen:
            raise _refused(at, "name", f"{policy.name} is never reached: the policy before it has no condition.")
        seen.add(policy.name)
        if not (policy.tenants or policy.tags or policy.apps or policy.routes or policy.models):
            seen.add("")
        for route in policy.routes:
            if route not in routes:
                raise _refused(at, "routes", f"there is no route {route!r}; there is: {', '.join(routes) or 'none'}.")
        if not any(policy.messages.values()):
            raise _refused(at, "messages", "is empty; say something in en or zh.")
        parts: tuple[tuple[PartName, PartSettings], ...] = (
            ("input", policy.input),
            ("documents", policy.documents),
            ("output", policy.output),
            ("reasoning", policy.reasoning),
        )
        for name, part in parts:
            _check_part(at, name, part)


def _check_part(at: int, name: PartName, part: PartSettings) -> None:
    for key in part.actions:
        what, stroke, severity = key.partition("/")
        if not what or (stroke and severity not in _LEVELS):
            raise _refused(
                at,
                f"{name}.actions.{key}",
                f"{key!r} is no category, detector or *, with /low, /medium or /high behind it or nothing.",
            )


def _refused(at: int, field: str, why: str) -> ConfigError:
    """With the place as msgspec writes it, by which its line is found."""
    place = f"guardrails.policies[{at}].{field}"
    return ConfigError(f"{place}: {why} - at `$.{place}`", param=place)
