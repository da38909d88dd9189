"""From a Dify file to an application, with a report of what is not as the file has it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final, TypeVar, cast

import msgspec

from seekway.applications.definition import Definition, Memory, Mode, ModelChoice, Prompt, PromptMessage, Thoughts
from seekway.applications.dify_yaml.agent_part import agent_of
from seekway.applications.dify_yaml.feature_parts import annotations_of, files_of, form_of, moderation_of
from seekway.applications.dify_yaml.knowledge_part import knowledge_of
from seekway.applications.dify_yaml.notes import Notes
from seekway.applications.dify_yaml.report import Here, Imported
from seekway.applications.dify_yaml.shaping import shaped
from seekway.applications.dify_yaml.source import Source, read_source
from seekway.applications.dify_yaml.wire import WireApp, WireModelConfig
from seekway.applications.records import AppRecord

NEWEST: Final = (0, 6, 0)
_MODES: Final = ("chat", "completion", "agent-chat")
_GRAPHS: Final = ("workflow", "advanced-chat", "agent")
_THOUGHTS: Final = ("separate", "tags", "drop")
_READ: Final = frozenset(WireModelConfig.__struct_fields__)
_OFF: Final = {
    "speech_to_text": "Speech is not turned into text here.",
    "text_to_speech": "Answers are not spoken here.",
    "more_like_this": "Variants of an answer are not offered here.",
}
T = TypeVar("T", bound=msgspec.Struct)


def read_app(name: str, data: bytes, here: Here, *, slug: str = "", tenant: str = "", newer: bool = False) -> Imported:
    """The application of file ``name``; ``slug`` empty is made of its name. ``newer`` takes a file of a version that is not known.

    Raises ``InvalidRequest`` with the line for a file that is broken, of another kind, or newer than 0.6.
    """
    source = read_source(name, data)
    notes = Notes(source)
    _check_version(source, notes, newer=newer)
    if source.data.get("kind", "app") != "app":
        raise source.wrong(("kind",), "this is no application (kind: app).")
    app = _part(source, ("app",), WireApp)
    if app.mode in _GRAPHS:
        raise source.wrong(
            ("app", "mode"), f"this is a {app.mode}, which cannot be run yet; chat, completion and agent-chat can."
        )
    if app.mode not in _MODES:
        raise source.wrong(("app", "mode"), f"there is no mode {app.mode!r}; it is chat, completion or agent-chat.")
    config = _part(source, ("model_config",), WireModelConfig)
    definition = _definition(app.mode, config, notes, here)
    record = AppRecord(
        tenant,
        "",
        slug or slug_of(app.name),
        app.name,
        definition,
        description=app.description,
        icon=app.icon,
        icon_type=app.icon_type,
        icon_background=app.icon_background,
    )
    return Imported(record, notes.all())


def slug_of(name: str) -> str:
    """A name for addresses: small letters, digits and hyphens; of a name without any Latin letter its code points."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")  # the pattern is plain and the name short
    if not re.search("[a-z]", slug):
        slug = "app-" + "-".join(f"{ord(one):x}" for one in name.strip()[:8])
    return slug[:63].strip("-")


def _check_version(source: Source, notes: Notes, *, newer: bool) -> None:
    version = source.data.get("version", "0.1.0")
    parts = re.fullmatch(r"(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?", version) if isinstance(version, str) else None
    if parts is None:
        raise source.wrong(("version",), 'the version is no version; write it as text, such as version: "0.6.0".')
    read = (int(parts[1]), int(parts[2]), int(parts[3] or 0))
    if read[:2] > NEWEST[:2]:
        if not newer:
            raise source.wrong(
                ("version",),
                f"this file is of version {version}, and 0.6 is the newest that is known; take it nevertheless with --newer.",
            )
        notes.add(("version",), f"Version {version} is newer than what is known; what is new in it is not read.")


def _part(source: Source, path: tuple[str], kind: type[T]) -> T:
    raw = source.data.get(path[0])
    if not isinstance(raw, dict):
        raise source.wrong(path, f"the file has no {path[0]}; it cannot be imported.")
    return shaped(source, path, cast("object", raw), kind)


def _definition(mode: Mode, config: WireModelConfig, notes: Notes, here: Here) -> Definition:
    raw = cast("Mapping[str, Any]", notes.source.data["model_config"])
    for name, sentence in _OFF.items():
        if isinstance(part := raw.get(name), dict) and cast("dict[str, Any]", part).get("enabled"):
            notes.add(("model_config", name), sentence)
    if raw.get("external_data_tools"):
        notes.add(("model_config", "external_data_tools"), "External data tools are not asked here.")
    knowledge, unmapped = knowledge_of(config, notes, here)
    rest = {key: value for key, value in raw.items() if key not in _READ and value is not None}
    if unmapped:
        rest["unmapped_datasets"] = unmapped
    return Definition(
        mode,
        model=_model(config, notes, here),
        prompt=_prompt(mode, config),
        form=form_of(config, notes),
        knowledge=knowledge,
        agent=agent_of(mode, config, notes, here),
        memory=_own(notes, "memory", config.seekway.memory, Memory),
        opening_statement=config.opening_statement,
        suggested_questions=tuple(question for question in config.suggested_questions if question.strip()),
        follow_ups=config.suggested_questions_after_answer.enabled,
        citations=config.retriever_resource is None or config.retriever_resource.enabled,
        moderation=moderation_of(config, notes),
        annotations=annotations_of(config),
        files=files_of(config, notes),
        thoughts=_thoughts(config, notes),
        rest=rest,
    )


def _model(config: WireModelConfig, notes: Notes, here: Here) -> ModelChoice:
    model = config.model
    name = here.model_names.get(model.name, model.name)
    if here.models is not None and name and name not in here.models:
        notes.add(
            ("model_config", "model", "name"),
            f"There is no model {name!r} here; the default model answers. Choose another with --model {model.name}=NAME.",
        )
        name = ""
    elif name != model.name:
        notes.add(("model_config", "model", "name"), f"The model {model.name!r} is {name!r} here.")
    parameters = {key: value for key, value in model.completion_params.items() if value not in (None, [], "")}
    return ModelChoice(name, parameters, model.provider)


def _prompt(mode: Mode, config: WireModelConfig) -> Prompt:
    if config.prompt_type != "advanced":
        return Prompt(config.pre_prompt)
    if mode == "completion" and not config.chat_prompt_config.prompt:
        return Prompt(config.completion_prompt_config.prompt.text)
    messages = [
        PromptMessage(
            "system" if one.role == "system" else "assistant" if one.role == "assistant" else "user", one.text
        )
        for one in config.chat_prompt_config.prompt
        if one.text.strip()
    ]
    return Prompt(config.pre_prompt if not messages else "", tuple(messages))


def _thoughts(config: WireModelConfig, notes: Notes) -> Thoughts:
    wanted = config.seekway.thoughts
    if wanted not in _THOUGHTS:
        raise notes.source.wrong(
            ("model_config", "seekway", "thoughts"),
            f"there is no {wanted!r} for thoughts; it is separate, tags or drop.",
        )
    return wanted


def _own(notes: Notes, name: str, raw: dict[str, Any], kind: type[T]) -> T:
    return shaped(notes.source, ("model_config", "seekway", name), raw, kind)
