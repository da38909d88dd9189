"""How a document is to be cleaned and cut, in the words of Dify's ``process_rule``."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from seekway.core.errors import InvalidParameter
from seekway.knowledge.cleaning import CleaningRule

Form = Literal["text_model", "hierarchical_model", "qa_model"]
"""Dify's ``doc_form``: plain passages, parents found by their children, or questions with answers."""

LEAST_TOKENS: Final = 50
MOST_TOKENS: Final = 4000
FULL_DOC_TOKENS: Final = 10_000


class CleaningSwitch(msgspec.Struct, frozen=True):
    id: CleaningRule
    enabled: bool = False


class Segmentation(msgspec.Struct, frozen=True):
    """``separator`` ends a passage wherever it stands, and may be given with ``\\n`` written out; an empty one stands nowhere."""

    separator: str = "\n"
    max_tokens: int = 500
    chunk_overlap: int = 0

    def __post_init__(self) -> None:
        if not LEAST_TOKENS <= self.max_tokens <= MOST_TOKENS:
            raise InvalidParameter(
                f"max_tokens is {self.max_tokens}; it goes from {LEAST_TOKENS} to {MOST_TOKENS}.", param="max_tokens"
            )
        if not 0 <= self.chunk_overlap < self.max_tokens:
            raise InvalidParameter(
                f"chunk_overlap is {self.chunk_overlap}; it goes from 0 to less than max_tokens, {self.max_tokens}.",
                param="chunk_overlap",
            )

    @property
    def ends(self) -> str:
        return self.separator.replace("\\n", "\n").replace("\\t", "\t")


class Rules(msgspec.Struct, frozen=True):
    pre_processing_rules: tuple[CleaningSwitch, ...] = ()
    segmentation: Segmentation = Segmentation()
    parent_mode: Literal["full-doc", "paragraph"] = "paragraph"
    subchunk_segmentation: Segmentation | None = None


class ProcessRule(msgspec.Struct, frozen=True):
    """``automatic`` has rules of its own, and takes no others."""

    mode: Literal["automatic", "custom", "hierarchical"] = "automatic"
    rules: Rules | None = None

    def __post_init__(self) -> None:
        if self.mode != "automatic" and self.rules is None:
            raise InvalidParameter(f"The mode {self.mode} needs rules; give them, or use automatic.", param="rules")

    @property
    def effective(self) -> Rules:
        return self.rules if self.rules is not None and self.mode != "automatic" else AUTOMATIC

    @property
    def cleaning(self) -> tuple[CleaningRule, ...]:
        return tuple(rule.id for rule in self.effective.pre_processing_rules if rule.enabled)


AUTOMATIC: Final = Rules((CleaningSwitch("remove_extra_spaces", True),), Segmentation("\n", 500, 50))
"""Dify's: spaces are cleaned, passages of 500 tokens overlap by 50; they end at paragraphs and sentences, not at each separator."""

_CHILDREN: Final = Segmentation("\n", 200, 0)
_DECODER: Final = msgspec.json.Decoder(ProcessRule)


def children_of(rules: Rules) -> Segmentation:
    return rules.subchunk_segmentation or _CHILDREN


def read_process_rule(data: bytes | str) -> ProcessRule:
    """From JSON; unknown fields are passed over, as Dify does. Raises ``InvalidParameter`` with the field."""
    try:
        return _DECODER.decode(data)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, InvalidParameter):
            raise error.__cause__ from error
        raise InvalidParameter(f"process_rule: {error}.", param="process_rule") from error
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidParameter(f"process_rule is not JSON: {error}.", param="process_rule") from error
