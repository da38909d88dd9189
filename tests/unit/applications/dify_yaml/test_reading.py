from __future__ import annotations

import pytest

from seekway.applications.definition import (
    AgentUse,
    FileUse,
    FormField,
    KnowledgeUse,
    ModelChoice,
    Moderation,
    Prompt,
    ToolUse,
)
from seekway.applications.dify_yaml.reading import read_app, slug_of
from seekway.applications.dify_yaml.report import Here
from seekway.core.errors import InvalidRequest
from tests.unit.applications.dify_yaml.files import AGENT, COMPLETION, OLD_CHAT

HERE = Here(models=("deepseek-chat", "writer"), datasets={"u1": "handbook", "u2": "other"}, tools=("orders",))


def test_a_chatbot_of_the_first_version_is_read_whole() -> None:
    read = read_app("bot.yml", OLD_CHAT, HERE, tenant="t")
    app, definition = read.app, read.app.definition
    assert (app.tenant, app.name, app.slug, app.icon) == ("t", "客服助手", "app-5ba2-670d-52a9-624b", "🤖")
    assert definition.mode == "chat"
    assert definition.model == ModelChoice("", {"max_tokens": 512, "temperature": 0.7}, "openai")
    assert definition.prompt == Prompt("You serve {{name}}.")
    assert definition.form == (
        FormField("name", "text-input", "Your name", True, None, 48),
        FormField("level", "select", "Level", False, "gold", None, ("gold", "2")),
    )
    assert definition.knowledge == KnowledgeUse((), None, 6, 0.0, False, 0.6)
    assert definition.files == FileUse(True, ("image",), 2, ("remote_url",), (), "low")
    assert (definition.opening_statement, definition.suggested_questions) == (
        "Hello {{name}}!",
        ("How do I return something?",),
    )
    assert (definition.follow_ups, definition.citations, definition.moderation) == (True, True, None)


def test_what_is_not_here_is_told_with_its_line() -> None:
    changes = {change.path: change for change in read_app("bot.yml", OLD_CHAT, HERE).changes}
    assert set(changes) == {
        "model_config.dataset_configs.datasets.datasets.0.dataset.id",
        "model_config.model.name",
        "model_config.speech_to_text",
        "model_config.user_input_form.2",
    }
    lines = OLD_CHAT.decode().splitlines()
    for path, name in (("model_config.model.name", "name: gpt-4o"), ("model_config.user_input_form.2", "external")):
        assert name in lines[changes[path].line - 1]
    assert "--model gpt-4o=" in changes["model_config.model.name"].what


def test_names_are_mapped_to_what_they_are_called_here() -> None:
    here = Here(
        ("deepseek-chat",),
        HERE.datasets,
        model_names={"gpt-4o": "deepseek-chat"},
        dataset_names={"7f5c1d0e-encrypted": "handbook"},
    )
    definition = read_app("bot.yml", OLD_CHAT, here).app.definition
    assert definition.model.name == "deepseek-chat"
    assert definition.knowledge.datasets == ("u1",)
    assert "unmapped_datasets" not in definition.rest


def test_an_agent_keeps_its_tools_and_those_that_are_not_here_are_off() -> None:
    here = Here(HERE.models, HERE.datasets, HERE.tools, dataset_names={"handbook-id": "u2"})
    read = read_app("agent.yml", AGENT, here)
    assert read.app.definition.agent == AgentUse(
        "function_call",
        (
            ToolUse("builtin", "time", "current_time", "Time", {"timezone": "Asia/Shanghai"}),
            ToolUse("openapi", "orders", "findOrder", "Find"),
            ToolUse("builtin", "google", "google_search", "google_search", {}, False),
            ToolUse("builtin", "google", "google_search", "google_search", {}, False),
        ),
        100,
    )
    assert read.app.definition.knowledge.datasets == ("u2",)
    assert read.app.definition.moderation == Moderation(("secret", "rumour"), "No.", None)
    assert [change.path for change in read.changes] == [
        "model_config.agent_mode.strategy",
        "model_config.agent_mode.tools.2",
    ]


def test_a_completion_app_has_its_advanced_prompt_and_the_variable_that_it_searches_with() -> None:
    definition = read_app("w.yml", COMPLETION, HERE, slug="writer").app.definition
    assert definition.prompt == Prompt("Write about {{topic}}: {{#context#}}")
    assert definition.knowledge.query_variable == "topic"


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        (b"version: 0.1.5", b"version: 0.6", "version", "write it as text"),
        (b"version: 0.1.5", b"version: newest", "version", "write it as text"),
        (b"version: 0.1.5", b"version: 1.0.0", "version", "--newer"),
        (b"kind: app", b"kind: plugin", "kind:", "no application"),
        (b"mode: chat\n  name", b"mode: workflow\n  name", "mode: workflow", "cannot be run yet"),
        (b"mode: chat\n  name", b"mode: dance\n  name", "mode: dance", "no mode 'dance'"),
        (b"top_k: 6", b"top_k: many", "top_k", "str stands where int"),
        (b"top_k: 6", b"top_k: 0", "top_k", "from 1 to"),
        (b"max_iteration: 5", b"max_iteration: [5]", "max_iteration", "array stands where int"),
        (b"variable: name\n", b"label2: name\n", "text-input", "needs a name"),
        (b"  prompt_type: simple", b"   prompt_type: simple", "prompt_type", "not valid YAML"),
        (b"Your name", b"\xff", "label:", "not UTF-8"),
    ],
)
def test_a_mistake_is_refused_with_its_line(old: bytes, new: bytes, line: str, says: str) -> None:
    broken = OLD_CHAT.replace(old, new, 1)
    assert broken != OLD_CHAT
    with pytest.raises(InvalidRequest) as refused:
        read_app("bot.yml", broken, HERE)
    message = refused.value.message
    assert says in message
    number = int(message.partition("line ")[2].partition(":")[0])
    assert line in broken.decode(errors="replace").splitlines()[number - 1]


def test_a_newer_file_is_taken_where_that_is_wished() -> None:
    read = read_app("bot.yml", OLD_CHAT.replace(b"0.1.5", b"0.9.1"), HERE, newer=True)
    assert "newer" in next(change.what for change in read.changes if change.path == "version")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"- a",
        b"just text",
        b"[" * 5000,
        b"a: *nothing",
        b"? [1]\n: 2",
        b"a: !!python/object/apply:os.system [echo]",
        b"x" * (10 * 1024 * 1024 + 1),
        b"a: &a [1,2,3,4,5,6,7,8,9,0]\n"
        + b"".join(b"%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n" % (98 + n, 98 + n, *[97 + n] * 8) for n in range(9)),
        b"a: &a\n  b: *a",
        b"kind: app",
        b"kind: app\napp: 1\nmodel_config: {}",
        b"kind: app\napp: {name: a, mode: chat}",
        b'kind: app\napp: {name: a, mode: chat}\nmodel_config: {pre_prompt: "\\ud800"}',
        b'kind: app\napp: {name: a, mode: chat}\nmodel_config: {"\\udfff": a}',
    ],
)
def test_what_is_no_application_is_refused_and_soon(data: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_app("bad.yml", data, HERE)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Customer Service 2", "customer-service-2"),
        ("Élan!", "elan"),
        ("客服", "app-5ba2-670d"),
        ("123", "app-31-32-33"),
    ],
)
def test_a_slug_is_made_of_the_name(name: str, slug: str) -> None:
    assert slug_of(name) == slug
