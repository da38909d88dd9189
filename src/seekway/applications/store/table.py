"""Rows as structs: what is no number, text or truth is kept as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar, cast

import msgspec

from seekway.storage.sql.database import Connection, Row, Value

R = TypeVar("R", bound=msgspec.Struct)
_ENCODER = msgspec.json.Encoder()
_PLAIN = (str, int, float, bool)


class Table(Generic[R]):
    """``kind``'s fields are the columns of ``name``, in their order; ``json`` names those that are kept as JSON."""

    def __init__(self, name: str, kind: type[R], json: Sequence[str] = ()) -> None:
        self.name = name
        self._kind = kind
        self._fields = kind.__struct_fields__
        self._json = frozenset(json)
        self.columns = ", ".join(f'"{field}"' for field in self._fields)
        marks = ", ".join("?" * len(self._fields))
        self._insert = f"insert into {name} ({self.columns}) values ({marks})"  # noqa: S608 - names are our own
        # By their own types, so that a truth comes back as one and a text that looks like a number stays a text.
        self._decoders: dict[str, msgspec.json.Decoder[object]] = {
            field: msgspec.json.Decoder(_type_of(kind, field)) for field in self._json
        }

    def insert(self, connection: Connection, record: R) -> None:
        """Raises ``AlreadyExists``."""
        connection.run(self._insert, *[self._value(field, getattr(record, field)) for field in self._fields])

    def insert_many(self, connection: Connection, records: Sequence[R]) -> None:
        rows = [[self._value(field, getattr(record, field)) for field in self._fields] for record in records]
        connection.run_many(self._insert, rows)

    def update(self, connection: Connection, record: R, fields: Sequence[str], key: Sequence[str] = ("id",)) -> int:
        """Write ``fields`` of ``record`` into the row that has its ``key``; how many rows there were."""
        assignments = ", ".join(f'"{field}" = ?' for field in fields)
        values = [self._value(field, getattr(record, field)) for field in (*fields, *key)]
        return connection.run(f"update {self.name} set {assignments} where {_where(key)}", *values)  # noqa: S608 - names are our own

    def all(self, connection: Connection, rest: str, *parameters: Value) -> list[R]:
        """``rest`` follows ``from table``: its ``where``, ``order by`` and ``limit``."""
        rows = connection.all(f"select {self.columns} from {self.name} {rest}", *parameters)  # noqa: S608 - as above
        return [self._record(row) for row in rows]

    def one(self, connection: Connection, rest: str, *parameters: Value) -> R | None:
        row = connection.one(f"select {self.columns} from {self.name} {rest}", *parameters)  # noqa: S608 - as above
        return None if row is None else self._record(row)

    def count(self, connection: Connection, rest: str, *parameters: Value) -> int:
        row = connection.one(f"select count(*) from {self.name} {rest}", *parameters)  # noqa: S608 - as above
        return 0 if row is None else int(row[0] or 0)

    def delete(self, connection: Connection, rest: str, *parameters: Value) -> int:
        return connection.run(f"delete from {self.name} {rest}", *parameters)  # noqa: S608 - as above

    def _value(self, field: str, value: object) -> Value:
        if field in self._json:
            return _ENCODER.encode(value).decode()
        if isinstance(value, bool):
            return int(value)
        if isinstance(value, str):
            # PostgreSQL keeps no NUL, and an answer must not be lost for one.
            return value.replace("\x00", "")
        assert value is None or isinstance(value, (*_PLAIN, bytes))  # noqa: S101 - the tables are our own
        return value

    def _record(self, row: Row) -> R:
        pairs = zip(self._fields, row, strict=True)
        values: dict[str, object] = {
            field: self._decoders[field].decode(str(value)) if field in self._json else value for field, value in pairs
        }
        return msgspec.convert(values, self._kind, strict=False)


def like(text: str) -> str:
    """A pattern for ``like … escape '!'`` that finds ``text`` anywhere, in small letters."""
    for special in "!%_":
        text = text.replace(special, f"!{special}")
    return f"%{text.lower()}%"


def _where(key: Sequence[str]) -> str:
    return " and ".join(f'"{field}" = ?' for field in key)


def _type_of(kind: type[msgspec.Struct], field: str) -> type[object]:
    return cast("type[object]", next(one.type for one in msgspec.structs.fields(kind) if one.name == field))
