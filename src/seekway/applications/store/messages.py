"""Questions and answers, an agent's steps, and what users thought of them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

import msgspec

from seekway.applications.records import Conversation, Feedback, Message, Rating, Thought, Turn
from seekway.applications.store.conversations import CONVERSATIONS, conversation_of
from seekway.applications.store.table import Table
from seekway.applications.store.uploads import use
from seekway.core.errors import NotFound
from seekway.storage.sql.database import Connection, Database, Value

MESSAGES = Table("app_messages", Message, json=("inputs", "files", "sources", "cost"))
THOUGHTS = Table("app_thoughts", Thought, json=("labels", "files"))
FEEDBACKS = Table("app_feedbacks", Feedback)
_FOUND = (
    "answer",
    "reasoning",
    "status",
    "error",
    "files",
    "sources",
    "cost",
    "annotation",
    "model",
    "updated_at",
)


class MessageRows:
    """Those of another user raise ``NotFound``, as those that are not there."""

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock

    async def begin(self, message: Message, conversation: Conversation | None) -> Message:
        """Keep a question, and its conversation where that is new; its position is found. Raises ``NotFound`` where the conversation was deleted."""
        now = self._clock()

        def work(connection: Connection) -> Message:
            position = 1
            if message.conversation:
                if conversation is not None:
                    CONVERSATIONS.insert(connection, conversation)
                else:
                    conversation_of(connection, message.app, message.user, message.conversation)
                row = connection.one(
                    "select max(position) from app_messages where conversation = ?", message.conversation
                )
                position += int(row[0] or 0) if row is not None else 0
                connection.run("update app_conversations set updated_at = ? where id = ?", now, message.conversation)
            placed = msgspec.structs.replace(message, position=position, updated_at=now)
            MESSAGES.insert(connection, placed)
            use(connection, placed.id, placed.files)
            return placed

        return await self._database.write(work)

    async def end(self, message: Message, thoughts: Sequence[Thought] = ()) -> Message:
        """Keep an answer with its steps; nothing where the message was deleted meanwhile."""
        ended = msgspec.structs.replace(message, updated_at=self._clock())

        def work(connection: Connection) -> None:
            if MESSAGES.update(connection, ended, _FOUND):
                use(connection, ended.id, ended.files)
                connection.run("delete from app_thoughts where message = ?", ended.id)
                THOUGHTS.insert_many(connection, thoughts)

        await self._database.write(work)
        return ended

    async def break_off_running(self, error: str) -> int:
        """Those that a process which is no more left unfinished; for the start, before anything runs."""
        return await self._database.write(
            lambda connection: connection.run(
                "update app_messages set status = 'error', error = ? where status = 'running'", error
            )
        )

    async def message(self, app: str, user: str, message: str) -> Message:
        return await self._database.read(lambda connection: message_of(connection, app, user, message))

    async def history(self, conversation: str, limit: int, *, after: int = 0) -> list[Message]:
        """The newest ``limit`` messages behind position ``after`` that have an answer, the oldest first."""
        found = await self._database.read(
            lambda connection: MESSAGES.all(
                connection,
                "where conversation = ? and position > ? and answer <> '' order by position desc limit ?",
                *(conversation, after, limit),
            )
        )
        return found[::-1]

    async def recall(self, app: str, user: str, conversation: str, limit: int) -> tuple[Conversation, list[Turn]]:
        """A conversation with the newest ``limit`` of its answered messages that are not summed up, the oldest first, in one read."""

        def work(connection: Connection) -> tuple[Conversation, list[Turn]]:
            found = conversation_of(connection, app, user, conversation)
            rows = connection.all(
                "select position, query, answer, reasoning from app_messages where conversation = ? and position > ? and answer <> '' and status <> 'running' order by position desc limit ?",
                *(conversation, found.summed_up, limit),
            )
            return found, [
                Turn(int(position or 0), str(query), str(answer), str(thought))
                for position, query, answer, thought in reversed(rows)
            ]

        return await self._database.read(work)

    async def first_query(self, conversation: str) -> str:
        """Empty where it has none."""
        row = await self._database.read(
            lambda connection: connection.one(
                "select query from app_messages where conversation = ? order by position limit 1", conversation
            )
        )
        return "" if row is None else str(row[0])

    async def messages(
        self, app: str, user: str, conversation: str, *, before: str | None = None, limit: int = 20
    ) -> tuple[list[Message], bool]:
        """The newest that stand before the message ``before``, the newest first, and whether there are more."""

        def work(connection: Connection) -> tuple[list[Message], bool]:
            conversation_of(connection, app, user, conversation)
            where, more = "where conversation = ?", list[Value]((conversation,))
            if before is not None:
                first = MESSAGES.one(connection, "where id = ? and conversation = ?", before, conversation)
                if first is None:
                    raise NotFound("First Message Not Exists.", param="first_id")
                where += " and position < ?"
                more.append(first.position)
            found = MESSAGES.all(connection, f"{where} order by position desc limit ?", *more, limit + 1)
            return found[:limit], len(found) > limit

        return await self._database.read(work)

    async def carries(self, app: str, upload: str) -> bool:
        """Whether a message of ``app`` came with that file."""
        found = await self._database.read(
            lambda connection: connection.one(
                "select 1 from app_message_uploads u join app_messages m on m.id = u.message where u.upload = ? and m.app = ? limit 1",
                *(upload, app),
            )
        )
        return found is not None

    async def thoughts(self, messages: Sequence[str]) -> dict[str, list[Thought]]:
        """Of each message that has some, in their order."""
        if not messages:
            return {}
        marks = ", ".join("?" * len(messages))
        found = await self._database.read(
            lambda connection: THOUGHTS.all(
                connection, f"where message in ({marks}) order by message, position", *messages
            )
        )
        grouped: dict[str, list[Thought]] = {}
        for thought in found:
            grouped.setdefault(thought.message, []).append(thought)
        return grouped

    async def rate(self, app: str, user: str, message: str, rating: Rating | None, content: str = "") -> None:
        """A user has one opinion of a message; None takes it back."""
        now = self._clock()

        def work(connection: Connection) -> None:
            about = message_of(connection, app, user, message)
            known = FEEDBACKS.one(connection, 'where message = ? and "user" = ?', message, user)
            if known is not None:
                FEEDBACKS.delete(connection, "where id = ?", known.id)
            if rating is not None:
                made = now if known is None else known.created_at
                feedback = Feedback(
                    app, about.conversation, message, str(uuid.uuid4()), user, rating, content, made, now
                )
                FEEDBACKS.insert(connection, feedback)

        await self._database.write(work)

    async def ratings(self, user: str, messages: Sequence[str]) -> dict[str, Feedback]:
        """``user``'s, by message."""
        if not messages:
            return {}
        marks = ", ".join("?" * len(messages))
        found = await self._database.read(
            lambda connection: FEEDBACKS.all(connection, f'where "user" = ? and message in ({marks})', user, *messages)
        )
        return {feedback.message: feedback for feedback in found}

    async def feedbacks(self, app: str, *, page: int = 1, limit: int = 20) -> list[Feedback]:
        """Of all users, the newest first; ``page`` counts from 1."""
        return await self._database.read(
            lambda connection: FEEDBACKS.all(
                connection,
                "where app = ? order by created_at desc, id limit ? offset ?",
                app,
                limit,
                (page - 1) * limit,
            )
        )


def message_of(connection: Connection, app: str, user: str, message: str) -> Message:
    found = MESSAGES.one(connection, 'where id = ? and app = ? and "user" = ?', message, app, user)
    if found is None:
        raise NotFound("Message Not Exists.", param="message_id")
    return found
