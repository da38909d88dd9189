"""Office files are zip archives of XML, read here a piece at a time: neither a bomb nor a deep tree takes more memory than a plain file."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Final
from xml.parsers import expat

from seekway.core.errors import DocumentUnreadable
from seekway.knowledge.parsing.parsed import Bounds

_PIECE: Final = 65_536
_COMPOUND: Final = bytes.fromhex("d0cf11e0a1b11ae1")


class Archive:
    """Raises ``DocumentUnreadable`` for what is broken, locked or unpacks to too much, all that it unpacks counted together."""

    def __init__(self, data: bytes, bounds: Bounds) -> None:
        if data.startswith(_COMPOUND):
            raise DocumentUnreadable(
                "The file is locked with a password or of an Office before 2007; save it without password, as .docx, .xlsx or .pptx."
            )
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
            names = self._zip.infolist()
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
            raise DocumentUnreadable("The file is broken or cut off; save it again.") from error
        if len(names) > bounds.members:
            raise DocumentUnreadable(
                f"The file holds {len(names):,} parts, of at most {bounds.members:,}; save it again."
            )
        self._bounds = bounds
        self._left = bounds.unpacked_bytes
        if sum(info.file_size for info in names) > bounds.unpacked_bytes:
            raise self._too_much()
        self.names = frozenset(info.filename for info in names)

    def read_xml(
        self,
        name: str,
        started: Callable[[str, Mapping[str, str]], None],
        *,
        ended: Callable[[str], None] | None = None,
        text: Callable[[str], None] | None = None,
    ) -> None:
        """Tell ``started(tag, attributes)``, ``ended(tag)`` and ``text(characters)`` what the part has; of names only what follows the namespace."""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        depth = 0

        def start(tag: str, attributes: dict[str, str]) -> None:
            nonlocal depth
            depth += 1
            if depth > self._bounds.depth:
                raise DocumentUnreadable(
                    f"The part {name} nests deeper than {self._bounds.depth}; save the file again."
                )
            started(_local(tag), {_local(key): value for key, value in attributes.items()})

        def end(tag: str) -> None:
            nonlocal depth
            depth -= 1
            if ended is not None:
                ended(_local(tag))

        def refuse(*_: object) -> None:
            raise DocumentUnreadable(f"The part {name} declares entities, which no Office writes; save the file again.")

        parser.StartElementHandler = start
        parser.EndElementHandler = end
        parser.CharacterDataHandler = text
        parser.EntityDeclHandler = refuse
        self._feed(name, parser)

    def _feed(self, name: str, parser: expat.XMLParserType) -> None:
        """The part, piece by piece, each error of the archive and of its XML in plain words."""
        try:
            with self._zip.open(name) as member:
                while piece := member.read(_PIECE):
                    self._left -= len(piece)
                    if self._left < 0:
                        raise self._too_much()
                    parser.Parse(piece, False)
                parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise DocumentUnreadable(
                f"The part {name} is broken at line {error.lineno}; save the file again."
            ) from error
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
            raise DocumentUnreadable(f"The part {name} is broken; save the file again.") from error
        except RuntimeError as error:
            raise DocumentUnreadable("The file is locked with a password; save it without one.") from error
        except KeyError as error:
            raise DocumentUnreadable(f"The part {name} is missing; save the file again.") from error

    def _too_much(self) -> DocumentUnreadable:
        return DocumentUnreadable(
            f"The file unpacks to more than {self._bounds.unpacked_bytes // 2**20} MiB; split it, or take its pictures out."
        )


def _local(name: str) -> str:
    return name.rpartition(" ")[2]
