from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seekway.applications.definition import (
    AgentUse,
    AnnotationUse,
    Definition,
    FileUse,
    FormField,
    KnowledgeUse,
    Memory,
    Mode,
    ModelChoice,
    Moderation,
    Prompt,
    PromptMessage,
    Thoughts,
    ToolUse,
)
from seekway.applications.dify_yaml.reading import read_app
from seekway.applications.dify_yaml.report import Here
from seekway.applications.dify_yaml.writing import write_app
from seekway.applications.records import AppRecord
from seekway.knowledge.index.conditions import Condition, Conditions
from tests.unit.applications.dify_yaml.files import AGENT, COMPLETION, OLD_CHAT

HERE = Here(datasets={"u1": "handbook"}, tools=("orders", "shop"), reranks=True)
# What YAML can hold and files do not trim: no lone surrogates, no control characters, no blank ends.
_LINES = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn", "Co")), min_size=1, max_size=20)
_TEXTS = _LINES.map(str.strip).filter(bool)
_FIELDS = st.builds(
    FormField,
    _TEXTS,
    st.sampled_from(["text-input", "paragraph", "select", "number", "checkbox", "file-list"]),
    _TEXTS,
    st.booleans(),
    st.none() | st.integers(-9, 9) | st.booleans() | _TEXTS,
    st.none() | st.integers(1, 999),
    st.lists(_TEXTS, max_size=2).map(tuple),
    st.dictionaries(st.sampled_from(["hide", "allowed_file_types"]), st.booleans(), max_size=2),
)
_USES = st.builds(
    KnowledgeUse,
    st.sampled_from([(), ("u1",)]),
    st.sampled_from([None, "hybrid", "keyword"]),
    st.integers(1, 20),
    st.none() | st.sampled_from([0.1, 0.5, 1.0]),
    st.just(False),
    st.none() | st.sampled_from([0.0, 0.3, 1.0]),
    st.sampled_from(
        [Conditions(), Conditions((Condition("year", "≥", 2020), Condition("tag", "in", ["a", "乙"])), "or")]
    ),
    st.sampled_from(["", "topic"]),
)


@given(
    definition=st.builds(
        Definition,
        st.sampled_from(["chat", "completion", "agent-chat"]),
        st.builds(ModelChoice, _TEXTS, st.dictionaries(_TEXTS, st.integers() | _TEXTS, max_size=2), st.just("a/b/c")),
        st.builds(Prompt, _LINES) | st.just(Prompt(messages=(PromptMessage("system", "Be: {{a}}\n\n- x"),))),
        st.lists(_FIELDS, max_size=3).map(tuple),
        _USES,
        st.just(AgentUse()),
        st.builds(Memory, st.integers(0, 9999), st.integers(0, 9), st.booleans()),
        _LINES,
        st.lists(_TEXTS, max_size=3).map(tuple),
        st.booleans(),
        st.booleans(),
        st.none()
        | st.builds(Moderation, st.lists(_TEXTS, min_size=1, max_size=3, unique=True).map(tuple), st.none() | _TEXTS),
        st.builds(AnnotationUse, st.booleans(), st.sampled_from([0.0, 0.85, 1.0])),
        st.builds(FileUse, st.booleans(), st.just(("document", "image")), st.integers(1, 9)),
        st.sampled_from(["separate", "tags", "drop"]),
        st.dictionaries(st.sampled_from(["text_to_speech", "unknown"]), st.lists(_TEXTS, max_size=2), max_size=2),
    ),
    name=_TEXTS,
)
@settings(deadline=None)
def test_what_was_written_is_read_as_it_was(definition: Definition, name: str) -> None:
    app = AppRecord("", "", "slug", name, definition, "About.", "🤖", "emoji", "#fff")
    read = read_app("x.yml", write_app(app).encode(), HERE, slug="slug")
    assert read.app == app
    assert read.changes == ()


@pytest.mark.parametrize("mode", ["chat", "agent-chat"])
@pytest.mark.parametrize("thoughts", ["separate", "tags", "drop"])
def test_an_agent_is_read_as_it_was(mode: Mode, thoughts: Thoughts) -> None:
    tools = (
        ToolUse("builtin", "time", "current_time", "Time", {"timezone": "UTC"}),
        ToolUse("openapi", "orders", "find", "Find", {"limit": 3}),
        ToolUse("mcp", "shop", "", "", {}, False),
        ToolUse("knowledge", "u1", "handbook", "Handbook"),
    )
    agent = AgentUse("react", tools, 7, 30.5, 900) if mode == "agent-chat" else AgentUse()
    definition = Definition(mode, ModelChoice("m", {}, "p"), agent=agent, thoughts=thoughts)
    app = AppRecord("", "", "s", "S", definition)
    assert read_app("x.yml", write_app(app).encode(), HERE, slug="s").app == app


@pytest.mark.parametrize("data", [OLD_CHAT, AGENT, COMPLETION])
def test_an_imported_file_is_exported_and_comes_back_the_same(data: bytes) -> None:
    first = read_app("a.yml", data, HERE).app
    again = read_app("b.yml", write_app(first).encode(), HERE).app
    keep = msgspec.structs.replace(first.definition, model=again.definition.model)
    assert msgspec.structs.replace(again, definition=again.definition) == msgspec.structs.replace(
        first, definition=keep
    )


def test_knowledge_bases_that_were_not_mapped_are_in_the_export() -> None:
    app = read_app("a.yml", OLD_CHAT, HERE).app
    assert "7f5c1d0e-encrypted" in write_app(app)
