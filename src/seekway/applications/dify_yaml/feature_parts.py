"""The form, moderation, annotation replies and files of a file's ``model_config``."""

from __future__ import annotations

from typing import Any, Final, cast, get_args

from seekway.applications.definition import (
    AnnotationUse,
    Control,
    FileKind,
    FileUse,
    FormField,
    Moderation,
    TransferMethod,
)
from seekway.applications.dify_yaml.notes import Notes
from seekway.applications.dify_yaml.shaping import shaped
from seekway.applications.dify_yaml.wire import WireModelConfig, WireModerationConfig

_CONTROLS: Final = frozenset(get_args(Control))
_KINDS: Final = frozenset(get_args(FileKind))
_METHODS: Final = frozenset(get_args(TransferMethod))
_FORM: Final = ("variable", "label", "required", "default", "max_length", "options")


def form_of(config: WireModelConfig, notes: Notes) -> tuple[FormField, ...]:
    found: list[FormField] = []
    for at, entry in enumerate(config.user_input_form):
        path = ("model_config", "user_input_form", at)
        if len(entry) != 1:
            raise notes.source.wrong(path, "a variable has one control, such as `text-input:`, with its members below.")
        ((control, members),) = entry.items()
        variable = members.get("variable")
        if control not in _CONTROLS:
            notes.add(path, f"There is no control {control!r} here; the variable {variable!r} is left out.")
            continue
        if not isinstance(variable, str) or not variable:
            raise notes.source.wrong((*path, control), "a variable needs a name; write `variable: name`.")
        length, options = members.get("max_length"), members.get("options")
        found.append(
            FormField(
                variable,
                cast("Control", control),
                str(members.get("label") or ""),
                bool(members.get("required", False)),
                _default(members.get("default")),
                length if isinstance(length, int) and length > 0 else None,
                tuple(str(one) for one in cast("list[object]", options)) if isinstance(options, list) else (),
                {key: value for key, value in members.items() if key not in _FORM and value is not None},
            )
        )
    return tuple(found)


def _default(value: Any) -> Any:
    """Files write an empty text for none."""
    return None if value == "" else value


def moderation_of(config: WireModelConfig, notes: Notes) -> Moderation | None:
    part = config.sensitive_word_avoidance
    path = ("model_config", "sensitive_word_avoidance")
    if not part.enabled:
        return None
    if part.type != "keywords":
        notes.add(path, f"Moderation of type {part.type!r} is not asked here; the gateway's own guardrails hold.")
        return None
    raw = part.configs if isinstance(part.configs, dict) else {}
    read = shaped(notes.source, (*path, "configs"), raw or part.config, WireModerationConfig)
    words = tuple(dict.fromkeys(word.strip() for word in read.keywords.splitlines() if word.strip()))
    if not words:
        notes.add(path, "There are no words to look for; the gateway's own guardrails hold.")
        return None
    return Moderation(
        words,
        read.inputs_config.preset_response if read.inputs_config.enabled else None,
        read.outputs_config.preset_response if read.outputs_config.enabled else None,
    )


def annotations_of(config: WireModelConfig) -> AnnotationUse:
    """Its model is the knowledge base's: the vectors are made anew wherever the annotations go."""
    part = config.annotation_reply
    return AnnotationUse(part.enabled, min(1.0, max(0.0, part.score_threshold)))


def files_of(config: WireModelConfig, notes: Notes) -> FileUse:
    part, images = config.file_upload, config.file_upload.image
    enabled = part.enabled or (images is not None and images.enabled)
    kinds = [kind for kind in part.allowed_file_types if kind in _KINDS]
    if unknown := sorted(set(part.allowed_file_types) - _KINDS):
        notes.add(("model_config", "file_upload", "allowed_file_types"), f"Files of {unknown} are not taken here.")
    methods = part.allowed_file_upload_methods or (images.transfer_methods if images is not None else [])
    known = [method for method in methods if method in _METHODS] or ["remote_url", "local_file"]
    number = part.number_limits if part.number_limits is not None else images.number_limits if images else 3
    return FileUse(
        enabled,
        tuple(cast("list[FileKind]", kinds)) or ("image",),
        max(1, number),
        tuple(cast("list[TransferMethod]", known)),
        tuple(part.allowed_file_extensions),
        images.detail if images is not None else "high",
    )
