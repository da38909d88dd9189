"""What the layers above know of a database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

Value = str | bytes | int | float | None
Row = tuple[Value, ...]
T = TypeVar("T")


class Connection(Protocol):
    """Statements within one transaction; parameters stand as ``?``, which stands for nothing else.

    Statements are written in what SQLite and PostgreSQL share: ``on conflict``, ``returning``, ``limit``, text, integers, reals and byte strings; truth is 0 or 1, moments are integers, JSON is text.
    Raises ``AlreadyExists`` where a unique key is taken already, ``StorageUnavailable`` for everything else that goes wrong.
    """

    def all(self, sql: str, /, *parameters: Value) -> list[Row]: ...

    def one(self, sql: str, /, *parameters: Value) -> Row | None:
        """The first row."""
        ...

    def run(self, sql: str, /, *parameters: Value) -> int:
        """How many rows were written, changed or deleted."""
        ...

    def run_many(self, sql: str, rows: Iterable[Sequence[Value]], /) -> None: ...


class Database(Protocol):
    """Work runs in threads of the database's own, each piece in one transaction, which its exception rolls back.

    Work that writes may be run again when it met another's: it must do nothing but speak to its connection.
    When ``write`` returns, the work is on disk and outlives the process and the machine's power.
    A caller that is cancelled does not take his work back.
    """

    async def read(self, work: Callable[[Connection], T], /) -> T:
        """``work`` sees one state of the data, and writes nothing."""
        ...

    async def write(self, work: Callable[[Connection], T], /) -> T: ...

    async def close(self) -> None:
        """Work that was taken is done first; what comes later is refused with ``StorageUnavailable``."""
        ...
