"""Which knowledge bases an application searches, and how."""

from __future__ import annotations

from typing import Final, cast, get_args

from seekway.applications.definition import KnowledgeUse
from seekway.applications.dify_yaml.notes import Notes
from seekway.applications.dify_yaml.report import Here
from seekway.applications.dify_yaml.wire import WireConditions, WireModelConfig
from seekway.core.errors import InvalidParameter
from seekway.knowledge.index.conditions import OPERATORS, Condition, Conditions, Operator
from seekway.knowledge.retrieval.retriever import MOST_PASSAGES, Method

_METHODS: Final = frozenset(get_args(Method))
_PATH: Final = ("model_config", "dataset_configs")


def knowledge_of(config: WireModelConfig, notes: Notes, here: Here) -> tuple[KnowledgeUse, list[str]]:
    """And the ids that mean nothing here."""
    part = config.dataset_configs
    found: list[str] = []
    unmapped: list[str] = []
    for at, name in _names(config):
        path = ("model_config", *at)
        known = here.dataset(name)
        if known is None:
            unmapped.append(name)
            notes.add(
                path,
                f"The knowledge base {name!r} is another installation's and is not searched; name one of yours with --dataset {name}=NAME.",
            )
        elif known not in found:
            found.append(known)
    weighted = part.reranking_enable and part.reranking_mode == "weighted_score"
    rerank = part.reranking_enable and not weighted and bool(found or unmapped)
    if rerank and not here.reranks:
        notes.add((*_PATH, "reranking_enable"), "There is no reranker here; passages stay in the order of the search.")
        rerank = False
    if part.metadata_filtering_mode == "automatic":
        notes.add(
            (*_PATH, "metadata_filtering_mode"), "Conditions are not made by a model here; every document is searched."
        )
    if not 1 <= part.top_k <= MOST_PASSAGES:
        raise notes.source.wrong((*_PATH, "top_k"), f"top_k is {part.top_k}; it goes from 1 to {MOST_PASSAGES}.")
    method = config.seekway.method
    if method and method not in _METHODS:
        raise notes.source.wrong(
            ("model_config", "seekway", "method"), f"there is no method {method!r}; it is one of {sorted(_METHODS)}."
        )
    weight = part.weights.vector_setting.vector_weight if weighted and part.weights is not None else None
    use = KnowledgeUse(
        tuple(found),
        cast("Method", method) if method else None,
        part.top_k,
        min(1.0, max(0.0, part.score_threshold)) if part.score_threshold_enabled else None,
        rerank,
        None if weight is None else min(1.0, max(0.0, weight)),
        _conditions(part.metadata_filtering_conditions, notes)
        if part.metadata_filtering_mode == "manual"
        else Conditions(),
        config.dataset_query_variable,
    )
    return use, unmapped


def _names(config: WireModelConfig) -> list[tuple[tuple[str | int, ...], str]]:
    """Where each stands, and its id; the oldest files name them among an agent's tools."""
    entries = enumerate(config.dataset_configs.datasets.datasets)
    names: list[tuple[tuple[str | int, ...], str]] = [
        (("dataset_configs", "datasets", "datasets", at, "dataset", "id"), entry.dataset.id)
        for at, entry in entries
        if entry.dataset.enabled and entry.dataset.id
    ]
    for at, tool in enumerate(config.agent_mode.tools):
        old = tool.get("dataset")
        if isinstance(old, dict):
            members = cast("dict[str, object]", old)
            if members.get("enabled", True) and isinstance(name := members.get("id"), str):
                names.append((("agent_mode", "tools", at, "dataset", "id"), name))
    return names


def _conditions(part: WireConditions | None, notes: Notes) -> Conditions:
    if part is None:
        return Conditions()
    found: list[Condition] = []
    for at, one in enumerate(part.conditions):
        path = (*_PATH, "metadata_filtering_conditions", "conditions", at)
        if one.comparison_operator not in OPERATORS:
            raise notes.source.wrong(
                (*path, "comparison_operator"), f"there is no operator {one.comparison_operator!r}."
            )
        try:
            found.append(Condition(one.name, cast("Operator", one.comparison_operator), one.value))
        except InvalidParameter as error:
            raise notes.source.wrong(path, error.message) from error
    return Conditions(tuple(found), "or" if part.logical_operator == "or" else "and")
