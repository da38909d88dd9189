"""The files of a model: most are one, the biggest are split, and llama.cpp finds the rest by their names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from seekway.core.errors import ModelFileError
from seekway.engine.gguf.header import GgufHeader, read_header

_PART: Final = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$")


def headers_of(path: Path) -> tuple[GgufHeader, ...]:
    """The headers of all files of the model whose first file is ``path``, each checked to be whole.

    Raises ``ModelFileError`` when a part is missing, cut short or not named ``…-00001-of-00003.gguf`` and so on.
    """
    first = read_header(path)
    count = first.integer("split.count", 1)
    headers = (first, *(read_header(_part(path, n, count)) for n in range(2, count + 1)))
    for header in headers:
        header.check_complete()
    return headers


def _part(first: Path, number: int, count: int) -> Path:
    named = _PART.search(first.name)
    if named is None or named.groups() != ("00001", f"{count:05}"):
        raise ModelFileError(
            f"{first.name} is one of {count} parts; give the first, whose name ends in -00001-of-{count:05}.gguf."
        )
    return first.with_name(f"{first.name[: named.start()]}-{number:05}-of-{count:05}.gguf")
