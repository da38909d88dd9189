"""The variables that a caller fills in, held against what the application's form asks for. The errors' texts are Dify's."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import msgspec

from seekway.applications.definition import FileKind, FormField, TransferMethod
from seekway.applications.service import AskedFile
from seekway.core.errors import InvalidRequest

_TEXTS: Final = ("text-input", "paragraph", "select")
_FILES: Final = ("file", "file-list")


class _FormFile(msgspec.Struct, frozen=True):
    """Dify's file reference."""

    type: FileKind
    transfer_method: TransferMethod
    url: str | None = None
    upload_file_id: str | None = None


def filled_form(form: Sequence[FormField], given: Mapping[str, Any]) -> dict[str, Any]:
    """The form's variables and no others; one that was neither given nor has a default is None. Raises ``InvalidRequest``."""
    return {field.variable: _checked(field, given.get(field.variable)) for field in form}


def form_texts(form: Sequence[FormField], inputs: Mapping[str, Any]) -> dict[str, str]:
    """The variables as they stand in a prompt."""
    return {field.variable: _text(field, inputs.get(field.variable)) for field in form}


def form_files(form: Sequence[FormField], inputs: Mapping[str, Any]) -> list[tuple[FormField, tuple[AskedFile, ...]]]:
    """The files that checked inputs name, with the fields that asked for them."""
    found: list[tuple[FormField, tuple[AskedFile, ...]]] = []
    for field in form:
        value = inputs.get(field.variable)
        if field.control in _FILES and value:
            entries = cast("list[object]", value) if isinstance(value, list) else [value]
            found.append((field, tuple(_file(field, entry) for entry in entries)))
    return found


def plain_text(text: str) -> str:
    """Without NUL, which PostgreSQL does not keep."""
    return text.replace("\x00", "")


def _checked(field: FormField, value: Any) -> Any:
    if value is None or (value == "" and field.control != "checkbox"):
        value = field.default if field.default not in (None, "") else None
    if value is None or value == []:
        if field.required:
            raise _wrong(field, "is required in input form")
        return None
    if field.control in _TEXTS:
        return _checked_text(field, value)
    if field.control == "number":
        return _number(field, value)
    if field.control == "checkbox":
        return _truth(field, value)
    return _checked_files(field, value)


def _checked_text(field: FormField, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidRequest(
            f"(type '{field.control}') {field.variable} in input form must be a string", param=field.variable
        )
    value = plain_text(value)
    if field.control == "select":
        if value not in field.options:
            raise _wrong(field, f"in input form must be one of the following: {list(field.options)}")
    elif field.max_length and len(value) > field.max_length:
        raise _wrong(field, f"in input form must be less than {field.max_length} characters")
    return value


def _number(field: FormField, value: Any) -> int | float | None:
    number: int | float | None = None
    if isinstance(value, str):
        try:
            number = float(value) if "." in value or "e" in value.lower() else int(value)
        except ValueError:
            number = None
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = value
    if number is None or not math.isfinite(number):
        raise _wrong(field, "in input form must be a valid number")
    return number


def _truth(field: FormField, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in (0, 1):
        return bool(value)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise _wrong(field, "in input form must be a valid boolean")


def _checked_files(field: FormField, value: Any) -> Any:
    if field.control == "file":
        if not isinstance(value, dict):
            raise _wrong(field, "in input form must be a file")
        _file(field, cast("object", value))
        return cast("object", value)
    if not isinstance(value, list):
        raise _wrong(field, "in input form must be a list of files")
    entries = cast("list[object]", value)
    if field.max_length and len(entries) > field.max_length:
        raise _wrong(field, f"in input form must be less than {field.max_length} files")
    for entry in entries:
        _file(field, entry)
    return entries


def _file(field: FormField, value: object) -> AskedFile:
    try:
        file = msgspec.convert(value, _FormFile)
    except msgspec.ValidationError as error:
        raise _wrong(field, f"in input form must be a file: {error}") from error
    return AskedFile(file.type, file.transfer_method, file.url or "", file.upload_file_id or "")


def _text(field: FormField, value: Any) -> str:
    if value is None:
        return ""
    if field.control in _FILES:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _wrong(field: FormField, what: str) -> InvalidRequest:
    return InvalidRequest(f"{field.variable} {what}", param=field.variable)
