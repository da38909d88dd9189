"""The pipeline as served: the stages in their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

import msgspec

from seekway.core.sections.resilience import ResilienceSettings
from seekway.core.settings import Settings
from seekway.core.types import GenerateRequest
from seekway.pipeline.directory import BackendDirectory, Member
from seekway.pipeline.dispatch.dispatcher import Dispatcher
from seekway.pipeline.dispatch.sweep import Loop
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.lasting_parts import LastingParts
from seekway.pipeline.names import ModelNames
from seekway.pipeline.pipeline import Pipeline
from seekway.pipeline.routing.endpoint import Endpoint
from seekway.pipeline.routing.latency import PeakEwma
from seekway.pipeline.routing.router import Router
from seekway.pipeline.routing.selection import Selection
from seekway.pipeline.shaping import Shaping
from seekway.pipeline.stages.allow_models import AllowModels
from seekway.pipeline.stages.apply_defaults import ApplyDefaults
from seekway.pipeline.stages.count_usage import CountUsage
from seekway.pipeline.stages.processing import processing_stages
from seekway.pipeline.stages.prune_reasoning import PruneReasoning
from seekway.pipeline.stages.resolve_alias import ResolveAlias
from seekway.pipeline.stages.restore_reasoning import reasoning_stages
from seekway.pipeline.stages.thinking_rules import ThinkingRules


def build_pipeline(settings: Settings, members: Sequence[Member], parts: LastingParts, loop: Loop) -> Pipeline:
    """``members`` come first to last where two serve the same model; ``loop`` is the event loop that it will run on.

    Raises ``ConfigError`` for settings that cannot be followed; ``parts`` then go on as they were.
    """
    processing = processing_stages(settings.processing)
    endpoints = {member.name: _endpoint(member, settings, parts) for member in members}
    routes = BackendDirectory(
        members, on_heard=lambda member, away: endpoints[member.name].heard_of(loop.time(), away=away)
    )
    names = ModelNames(routes, settings.aliases, settings.default_model)
    router = Router(routes, names, endpoints, settings.routing, settings.routes, Random())  # noqa: S311 - no secret hangs on it
    shaping = Shaping((ThinkingRules(), ApplyDefaults(), PruneReasoning()), parts.book)
    dispatcher = Dispatcher(loop, _selected, shaping, _policies(settings), Random(), parts.lanes)  # noqa: S311
    look_up_answer, keep_answer = parts.use_cache(settings, names)
    guardrails = parts.guardrails.use(settings)
    parts.quota.use(settings)
    restore_reasoning, note_reasoning = reasoning_stages(settings.reasoning, parts.reasoning)
    parts.take_over(routes, endpoints, dispatcher.lanes_by_name)
    return Pipeline(
        admission_stages=(AllowModels(), ResolveAlias(names, router), *parts.quota.request_stages),
        request_stages=(
            *guardrails.review_input,
            *processing.before,
            *look_up_answer,
            *guardrails.mark_prompt,
            *restore_reasoning,
        ),
        shaping=shaping,
        stream_stages=(
            *keep_answer,
            *processing.reasoning,
            *note_reasoning,
            *guardrails.review_output,
            *parts.quota.stream_stages,
            *processing.after,
            CountUsage(),
        ),
        dispatcher=dispatcher,
        routes=routes,
        names=names,
        book=parts.book,
        review=next(iter(guardrails.review_input), None),
    )


def _endpoint(member: Member, settings: Settings, parts: LastingParts) -> Endpoint:
    endpoint = Endpoint(
        member,
        PeakEwma(),
        settings.resilience,
        region=member.region,
        tags=member.tags,
        tier=member.tier,
        cost=member.cost,
        weight=member.weight,
    )
    known = parts.endpoints.get(member.name)
    if known is not None and known.member.backend is member.backend:
        endpoint.learn_from(known)
    return endpoint


def _selected(request: GenerateRequest, exchange: Exchange) -> Selection[Endpoint]:
    return exchange.selected


def _policies(settings: Settings) -> Callable[[str], ResilienceSettings]:
    """The resilience of a pool, whose name ends in the rule's that made it."""
    rules = {rule.name: rule for rule in settings.routes}

    def policy_of(pool: str) -> ResilienceSettings:
        policy, rule = settings.resilience, rules.get(pool.rpartition(" by ")[2])
        if rule is None:
            return policy
        hedge = policy.hedge if rule.hedge is None else rule.hedge
        return msgspec.structs.replace(
            policy, hedge=hedge, continue_streams=rule.continue_streams or policy.continue_streams
        )

    return policy_of
