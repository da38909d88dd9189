"""What a client shows around an application."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from starlette.responses import Response

from seekway.applications.definition import Definition, FileUse, FormField
from seekway.gateway.dify.app_call import AppCall, reply
from seekway.gateway.dify.app_files import AUDIO_MB, DOCUMENT_MB, IMAGE_MB, VIDEO_MB

_MOST_FILES = 10


class Enabled(msgspec.Struct, frozen=True):
    enabled: bool


class Speech(msgspec.Struct, frozen=True, rename={"auto_play": "autoPlay"}):
    enabled: bool = False
    voice: str = ""
    language: str = ""
    auto_play: str = "disabled"


class KindUpload(msgspec.Struct, frozen=True):
    enabled: bool
    number_limits: int
    transfer_methods: Sequence[str]


class ImageUpload(KindUpload, frozen=True):
    detail: str


class FileUpload(msgspec.Struct, frozen=True):
    enabled: bool
    allowed_file_types: Sequence[str]
    allowed_file_extensions: Sequence[str]
    allowed_file_upload_methods: Sequence[str]
    number_limits: int
    image: ImageUpload
    document: KindUpload
    audio: KindUpload
    video: KindUpload
    custom: KindUpload


class SystemParameters(msgspec.Struct, frozen=True):
    """Megabytes."""

    file_size_limit: int = DOCUMENT_MB
    image_file_size_limit: int = IMAGE_MB
    audio_file_size_limit: int = AUDIO_MB
    video_file_size_limit: int = VIDEO_MB
    workflow_file_upload_limit: int = _MOST_FILES


class Parameters(msgspec.Struct, frozen=True):
    opening_statement: str
    suggested_questions: Sequence[str]
    suggested_questions_after_answer: Enabled
    retriever_resource: Enabled
    annotation_reply: Enabled
    sensitive_word_avoidance: Enabled
    user_input_form: Sequence[Mapping[str, Any]]
    file_upload: FileUpload
    more_like_this: Enabled = Enabled(enabled=False)
    speech_to_text: Enabled = Enabled(enabled=False)
    text_to_speech: Speech = Speech()
    system_parameters: SystemParameters = SystemParameters()


class Info(msgspec.Struct, frozen=True):
    name: str
    description: str
    tags: Sequence[str]
    mode: str
    author_name: str


class Meta(msgspec.Struct, frozen=True):
    """Tools here have no pictures."""

    tool_icons: dict[str, str] = {}


class Site(msgspec.Struct, frozen=True):
    """What is not kept of it is empty or as Dify makes it, never null."""

    title: str
    icon_type: str
    icon: str
    icon_background: str
    icon_url: str
    description: str
    chat_color_theme: str = ""
    chat_color_theme_inverted: bool = False
    copyright: str = ""
    privacy_policy: str = ""
    input_placeholder: str = ""
    custom_disclaimer: str = ""
    default_language: str = "en-US"
    show_workflow_steps: bool = True
    use_icon_as_answer_icon: bool = False


async def info(call: AppCall) -> Response:
    app = call.app
    return reply(Info(app.name, app.description, app.tags, app.definition.mode, app.author))


async def parameters(call: AppCall) -> Response:
    return reply(_parameters(call.app.definition))


async def meta(call: AppCall) -> Response:
    return reply(Meta())


async def site(call: AppCall) -> Response:
    app = call.app
    picture = app.icon_type == "image"
    return reply(
        Site(
            title=app.name,
            icon_type=app.icon_type,
            icon=app.icon,
            icon_background=app.icon_background,
            icon_url=app.icon if picture else "",
            description=app.description,
        )
    )


def _parameters(definition: Definition) -> Parameters:
    return Parameters(
        opening_statement=definition.opening_statement,
        suggested_questions=definition.suggested_questions,
        suggested_questions_after_answer=Enabled(definition.follow_ups),
        retriever_resource=Enabled(definition.citations),
        annotation_reply=Enabled(definition.annotations.enabled),
        sensitive_word_avoidance=Enabled(definition.moderation is not None),
        user_input_form=[_wire_field(field) for field in definition.form],
        file_upload=_file_upload(definition.files),
    )


def _wire_field(field: FormField) -> Mapping[str, Any]:
    """One member, named after the control."""
    told: dict[str, Any] = {
        **field.rest,
        "label": field.label or field.variable,
        "variable": field.variable,
        "required": field.required,
        "default": "" if field.default is None else field.default,
    }
    if field.max_length is not None:
        told["max_length"] = field.max_length
    if field.control == "select" or field.options:
        told["options"] = field.options
    return {field.control: told}


def _file_upload(use: FileUse) -> FileUpload:
    def of(kind: str) -> KindUpload:
        return KindUpload(use.enabled and kind in use.kinds, use.number, use.methods)

    image = of("image")
    return FileUpload(
        enabled=use.enabled,
        allowed_file_types=use.kinds if use.enabled else (),
        allowed_file_extensions=use.extensions,
        allowed_file_upload_methods=use.methods,
        number_limits=use.number,
        image=ImageUpload(image.enabled, image.number_limits, image.transfer_methods, use.image_detail),
        document=of("document"),
        audio=of("audio"),
        video=of("video"),
        custom=of("custom"),
    )
