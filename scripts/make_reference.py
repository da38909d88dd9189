"""Make ``docs/reference/`` from the code; with ``--check``, only compare and fail on a difference."""

from __future__ import annotations

import sys
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from seekway.core.errors import ERRORS
from seekway.core.settings import Settings

TARGET = Path(__file__).resolve().parent.parent / "docs" / "reference"
MADE = "Made by `make reference`; do not edit.\n"


def type_name(annotation: Any) -> str:
    if get_origin(annotation) is Annotated:
        return type_name(get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    if isinstance(annotation, UnionType):
        return " or ".join(type_name(part) for part in get_args(annotation) if part is not type(None)) + ", optional"
    if get_origin(annotation) is tuple:
        return f"list of {type_name(get_args(annotation)[0])}"
    if get_origin(annotation) is dict:
        return "table of strings"
    return {str: "text", int: "whole number", float: "number", bool: "true or false"}.get(
        annotation, getattr(annotation, "__name__", str(annotation))
    )


def description(annotation: Any) -> str:
    notes = [
        meta.description
        for meta in getattr(annotation, "__metadata__", ())
        if isinstance(meta, msgspec.Meta) and meta.description
    ]
    if not notes:
        raise SystemExit(f"make_reference: a setting of type {annotation} has no description")
    return " ".join(notes)


def settings_table(struct: type[msgspec.Struct]) -> list[str]:
    hints = get_type_hints(struct, include_extras=True)
    lines = ["| setting | type | default | what it does |", "|---|---|---|---|"]
    for field in msgspec.structs.fields(struct):
        hint = hints[field.name]
        default = (
            "required" if field.default is msgspec.NODEFAULT else f"`{msgspec.json.encode(field.default).decode()}`"
        )
        lines.append(
            f"| `{field.name}` | {type_name(hint)} | {default if default != '`null`' else 'unset'} | {description(hint)} |"
        )
    return lines


def element(annotation: Any) -> Any:
    """The struct inside ``Annotated[tuple[Struct, ...], Meta]`` or ``Annotated[Struct, Meta]``."""
    inner = get_args(annotation)[0]
    return get_args(inner)[0] if get_origin(inner) is tuple else inner


def settings_page() -> str:
    parts = [
        "# Settings\n",
        MADE,
        "One TOML file (`--config`, `SEEKWAY_CONFIG`, or `seekway.toml` in the current folder) and the environment, which wins: "
        "`SEEKWAY_GATEWAY__PORT=9000` sets `[gateway] port`. `DEEPSEEK_API_KEY` adds DeepSeek's cloud as a backend. "
        "`seekway config check` reads a file and says what is wrong with it.\n",
    ]
    for name, hint in get_type_hints(Settings, include_extras=True).items():
        struct = element(hint)
        if isinstance(struct, type) and issubclass(struct, msgspec.Struct):
            heading = f"## `[[{name}]]`" if get_origin(get_args(hint)[0]) is tuple else f"## `[{name}]`"
            parts += [f"{heading}\n", description(hint) + "\n", "\n".join(settings_table(struct)) + "\n"]
        else:
            parts += [f"## `{name}`\n", f"{type_name(hint)}. {description(hint)}\n"]
    return "\n".join(parts)


def errors_page() -> str:
    lines = [
        "# Errors\n",
        MADE,
        'The body is `{"error": {"message", "type", "param", "code"}}`; `code` is stable. In a stream that has begun, the same object is the last '
        "`data:` block and no `[DONE]` follows. Over gRPC the code is in the trailing metadata `seekway-code`.\n",
        "| code | HTTP status | type |",
        "|---|---|---|",
    ]
    shown = sorted((e for e in ERRORS.values() if e.type != "operator_error"), key=lambda e: (e.status, e.code))
    lines += [f"| `{error.code}` | {error.status} | `{error.type}` |" for error in shown]
    return "\n".join(lines) + "\n"


PAGES = {"settings.md": settings_page, "errors.md": errors_page}


def main() -> None:
    stale: list[str] = []
    for name, page in PAGES.items():
        path = TARGET / name
        text = page()
        if "--check" not in sys.argv:
            TARGET.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        elif not path.is_file() or path.read_text("utf-8") != text:
            stale.append(name)
    if stale:
        sys.exit(f"make_reference: docs/reference/{', '.join(stale)} differ from the code; run: make reference")


if __name__ == "__main__":
    main()
