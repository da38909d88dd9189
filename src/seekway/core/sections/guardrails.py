"""Review of what goes to models and of what they answer: policies, their parts, and word lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal, get_args

import msgspec
from msgspec import Meta

from seekway.core.errors import ConfigError

Action = Literal["pass", "flag", "mask", "sanitise", "replace", "block"]
"""From the mildest to the most severe."""

PartName = Literal["input", "documents", "output", "reasoning"]
DetectorName = Literal["words", "pii", "secrets", "patterns", "text", "leakage", "classifier"]
OnFailure = Literal["open", "closed"]
DETECTORS: Final = frozenset(get_args(DetectorName))

BLOCKED_EN: Final = "I can't help with that. Please ask about something else."
BLOCKED_ZH: Final = "抱歉，我无法回答这个问题，请换一个话题。"
_LEVELS: Final = ("low", "medium", "high")

_ACTIONS = Meta(
    description="What is done about findings: `block`, `replace`, `sanitise`, `mask`, `flag` or `pass`, under a category, a detector or `*`, "
    'each alone or with a severity behind a stroke (`"violence/high"`). The most exact one holds: category before detector before `*`, with a severity before without; '
    "what nothing is said about is flagged. The table takes the place of the default one."
)
_DETECTORS = Meta(
    description="Detectors that look through it; none: it is not reviewed. `text` (length, encoding, language) is for `input` and `documents`, `leakage` (the system prompt in the answer) for `output` and `reasoning`; `classifier` (prompt injection and jailbreaks) is for `input` and `documents`, and works in a thread."
)
_ON_FAILURE = Meta(
    description="When a detector fails or finds no time: `closed` refuses with `review_unavailable`, `open` lets the text go on without it. Either is counted and logged."
)


Actions = dict[str, Action]


def _flag_all() -> Actions:
    return {"*": "flag"}


def _input_actions() -> Actions:
    return {"*": "flag", "words/high": "block"}


def _document_actions() -> Actions:
    return {"*": "flag", "control_token": "sanitise", "smuggling": "sanitise"}


def _output_actions() -> Actions:
    return {"*": "flag", "words/high": "block", "words/medium": "mask"}


def _messages() -> dict[Literal["en", "zh"], str]:
    return {"en": BLOCKED_EN, "zh": BLOCKED_ZH}


class PartSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one kind of text goes through; the kinds differ in their defaults."""

    detectors: Annotated[tuple[DetectorName, ...], _DETECTORS] = ()
    actions: Annotated[Actions, _ACTIONS] = msgspec.field(default_factory=_flag_all)
    on_failure: Annotated[OnFailure, _ON_FAILURE] = "open"


class InputSettings(PartSettings, frozen=True, forbid_unknown_fields=True):
    """What users write."""

    detectors: Annotated[tuple[DetectorName, ...], _DETECTORS] = ("words", "pii", "secrets", "patterns", "text")
    actions: Annotated[Actions, _ACTIONS] = msgspec.field(default_factory=_input_actions)


class DocumentSettings(PartSettings, frozen=True, forbid_unknown_fields=True):
    """Results of tools and retrieved text."""

    detectors: Annotated[tuple[DetectorName, ...], _DETECTORS] = ("secrets", "patterns", "text", "classifier")
    actions: Annotated[Actions, _ACTIONS] = msgspec.field(default_factory=_document_actions)


class OutputSettings(PartSettings, frozen=True, forbid_unknown_fields=True):
    """The model's answer and the arguments of its tool calls."""

    detectors: Annotated[tuple[DetectorName, ...], _DETECTORS] = ("words", "pii", "secrets", "leakage")
    actions: Annotated[Actions, _ACTIONS] = msgspec.field(default_factory=_output_actions)
    on_failure: Annotated[OnFailure, _ON_FAILURE] = "closed"


class ThoughtSettings(PartSettings, frozen=True, forbid_unknown_fields=True):
    """What the model thinks aloud."""

    detectors: Annotated[tuple[DetectorName, ...], _DETECTORS] = ("words", "pii", "secrets", "leakage")
    actions: Annotated[Actions, _ACTIONS] = msgspec.field(default_factory=_output_actions)
    on_failure: Annotated[OnFailure, _ON_FAILURE] = "closed"


class TextRuleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the detector ``text`` finds, under the categories ``length``, ``encoding`` and ``language``."""

    max_characters: Annotated[int, Meta(ge=0, description="Longest text; 0: any.")] = 0
    max_bytes: Annotated[int, Meta(ge=0, description="Longest text in UTF-8; 0: any.")] = 0
    max_control: Annotated[float, Meta(ge=0, le=1, description="Largest share of control characters; 0: any.")] = 0.05
    max_invisible: Annotated[float, Meta(ge=0, le=1, description="Largest share of invisible characters; 0: any.")] = (
        0.2
    )
    max_marks: Annotated[int, Meta(ge=0, description="Most combining marks after each other; 0: any.")] = 4
    allowed_languages: Annotated[
        tuple[str, ...],
        Meta(description="Languages (`en`, `zh`, `zh-Hant` …); a text in another is found. Empty: any."),
    ] = ()
    denied_languages: Annotated[tuple[str, ...], Meta(description="Languages that are found.")] = ()


class PatternSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A pattern of the operator's own, for the detector ``patterns``."""

    name: Annotated[str, Meta(min_length=1, description="Name, which reports give as the rule.")]
    pattern: Annotated[
        str,
        Meta(
            min_length=1,
            description="In RE2's syntax, without `^` and `$`; letter case counts unless it begins with `(?i)`.",
        ),
    ]
    category: Annotated[str, Meta(pattern=r"^[a-z0-9_-]+$", description="Category of what it finds.")] = "custom"
    severity: Annotated[Literal["low", "medium", "high"], Meta(description="Severity of what it finds.")] = "medium"
    longest: Annotated[
        int,
        Meta(
            ge=0,
            le=1000,
            description="Bound of repetitions that have none of their own (`.*`), which streams need; 0: there must be none such.",
        ),
    ] = 0
    allow: Annotated[tuple[str, ...], Meta(description="Found texts that are none, in any letter case.")] = ()


class FormatSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a whole answer must be like; what it lacks is found under the category ``format`` when it has ended."""

    json: Annotated[bool, Meta(description="It must be JSON.")] = False
    min_characters: Annotated[int, Meta(ge=0, description="Least characters.")] = 0
    max_characters: Annotated[int, Meta(ge=0, description="Most characters; 0: any.")] = 0
    citations: Annotated[int, Meta(ge=0, description="Least citations such as `[1]`.")] = 0
    must_contain: Annotated[tuple[str, ...], Meta(description="Patterns (RE2) that must each be found in it.")] = ()


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
    reversible: Annotated[
        bool,
        Meta(
            description="Where `pii` is masked in requests, the model reads placeholders such as `<PHONE_1>`, and the user the real values in the answer."
        ),
    ] = False
    classifier_threshold: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="Score from which on `classifier` finds something; 0: the model's own, which at most 0.6% of everyday texts and 15% of texts that look like attacks reached in its tests.",
        ),
    ] = 0.0
    text: Annotated[TextRuleSettings, Meta(description="What the detector `text` looks for.")] = TextRuleSettings()
    bundled_patterns: Annotated[
        bool, Meta(description="Look for the known attack patterns that come with Seekway, beside `patterns`.")
    ] = True
    patterns: Annotated[tuple[PatternSettings, ...], Meta(description="Patterns of your own.")] = ()
    format: Annotated[FormatSettings | None, Meta(description="What a whole answer must be like.")] = None
    canary: Annotated[
        bool,
        Meta(
            description="Put a secret word into the system prompt, by which `leakage` knows that an answer gives it away."
        ),
    ] = False
    leaked_words: Annotated[
        int,
        Meta(
            ge=0,
            description="Words of the system prompt in a row, as an answer has them, that `leakage` finds; 0: none.",
        ),
    ] = 12
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
    answers = name in ("output", "reasoning")
    wrong: tuple[DetectorName, ...] = ("text", "classifier") if answers else ("leakage",)
    for detector in wrong:
        if detector in part.detectors:
            raise _refused(at, f"{name}.detectors", f"{detector} cannot look through this part; leave it out.")
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
