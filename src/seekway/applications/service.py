"""What the gateway asks of applications."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Protocol

import msgspec

from seekway.applications.definition import FileKind, TransferMethod
from seekway.applications.events import AppEvent
from seekway.applications.records import AppRecord, Conversation, Message
from seekway.applications.store.app_store import AppStore
from seekway.core.caller import Caller


class AskedFile(msgspec.Struct, frozen=True):
    """A file that comes with a question, by address or as an earlier upload."""

    kind: FileKind
    method: TransferMethod
    url: str = ""
    upload: str = ""


class Asked(msgspec.Struct, frozen=True):
    """A question to an application. ``session`` is the caller's name for the end user, None for the one that all share.

    ``conversation`` None begins one; ``auto_name`` has it named after its first question.
    ``blocking`` says that the caller reads the answer when it is whole.
    """

    query: str
    inputs: dict[str, Any] = {}
    session: str | None = None
    conversation: str | None = None
    files: tuple[AskedFile, ...] = ()
    auto_name: bool = True
    blocking: bool = False


class Applications(Protocol):
    """``store`` is what everybody may read and change: apps, conversations, messages, feedback, annotations, uploads."""

    @property
    def store(self) -> AppStore: ...

    def ask(self, app: AppRecord, caller: Caller, asked: Asked, /) -> AsyncGenerator[AppEvent, None]:
        """Run ``app``. Raises, before its first event, what is wrong with the question: ``InvalidRequest`` for form variables, ``NotFound`` for a conversation or file.

        Closing it stops the work; what was answered so far is kept.
        """
        ...

    async def stop(self, app: AppRecord, task: str, session: str | None, /) -> None:
        """End that user's task, if it runs, here or in another process of this store; its stream ends as a whole one, with what there is."""
        ...

    async def follow_ups(self, app: AppRecord, caller: Caller, message: Message, /) -> list[str]:
        """Questions that the user may ask next. Raises ``InvalidRequest`` where the application gives none."""
        ...

    async def name(self, app: AppRecord, caller: Caller, conversation: Conversation, /) -> Conversation:
        """Named by a model after its first question."""
        ...

    async def index_annotations(self, app: AppRecord, /) -> None:
        """Make the vectors that annotation replies need; also after annotations were added or changed."""
        ...
