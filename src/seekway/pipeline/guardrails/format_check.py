"""Whether a whole answer has the form that it must have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from seekway.core.errors import ConfigError
from seekway.pipeline.guardrails.detector import Finding
from seekway.pipeline.guardrails.rules.pattern_detector import Pattern, PatternDetector

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

_NAME: Final = "format"
_CITATION: Final = Pattern("citation", r"(?:\[(?:\^|citation:)?[0-9]{1,3}\]|【[^】\n]{1,60}】)", "format", "medium")


class FormatRules(msgspec.Struct, frozen=True):
    """``json`` asks for JSON, ``schema`` for JSON that it fits (JSON Schema); ``min_characters`` and ``max_characters`` of 0 are none.

    ``citations`` is how many there must be at least; ``must_contain`` are patterns that must each be found (RE2).
    A schema is the operator's, for its own patterns are tried by a matcher that may take long.
    """

    json: bool = False
    schema: dict[str, Any] | None = None
    min_characters: int = 0
    max_characters: int = 0
    citations: int = 0
    must_contain: tuple[str, ...] = ()


class FormatCheck:
    """Each finding says of the whole text what it lacks: ``json``, ``schema``, ``too_short``, ``too_long``, ``citations``, ``must_contain``.

    Raises ``ConfigError`` for a schema or a pattern that cannot be used.
    """

    def __init__(self, rules: FormatRules) -> None:
        self._rules = rules
        self._schema = None if rules.schema is None else _validator(rules.schema)
        self._citation = PatternDetector((_CITATION,))
        self._patterns = [
            PatternDetector((Pattern(f"must_contain {source}", source, "format", "medium", longest=1000),))
            for source in rules.must_contain
        ]

    def check(self, text: str) -> tuple[Finding, ...]:
        rules = self._rules
        lacks: list[str] = []
        length = len(text.strip())
        if length < rules.min_characters:
            lacks.append("too_short")
        if rules.max_characters and length > rules.max_characters:
            lacks.append("too_long")
        if rules.json or self._schema is not None:
            lacks += self._json(text)
        if rules.citations and len(self._citation.scan(text, 0, final=True).findings) < rules.citations:
            lacks.append("citations")
        lacks += ["must_contain" for one in self._patterns if not one.scan(text, 0, final=True).findings]
        return tuple(Finding(_NAME, "format", "medium", 0, len(text), lack) for lack in lacks)

    def _json(self, text: str) -> list[str]:
        try:
            found: Any = msgspec.json.decode(text.encode("utf-8", "surrogatepass"))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return ["json"]
        return [] if self._schema is None or self._schema.is_valid(found) else ["schema"]


def _validator(schema: dict[str, Any]) -> Validator:
    # Only where a schema is asked for.
    import jsonschema
    from jsonschema.validators import validator_for

    kind = validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise ConfigError(f"The answer's schema is no JSON schema: {error.message}.", param="schema") from error
    return kind(schema)
