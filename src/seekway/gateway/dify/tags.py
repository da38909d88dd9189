"""Tags of datasets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.responses import Response

from seekway.core.errors import AlreadyExists, InvalidParameter
from seekway.gateway.dify.errors import DifyRefusal
from seekway.gateway.dify.knowledge_call import KnowledgeCall, done, reply
from seekway.knowledge.labels.tags import Tag

Name = Annotated[str, Meta(min_length=1, max_length=50)]


class WireTagCount(msgspec.Struct, frozen=True):
    """``binding_count`` is a text, as in Dify's own lists."""

    id: str
    name: str
    binding_count: str
    type: str = "knowledge"


class NewTag(msgspec.Struct, frozen=True):
    name: Name


class RenamedTag(msgspec.Struct, frozen=True):
    tag_id: str
    name: Name


class DroppedTag(msgspec.Struct, frozen=True):
    tag_id: str


class Binding(msgspec.Struct, frozen=True):
    target_id: str
    tag_ids: Sequence[str] | None = None
    tag_id: str | None = None

    @property
    def tags(self) -> list[str]:
        """Raises ``InvalidParameter`` where there is none."""
        found = list(dict.fromkeys((*(self.tag_ids or ()), *((self.tag_id,) if self.tag_id else ()))))
        if not found:
            raise InvalidParameter("Tag IDs is required.", param="tag_ids")
        return found


class BoundTag(msgspec.Struct, frozen=True):
    id: str
    name: str


class BoundTags(msgspec.Struct, frozen=True):
    data: Sequence[BoundTag]
    total: int


async def create_tag(call: KnowledgeCall) -> Response:
    """A tag, bound to nothing."""
    name = (await call.body(NewTag)).name
    try:
        return reply(_wire(await call.knowledge.book.tags.create(call.tenant, name)))
    except AlreadyExists as error:
        raise _taken(name) from error


async def list_tags(call: KnowledgeCall) -> Response:
    """All of the tenant, by name."""
    return reply([_wire(tag) for tag in await call.knowledge.book.tags.tags(call.tenant)])


async def rename_tag(call: KnowledgeCall) -> Response:
    """Another name for it, wherever it is bound."""
    body = await call.body(RenamedTag)
    try:
        return reply(_wire(await call.knowledge.book.tags.rename(call.tenant, body.tag_id, body.name)))
    except AlreadyExists as error:
        raise _taken(body.name) from error


async def delete_tag(call: KnowledgeCall) -> Response:
    """With its bindings."""
    await call.knowledge.book.tags.delete(call.tenant, (await call.body(DroppedTag)).tag_id)
    return done()


async def bind_tags(call: KnowledgeCall) -> Response:
    """All or none."""
    body = await call.body(Binding)
    await call.knowledge.book.tags.bind(call.tenant, body.tags, body.target_id)
    return done()


async def unbind_tags(call: KnowledgeCall) -> Response:
    """Those that are not bound are passed over."""
    body = await call.body(Binding)
    await call.knowledge.book.dataset(call.tenant, body.target_id)
    await call.knowledge.book.tags.unbind(call.tenant, body.tags, body.target_id)
    return done()


async def tags_of_dataset(call: KnowledgeCall) -> Response:
    """By name."""
    await call.knowledge.book.dataset(call.tenant, call.dataset)
    found = await call.knowledge.book.tags.tags(call.tenant, call.dataset)
    return reply(BoundTags([BoundTag(tag.id, tag.name) for tag in found], len(found)))


def _wire(tag: Tag) -> WireTagCount:
    return WireTagCount(tag.id, tag.name, str(tag.bound))


def _taken(name: str) -> DifyRefusal:
    return DifyRefusal(400, "invalid_param", f"There is a tag {name!r} already; choose another name.")
