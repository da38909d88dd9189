"""Applications: chatbots, text generators and agents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from seekway.core.errors import ConfigError


class ApplicationFileSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file in Dify's format that an application is kept in step with."""

    file: Annotated[
        str,
        Meta(min_length=1, description="Dify's application file (YAML); a relative path begins at the settings file."),
    ]
    slug: Annotated[
        str,
        Meta(
            pattern=r"^([a-z0-9][a-z0-9-]{0,62})?$",
            description="Name in keys and as a model (`app:SLUG`): small letters, digits and hyphens; empty: made of the application's own name.",
        ),
    ] = ""
    tenant: Annotated[str, Meta(description="Tenant whose application it is.")] = ""
    datasets: Annotated[
        dict[str, str],
        Meta(description="Knowledge bases here, by name, for the ids in the file; a name that is the same needs none."),
    ] = {}
    models: Annotated[dict[str, str], Meta(description="Models here for those that the file names.")] = {}


class ApplicationSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    enabled: Annotated[bool, Meta(description="Serve applications.")] = True
    max_active_requests: Annotated[
        int,
        Meta(
            ge=0,
            description="Answers that one application may be giving at once in a process; one more is answered 429. 0: any number.",
        ),
    ] = 0
    files: Annotated[
        tuple[ApplicationFileSettings, ...],
        Meta(description="Applications that are read at the start and again whenever their files change."),
    ] = ()


def check_applications(files: Sequence[ApplicationFileSettings]) -> None:
    """Raises ``ConfigError``."""
    seen: set[tuple[str, str]] = set()
    for file in files:
        if file.slug and (file.tenant, file.slug) in seen:
            raise ConfigError(f"applications.files: the slug {file.slug} stands twice.", param="slug")
        seen.add((file.tenant, file.slug))
