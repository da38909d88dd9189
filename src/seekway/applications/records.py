"""What is kept of applications and of those who use them. Moments are milliseconds since 1970, ids are UUIDs."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from seekway.applications.definition import Definition, FileKind, TransferMethod
from seekway.knowledge.index.conditions import MetadataValue

MessageStatus = Literal["running", "normal", "stopped", "error"]
Rating = Literal["like", "dislike"]


class AppRecord(msgspec.Struct, frozen=True):
    """``slug`` is its name in addresses, keys and as a model (``app:<slug>``): lower-case letters, digits and hyphens, one of its kind within the tenant.

    ``source`` is the file that it is kept in step with, empty for one that was imported once.
    """

    tenant: str
    id: str
    slug: str
    name: str
    definition: Definition
    description: str = ""
    icon: str = ""
    icon_type: str = "emoji"
    icon_background: str = ""
    tags: tuple[str, ...] = ()
    author: str = ""
    source: str = ""
    enabled: bool = True
    created_at: int = 0
    updated_at: int = 0


class EndUser(msgspec.Struct, frozen=True):
    """Someone who uses an application; ``session`` is the caller's own name for him."""

    tenant: str
    app: str
    id: str
    session: str
    anonymous: bool = False
    created_at: int = 0
    updated_at: int = 0


class Conversation(msgspec.Struct, frozen=True):
    """``summary`` is of its messages up to and with the position ``summed_up``."""

    app: str
    id: str
    user: str
    name: str
    inputs: dict[str, Any] = {}
    introduction: str = ""
    status: str = "normal"
    summary: str = ""
    summed_up: int = 0
    created_at: int = 0
    updated_at: int = 0


class Variable(msgspec.Struct, frozen=True):
    """A conversation's; ``value_type`` is Dify's."""

    conversation: str
    id: str
    name: str
    value_type: str
    value: Any
    description: str = ""
    created_at: int = 0
    updated_at: int = 0


class MessageFile(msgspec.Struct, frozen=True):
    """``url`` is set for ``remote_url``, ``upload`` (an :class:`Upload`'s id) for ``local_file``."""

    id: str
    kind: FileKind
    method: TransferMethod
    url: str = ""
    upload: str = ""
    filename: str = ""
    mime: str = ""
    size: int = 0
    belongs_to: Literal["user", "assistant"] = "user"


class Source(msgspec.Struct, frozen=True):
    """A passage that the model was given."""

    position: int
    dataset_id: str
    dataset_name: str
    document_id: str
    document_name: str
    segment_id: str
    segment_position: int
    score: float
    content: str
    word_count: int = 0
    hit_count: int = 0
    metadata: dict[str, MetadataValue] = {}


class Thought(msgspec.Struct, frozen=True):
    """A step of an agent: what it said, which tools it called (names joined by ``;``) with what (JSON by name), and what they gave (JSON by name)."""

    message: str
    id: str
    position: int
    text: str = ""
    tool: str = ""
    labels: dict[str, dict[str, str]] = {}
    tool_input: str = ""
    observation: str = ""
    files: tuple[str, ...] = ()
    created_at: int = 0


class Cost(msgspec.Struct, frozen=True):
    """Tokens of all the model calls of an answer and what they cost; prices are decimal strings per ``unit`` tokens."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_price_per_unit: str = "0"
    completion_price_per_unit: str = "0"
    unit: str = "0.000001"
    prompt_price: str = "0"
    completion_price: str = "0"
    total_price: str = "0"
    currency: str = "USD"
    latency_s: float = 0.0


class Message(msgspec.Struct, frozen=True):
    """A question with its answer. ``position`` counts from 1 within its conversation; ``conversation`` is empty for completion applications.

    ``annotation`` is the id of the annotation that answered in the model's place.
    """

    app: str
    conversation: str
    id: str
    user: str
    position: int
    query: str
    inputs: dict[str, Any] = {}
    answer: str = ""
    reasoning: str = ""
    status: MessageStatus = "running"
    error: str = ""
    files: tuple[MessageFile, ...] = ()
    sources: tuple[Source, ...] = ()
    cost: Cost = Cost()
    annotation: str = ""
    model: str = ""
    created_at: int = 0
    updated_at: int = 0


class Turn(msgspec.Struct, frozen=True):
    """What a later question needs of a message."""

    position: int
    query: str
    answer: str
    reasoning: str = ""


class Feedback(msgspec.Struct, frozen=True):
    app: str
    conversation: str
    message: str
    id: str
    user: str
    rating: Rating
    content: str = ""
    created_at: int = 0
    updated_at: int = 0


class Annotation(msgspec.Struct, frozen=True):
    """A question with an answer written by hand."""

    app: str
    id: str
    question: str
    answer: str
    hit_count: int = 0
    created_at: int = 0


class Upload(msgspec.Struct, frozen=True):
    """A file that a user sent; its bytes are kept apart."""

    app: str
    id: str
    user: str
    name: str
    size: int
    extension: str
    mime: str
    created_at: int = 0
