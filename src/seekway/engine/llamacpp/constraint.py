"""Constraints as llguidance grammars, checked before the engine sees them.

llama.cpp as built into ``xllamacpp`` hands grammars to llguidance and samples freely when one does not compile;
so each is compiled here first, by the same library, and refused with its reason.
Grammar syntax: llguidance's ``docs/syntax.md``; schema keywords: its ``docs/json_schema.md``.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec
from llguidance import LLMatcher

from seekway.core.errors import InvalidParameter
from seekway.engine.base import Constraint

_GRAMMAR = "%llguidance {}\nstart: "
_LAYOUT = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""JSON on one line, as most models write it; free layout lets a weak model write blanks until its tokens run out."""


def grammar_of(constraint: Constraint) -> str:
    """The grammar as ``/completions`` of llama.cpp's server takes it; raises ``InvalidParameter`` when it does not compile."""
    if constraint.kind == "regex":
        grammar = f"{_GRAMMAR}/{_within_slashes(constraint.regex or '')}/"
        _check(grammar, "The regular expression", "regex")
        return grammar
    schema = {"type": "object"} if not constraint.schema else constraint.schema
    guided = {**schema, "x-guidance": _LAYOUT}
    grammar = f"{_GRAMMAR}%json {msgspec.json.encode(guided).decode()}"
    _check(grammar, "The JSON schema", "response_format")
    return grammar


def _check(grammar: str, what: str, parameter: str) -> None:
    wrong = _first_error(grammar)
    if wrong:
        raise InvalidParameter(f"{what} cannot be enforced: {wrong}.", param=parameter)


@lru_cache(maxsize=64)
def _first_error(grammar: str) -> str:
    """One line of why the grammar does not compile, empty when it does; the same schema usually comes many times."""
    told = LLMatcher.validate_grammar(grammar)
    if not told:
        return ""
    lines = [line.strip() for line in told.splitlines()]
    reason = next((line for line in lines if line.startswith("error:")), lines[0])
    return reason.removeprefix("error:").rpartition("failed to compile JSON schema:")[2].strip().rstrip(".")


def _within_slashes(regex: str) -> str:
    """``regex`` as it may stand between slashes: bare slashes and line ends escaped, escapes left alone."""
    written: list[str] = []
    escaped = False
    for character in regex:
        if escaped:
            written.append(character)
            escaped = False
            continue
        escaped = character == "\\"
        written.append({"/": "\\/", "\n": "\\n", "\r": "\\r"}.get(character, character))
    return "".join(written)
