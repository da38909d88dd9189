"""A prompt's text with its variables: ``{{name}}``, ``{{#context#}}``, ``{{#query#}}`` and ``{{#histories#}}``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

CONTEXT: Final = "#context#"
QUERY: Final = "#query#"
HISTORIES: Final = "#histories#"
# Dify's own form of a variable. It looks at what operators write, never at what users do.
_VARIABLE: Final = re.compile(r"\{\{([^\W\d]\w{0,29}|#histories#|#query#|#context#)\}\}")


class Template:
    """Cut up once; ``names`` are the variables in it."""

    __slots__ = ("_pieces", "names")

    def __init__(self, text: str) -> None:
        # Text and names by turns.
        self._pieces = _VARIABLE.split(text)
        self.names = frozenset(self._pieces[1::2])

    def fill(self, values: Mapping[str, str]) -> str:
        """In one pass: what a value holds is never read as a variable. A variable without a value stays as it was written."""
        pieces = self._pieces
        if len(pieces) == 1:
            return pieces[0]
        made = list(pieces)
        for at in range(1, len(pieces), 2):
            value = values.get(pieces[at])
            made[at] = f"{{{{{pieces[at]}}}}}" if value is None else value
        return "".join(made)
