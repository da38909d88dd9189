"""End users, their conversations and the conversations' variables."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from seekway.applications.records import Conversation, EndUser, Variable
from seekway.applications.store.table import Table
from seekway.applications.store.uploads import delete_unused
from seekway.core.errors import NotFound
from seekway.storage.sql.database import Connection, Database, Value

USERS = Table("app_users", EndUser)
CONVERSATIONS = Table("app_conversations", Conversation, json=("inputs",))
VARIABLES = Table("app_variables", Variable, json=("value",))
_OF_ITS_MESSAGES = "message in (select id from app_messages where conversation = ?)"
Order = Literal["created_at", "-created_at", "updated_at", "-updated_at"]


class ConversationRows:
    """A conversation is its user's: for another it raises ``NotFound``, as for one that is not there."""

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock

    async def user(self, tenant: str, app: str, session: str, *, anonymous: bool = False) -> EndUser:
        """Made where it is new."""
        where = "where app = ? and session = ?"
        known = await self._database.read(lambda connection: USERS.one(connection, where, app, session))
        if known is not None:
            return known
        now = self._clock()
        made = EndUser(tenant, app, str(uuid.uuid4()), session, anonymous, now, now)

        def work(connection: Connection) -> EndUser:
            # Another request of the same user may have come first.
            known = USERS.one(connection, where, app, session)
            if known is None:
                USERS.insert(connection, made)
            return known or made

        return await self._database.write(work)

    async def user_by_id(self, tenant: str, app: str, user: str) -> EndUser:
        found = await self._database.read(
            lambda connection: USERS.one(connection, "where tenant = ? and app = ? and id = ?", tenant, app, user)
        )
        if found is None:
            raise NotFound("There is no such end user.", param="end_user_id")
        return found

    async def conversation(self, app: str, user: str, conversation: str) -> Conversation:
        return await self._database.read(lambda connection: conversation_of(connection, app, user, conversation))

    async def conversations(
        self, app: str, user: str, *, after: str | None = None, limit: int = 20, order: Order = "-updated_at"
    ) -> tuple[list[Conversation], bool]:
        """Those behind ``after`` in ``order``, and whether there are more. Raises ``NotFound`` for an ``after`` that is not there."""
        column, down = order.lstrip("-"), order.startswith("-")
        way, beyond = ("desc", "<") if down else ("asc", ">")

        def work(connection: Connection) -> tuple[list[Conversation], bool]:
            where, more = 'where app = ? and "user" = ?', list[Value]((app, user))
            if after is not None:
                last = conversation_of(connection, app, user, after)
                moment: int = getattr(last, column)
                where += f" and ({column} {beyond} ? or ({column} = ? and id {beyond} ?))"
                more += (moment, moment, last.id)
            rest = f"{where} order by {column} {way}, id {way} limit ?"
            found = CONVERSATIONS.all(connection, rest, *more, limit + 1)
            return found[:limit], len(found) > limit

        return await self._database.read(work)

    async def rename(self, app: str, user: str, conversation: str, name: str) -> Conversation:
        now = self._clock()

        def work(connection: Connection) -> Conversation:
            known = conversation_of(connection, app, user, conversation)
            renamed = msgspec.structs.replace(known, name=name, updated_at=now)
            CONVERSATIONS.update(connection, renamed, ("name", "updated_at"))
            return renamed

        return await self._database.write(work)

    async def sum_up(self, conversation: str, summary: str, summed_up: int) -> None:
        """Nothing where it reaches less far than the one there is, or the conversation is gone."""
        await self._database.write(
            lambda connection: connection.run(
                "update app_conversations set summary = ?, summed_up = ? where id = ? and summed_up < ?",
                *(summary, summed_up, conversation, summed_up),
            )
        )

    async def delete(self, app: str, user: str, conversation: str) -> None:
        """With every trace of it; files go that came with no other conversation."""

        def work(connection: Connection) -> None:
            conversation_of(connection, app, user, conversation)
            uploads = connection.all(
                f"select distinct upload from app_message_uploads where {_OF_ITS_MESSAGES}",  # noqa: S608 - names are our own
                conversation,
            )
            for table in ("thoughts", "message_uploads"):
                connection.run(f"delete from app_{table} where {_OF_ITS_MESSAGES}", conversation)  # noqa: S608 - names are our own
            for table in ("messages", "feedbacks", "variables"):
                connection.run(f"delete from app_{table} where conversation = ?", conversation)  # noqa: S608 - names are our own
            connection.run("delete from app_conversations where id = ?", conversation)
            for (upload,) in uploads:
                delete_unused(connection, "id = ?", upload)

        await self._database.write(work)

    async def variables(
        self, conversation: str, *, name: str | None = None, after: str | None = None, limit: int = 20
    ) -> tuple[list[Variable], bool]:
        """By when they were made."""

        def work(connection: Connection) -> tuple[list[Variable], bool]:
            where, more = "where conversation = ?", list[Value]((conversation,))
            if name is not None:
                where += " and name = ?"
                more.append(name)
            if after is not None:
                last = variable_of(connection, conversation, after)
                where += " and (created_at > ? or (created_at = ? and id > ?))"
                more += (last.created_at, last.created_at, last.id)
            found = VARIABLES.all(connection, f"{where} order by created_at, id limit ?", *more, limit + 1)
            return found[:limit], len(found) > limit

        return await self._database.read(work)

    async def variable(self, conversation: str, variable: str) -> Variable:
        return await self._database.read(lambda connection: variable_of(connection, conversation, variable))

    async def set_variable(self, conversation: str, variable: str, value: Any) -> Variable:
        """The caller has seen that ``value`` is of its type. Raises ``NotFound``."""
        now = self._clock()

        def work(connection: Connection) -> Variable:
            known = variable_of(connection, conversation, variable)
            changed = msgspec.structs.replace(known, value=value, updated_at=now)
            VARIABLES.update(connection, changed, ("value", "updated_at"))
            return changed

        return await self._database.write(work)

    async def add_variable(self, variable: Variable) -> Variable:
        """Raises ``AlreadyExists`` for a name that the conversation has."""
        now = self._clock()
        made = msgspec.structs.replace(variable, id=variable.id or str(uuid.uuid4()), created_at=now, updated_at=now)
        await self._database.write(lambda connection: VARIABLES.insert(connection, made))
        return made


def conversation_of(connection: Connection, app: str, user: str, conversation: str) -> Conversation:
    found = CONVERSATIONS.one(connection, 'where id = ? and app = ? and "user" = ?', conversation, app, user)
    if found is None:
        raise NotFound("Conversation Not Exists.", param="conversation_id")
    return found


def variable_of(connection: Connection, conversation: str, variable: str) -> Variable:
    found = VARIABLES.one(connection, "where id = ? and conversation = ?", variable, conversation)
    if found is None:
        raise NotFound("Conversation Variable Not Exists.", param="variable_id")
    return found
