"""A child process as transport of an MCP client (https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#stdio).

The library's own keeps whatever comes until a line ends, and copies all of it at each read; here a message has a bound.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client.stdio import get_default_environment
from mcp.os.posix.utilities import terminate_posix_process_tree
from mcp.shared.message import SessionMessage
from mcp_types import (
    CONNECTION_CLOSED,
    ErrorData,
    JSONRPCError,
    JSONRPCRequest,
    JSONRPCResponse,
    RequestId,
    jsonrpc_message_adapter,
)

_LEAVING_S: Final = 2.0
_FLUSHING_S: Final = 0.5
_LOOK_S: Final = 0.01
Incoming = SessionMessage | Exception


@asynccontextmanager
async def program(
    command: Sequence[str], environment: Mapping[str, str], most_bytes: int
) -> AsyncGenerator[tuple[MemoryObjectReceiveStream[Incoming], MemoryObjectSendStream[SessionMessage]]]:
    """Start ``command`` with ``environment`` and what programs cannot do without, and end it with its children.

    A message of more than ``most_bytes`` ends the connection and fails the requests under way. Raises ``OSError`` where the program cannot be started.
    """
    process = await anyio.open_process(
        command, env=get_default_environment() | dict(environment), stderr=None, start_new_session=True
    )
    to_session, incoming = anyio.create_memory_object_stream[Incoming](0)
    outgoing, from_session = anyio.create_memory_object_stream[SessionMessage](0)
    pipes = _Pipes(process, to_session, from_session, most_bytes)
    async with anyio.create_task_group() as group:
        group.start_soon(pipes.read)
        group.start_soon(pipes.write)
        try:
            yield incoming, outgoing
        finally:
            with anyio.CancelScope(shield=True):
                incoming.close()
                outgoing.close()
                with anyio.move_on_after(_FLUSHING_S):
                    await pipes.written.wait()
                await pipes.end()
                to_session.close()
                from_session.close()
            group.cancel_scope.cancel()


class _Pipes:
    def __init__(
        self,
        process: Process,
        to_session: MemoryObjectSendStream[Incoming],
        from_session: MemoryObjectReceiveStream[SessionMessage],
        most_bytes: int,
    ) -> None:
        assert process.stdin is not None  # noqa: S101 - started with pipes
        assert process.stdout is not None  # noqa: S101 - as above
        self._process = process
        self._stdin = process.stdin
        self._stdout = process.stdout
        self._to_session = to_session
        self._from_session = from_session
        self._most_bytes = most_bytes
        self._asked: set[RequestId] = set()
        self.written = anyio.Event()

    async def read(self) -> None:
        lines = BufferedByteReceiveStream(self._stdout)
        async with self._to_session:
            with suppress(anyio.IncompleteRead, anyio.ClosedResourceError, anyio.BrokenResourceError):
                try:
                    while True:
                        await self._to_session.send(self._message(await lines.receive_until(b"\n", self._most_bytes)))
                except anyio.DelimiterNotFound:
                    await self._fail(f"it sent a message of more than {self._most_bytes:,} bytes")
        # A child that cannot write does not read that it shall end.
        with suppress(anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
            while True:
                await self._stdout.receive()

    def _message(self, line: bytes) -> Incoming:
        try:
            message = jsonrpc_message_adapter.validate_json(line, by_name=False)
        except ValueError as error:
            return error
        if isinstance(message, JSONRPCResponse | JSONRPCError) and message.id is not None:
            self._asked.discard(message.id)
        return SessionMessage(message)

    async def _fail(self, why: str) -> None:
        for asked in tuple(self._asked):
            error = JSONRPCError(jsonrpc="2.0", id=asked, error=ErrorData(code=CONNECTION_CLOSED, message=why))
            await self._to_session.send(SessionMessage(error))
        # It might go on writing until somebody asks again.
        with suppress(ProcessLookupError):
            self._process.kill()

    async def write(self) -> None:
        try:
            async for asking in self._from_session:
                if isinstance(asking.message, JSONRPCRequest):
                    self._asked.add(asking.message.id)
                line = asking.message.model_dump_json(by_alias=True, exclude_unset=True)
                await self._stdin.send(line.encode() + b"\n")
        except (anyio.ClosedResourceError, anyio.BrokenResourceError, OSError):
            # Nobody who waits may wait for a child that does not listen.
            await self._to_session.aclose()
        finally:
            self.written.set()

    async def end(self) -> None:
        """As the protocol asks: close the child's input, wait, then end it and its children."""
        with suppress(OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            await self._stdin.aclose()
        if not await _gone(self._process):
            await terminate_posix_process_tree(self._process, _LEAVING_S)
            await _gone(self._process)
        with suppress(OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            await self._stdout.aclose()


async def _gone(process: Process) -> bool:
    """Asks for the exit code: waiting for the process would wait for all that inherited its pipes."""
    with anyio.move_on_after(_LEAVING_S):
        # The library has no event that comes before all ends of the pipes are closed.
        while process.returncode is None:  # noqa: ASYNC110
            await anyio.sleep(_LOOK_S)
    return process.returncode is not None
