"""A YAML text as plain data, and where in it each value stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import yaml

from seekway.core.errors import InvalidRequest

MOST_BYTES: Final = 10 * 1024 * 1024
_MOST_NODES: Final = 500_000
_DEEPEST: Final = 100
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Source:
    """``data`` is the whole of file ``name``."""

    name: str
    data: Mapping[str, Any]
    _lines: Mapping[Path, int]

    def line(self, path: Path) -> int:
        """Where the value at ``path`` stands, or the nearest one around it; from 1."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def wrong(self, path: Path, problem: str) -> InvalidRequest:
        """``problem`` is a sentence that says what to do."""
        return InvalidRequest(f"{self.name}, line {self.line(path)}: {problem}", param=dotted(path))


def dotted(path: Path) -> str:
    return ".".join(str(step) for step in path)


def read_source(name: str, data: bytes) -> Source:
    """Raises ``InvalidRequest`` with the line for what is no YAML, no table, not UTF-8, or larger than 10 MB."""
    if len(data) > MOST_BYTES:
        raise InvalidRequest(f"{name} is larger than 10 MB; an application's file is not.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidRequest(f"{name}, line {line}: this is not UTF-8; save the file in that encoding.") from error
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if not isinstance(node, yaml.MappingNode):
                raise InvalidRequest(
                    f"{name} holds no application; give a file that Dify or `seekway app export` wrote."
                )
            lines: dict[Path, int] = {}
            _note_lines(node, (), lines, name)
            value = cast("dict[str, Any]", loader.construct_document(node))  # pyright: ignore[reportUnknownMemberType] - the stubs leave it out
        finally:
            loader.dispose()  # pyright: ignore[reportUnknownMemberType] - as above
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 1 if mark is None else mark.line + 1
        raise InvalidRequest(
            f"{name}, line {line}: this is not valid YAML: {error.problem or error.context}."
        ) from error
    except (yaml.YAMLError, ValueError) as error:
        raise InvalidRequest(f"{name} is not valid YAML: {str(error).splitlines()[0]}.") from error
    except RecursionError as error:
        raise InvalidRequest(f"{name} is nested too deeply for an application.") from error
    return Source(name, value, lines)


class _Loader(yaml.SafeLoader):
    """Dates stay the text they are: nothing in these files is one."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _note_lines(root: yaml.Node, path: Path, lines: dict[Path, int], name: str) -> None:
    """Every value's line, which is its name's where it has one. What an alias repeats counts each time, so that a small text cannot stand for a huge one."""
    waiting: list[tuple[yaml.Node, Path, int]] = [(root, path, 0)]
    while waiting:
        node, path, line = waiting.pop()
        lines[path] = line + 1
        if len(lines) > _MOST_NODES or len(path) > _DEEPEST:
            raise InvalidRequest(f"{name}, line {line + 1}: there is more in this file than an application has.")
        if isinstance(node, yaml.ScalarNode):
            _check_text(str(node.value), line, name)
        elif isinstance(node, yaml.MappingNode):
            pairs = cast("list[tuple[yaml.Node, yaml.Node]]", node.value)
            for key, value in pairs:
                if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                    raise InvalidRequest(
                        f"{name}, line {key.start_mark.line + 1}: a name is missing; write `name: value`."
                    )
                _check_text(str(key.value), key.start_mark.line, name)
                # A name such as `1` or `yes` is a text like any other.
                key.tag = "tag:yaml.org,2002:str"
                waiting.append((value, (*path, str(key.value)), key.start_mark.line))
        elif isinstance(node, yaml.SequenceNode):
            for at, one in enumerate(cast("list[yaml.Node]", node.value)):
                waiting.append((one, (*path, at), one.start_mark.line))


def _check_text(text: str, line: int, name: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(text[error.start]):04x}"
        raise InvalidRequest(f"{name}, line {line + 1}: {half} is half a character; write the whole one.") from error
