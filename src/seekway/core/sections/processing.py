"""What is done to requests before the model and to answers after it, beside the guardrails."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[\w.-]+$")]
ChangeKind = Literal["strip_markdown", "trim", "replace", "prepend", "append", "max_length"]


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whose requests; all conditions given must hold, and of each one's values one."""

    tenants: Annotated[tuple[str, ...], Meta(description="Tenants of the caller's key; empty: all.")] = ()
    apps: Annotated[
        tuple[str, ...], Meta(description="Apps, by the request's header `x-seekway-app`; empty: all, and none.")
    ] = ()
    tags: Annotated[tuple[str, ...], Meta(description="Tags of the caller's key; empty: all.")] = ()
    models: Annotated[
        tuple[str, ...], Meta(description="Models, by the name asked for or the one it means; empty: all.")
    ] = ()


class TrimRule(Match, frozen=True, forbid_unknown_fields=True, kw_only=True):
    context_tokens: Annotated[
        int,
        Meta(ge=0, description="Tokens of prompt and answer together; 0: the model's own context, where it is known."),
    ] = 0
    answer_tokens: Annotated[
        int,
        Meta(
            ge=1,
            description="Tokens kept free for the answer where the request has no `max_tokens`; at most half of the context.",
        ),
    ] = 1024


class TemplateRule(Match, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: Annotated[Name, Meta(description="Name in errors.")]
    system: Annotated[str | None, Meta(description="Jinja template of the system message; unset: left as it is.")] = (
        None
    )
    system_place: Annotated[
        Literal["before", "after", "instead", "if_none"],
        Meta(
            description="Where `system` goes: before or after the client's own system message, instead of it, or only where it has none."
        ),
    ] = "before"
    user: Annotated[
        str | None, Meta(description="Jinja template of the last user message, whose own words are `{{ text }}`.")
    ] = None
    variables: Annotated[
        dict[str, str],
        Meta(
            description="Variables and their values where the client gives none; it may give those named here, in the body's `template_variables`."
        ),
    ] = {}


class ThinkingRule(Match, frozen=True, forbid_unknown_fields=True, kw_only=True):
    opened: Annotated[
        bool,
        Meta(description="The prompt's template has opened `<think>` already: an answer begins within it."),
    ] = False
    keep: Annotated[bool, Meta(description="Hand it on as reasoning; false: drop it.")] = True


class JsonRule(Match, frozen=True, forbid_unknown_fields=True, kw_only=True):
    tool_arguments: Annotated[bool, Meta(description="Mend the arguments of tool calls as well.")] = True


class CitationRule(Match, frozen=True, forbid_unknown_fields=True, kw_only=True):
    style: Annotated[
        str,
        Meta(
            max_length=64,
            pattern=r"\{n\}",
            description="What a citation becomes; `{n}` is its number.",
        ),
    ] = "[{n}]"


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One step of a post-processing rule; which fields it reads, its kind says."""

    kind: Annotated[
        ChangeKind,
        Meta(
            description="`strip_markdown`; `trim` white space at both ends; `replace` what `pattern` finds by `text`; `prepend` or `append` `text`; `max_length` cuts after `characters`."
        ),
    ]
    pattern: Annotated[str, Meta(max_length=2000, description="`replace`: a pattern in RE2's syntax.")] = ""
    longest: Annotated[
        int,
        Meta(
            ge=1,
            le=1000,
            description="`replace`: most repetitions of whatever `pattern` repeats without a bound of its own.",
        ),
    ] = 256
    text: Annotated[
        str, Meta(description="`replace`, `prepend`, `append`: the text; `max_length`: what follows a cut.")
    ] = ""
    characters: Annotated[int, Meta(ge=0, description="`max_length`: most characters of the answer.")] = 0


class PostProcessRule(Match, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: Annotated[Name, Meta(description="Name in errors.")]
    steps: Annotated[tuple[Change, ...], Meta(min_length=1, description="What is done, in this order.")]


class ProcessingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of each list the first rule that matches a request is taken."""

    detect_language: Annotated[
        bool,
        Meta(
            description="Tell the language of each request's last user message, in the log and in the header `x-seekway-language`."
        ),
    ] = False
    templates: Annotated[tuple[TemplateRule, ...], Meta(description="Prompts put around what clients send.")] = ()
    trim: Annotated[
        tuple[TrimRule, ...],
        Meta(description="Whose conversations lose their oldest turns when they are longer than the context."),
    ] = ()
    thinking: Annotated[
        tuple[ThinkingRule, ...],
        Meta(description="Models whose servers leave `<think>…</think>` in the answer's text."),
    ] = ()
    json: Annotated[
        tuple[JsonRule, ...], Meta(description="Whose answers in JSON are mended where they are no valid JSON.")
    ] = ()
    citations: Annotated[
        tuple[CitationRule, ...], Meta(description="Whose citations, `【1†source】` and the like, get one form.")
    ] = ()
    post_process: Annotated[tuple[PostProcessRule, ...], Meta(description="Changes to the answer's text.")] = ()
