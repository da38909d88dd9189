"""The process in which foreign files are read; it has nothing but its two pipes, and bounds on memory and time.

Run as ``python -I -m seekway.knowledge.parsing.reader_child MEMORY_MIB SECONDS``.
Each frame on stdin is a length of 4 bytes and a :class:`ReadTask`; each gets one frame with an :class:`Answer` back, in order.
"""

from __future__ import annotations

import resource
import sys
from typing import BinaryIO, Final

import msgspec

from seekway.core.errors import SeekwayError
from seekway.knowledge.parsing.parse import parse
from seekway.knowledge.parsing.parsed import Bounds, Parsed

LENGTH_BYTES: Final = 4


class ReadTask(msgspec.Struct, array_like=True):
    data: bytes
    filename: str
    mime: str | None
    bounds: Bounds


class Answer(msgspec.Struct, array_like=True):
    """``parsed``, or the code and message of what was wrong."""

    parsed: Parsed | None
    code: str = ""
    message: str = ""


def main() -> None:
    memory, seconds = int(sys.argv[1]) * 2**20, int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    decoder, encoder = msgspec.msgpack.Decoder(ReadTask), msgspec.msgpack.Encoder()
    while (frame := _frame(sys.stdin.buffer)) is not None:
        _allow(seconds)
        answer = encoder.encode(_answer(decoder.decode(frame)))
        sys.stdout.buffer.write(len(answer).to_bytes(LENGTH_BYTES) + answer)
        sys.stdout.buffer.flush()


def _answer(task: ReadTask) -> Answer:
    try:
        return Answer(parse(task.data, task.filename, task.mime, task.bounds))
    except SeekwayError as error:
        return Answer(None, error.code, error.message)
    except MemoryError:
        return Answer(
            None, "document_unreadable", f"{task.filename}: It takes too much memory to read; split the file."
        )
    except Exception as error:  # noqa: BLE001 - the edge of this process; the file's own failure, which must not stop the next
        message = f"{task.filename}: The file is broken in a way its reader does not know ({type(error).__name__}); save it again."
        return Answer(None, "document_unreadable", message)


def _allow(seconds: int) -> None:
    """Processor time for one more file; the kernel ends the process that takes more."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    total = int(used.ru_utime + used.ru_stime) + seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (total, resource.RLIM_INFINITY))


def _frame(pipe: BinaryIO) -> bytes | None:
    """None where the other side is gone."""
    head = pipe.read(LENGTH_BYTES)
    if len(head) < LENGTH_BYTES:
        return None
    length = int.from_bytes(head)
    frame = pipe.read(length)
    return frame if len(frame) == length else None


if __name__ == "__main__":
    main()
