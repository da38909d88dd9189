"""Excel's .xlsx, and with it .xls, .xlsb and .ods, through calamine."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from typing import Final, Protocol, cast

from seekway.core.errors import DocumentUnreadable
from seekway.knowledge.parsing.archive import Archive
from seekway.knowledge.parsing.delimited import pairs_of
from seekway.knowledge.parsing.parsed import Bounds, Parsed, TextWriter

_ZIP: Final = b"PK"


class _Sheet(Protocol):
    def iter_rows(self) -> Iterator[Sequence[object]]: ...


class _Workbook(Protocol):
    """What is used of calamine's workbook, whose own types are loose."""

    @property
    def sheet_names(self) -> list[str]: ...
    def get_sheet_by_name(self, name: str, /) -> _Sheet: ...


def parse_sheet(data: bytes, bounds: Bounds) -> Parsed:
    """A page and a title for each sheet, a table below it; formulas as the values they had when the file was saved."""
    import python_calamine

    if data.startswith(_ZIP):
        Archive(data, bounds)
    try:
        book = cast("_Workbook", python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data)))
    except python_calamine.PasswordError as error:
        raise DocumentUnreadable("The file is locked with a password; save it without one.") from error
    except (python_calamine.CalamineError, OSError) as error:
        raise DocumentUnreadable("The file is broken or not of Excel; save it as .xlsx.") from error
    writer = TextWriter(bounds)
    pairs: list[tuple[str, str]] = []
    cells = 0
    for name in book.sheet_names:
        try:
            rows: list[list[str]] = []
            for row in book.get_sheet_by_name(name).iter_rows():
                cells += len(row)
                if cells > bounds.cells:
                    raise DocumentUnreadable(
                        f"With the sheet {name!r} it has more than {bounds.cells:,} cells; delete empty rows and columns, or split it."
                    )
                rows.append([_shown(cell) for cell in row])
        except (python_calamine.CalamineError, OSError) as error:
            raise DocumentUnreadable(f"The sheet {name!r} cannot be read; save the file as .xlsx again.") from error
        rows = _trimmed(rows)
        if rows:
            writer.page(name)
            writer.heading(1, name)
            writer.table(rows)
            pairs.extend(pairs_of(rows))
    return writer.done(tuple(pairs))


def _trimmed(rows: list[list[str]]) -> list[list[str]]:
    """Without empty rows, nor empty columns at the right."""
    filled = [row for row in rows if any(row)]
    width = max((len(row) - next(k for k, cell in enumerate(reversed(row)) if cell) for row in filled), default=0)
    return [row[:width] for row in filled]


def _shown(cell: object) -> str:
    match cell:
        case bool():
            return "TRUE" if cell else "FALSE"
        case float():
            return (
                str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
            )  # beyond it floats skip integers
        case datetime():
            return cell.date().isoformat() if cell.time() == time() else cell.isoformat(" ", "seconds")
        case date() | time():
            return cell.isoformat()
        case _:
            return str(cell)
