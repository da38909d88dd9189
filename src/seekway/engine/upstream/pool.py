"""The connections to one backend: at most so many, kept alive, the last used first; and the one clock of all that waits on them.

Nothing here costs a timer or a task a request: while anything is under way one sweep every twentieth of a second looks at silence,
deadlines and patience, and none runs while there is nothing to look at. Only making a new connection takes a task.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Protocol

from seekway.core.errors import InternalError, SeekwayError
from seekway.engine.upstream.call import Call
from seekway.engine.upstream.connection import Connection
from seekway.engine.upstream.failures import WireFailures

SWEEP_S = 0.05
KEPT_S = 15.0
"""How long an idle connection is kept, and how often the idle ones are looked at when there is nothing else."""


class Dials(Protocol):
    """Makes a connection of a pool; raises ``OSError`` or ``ValueError``."""

    async def dial(self, pool: Pool) -> Connection: ...


class Pool:
    """``limit`` calls at once; what comes beyond waits its turn for at most ``connect_timeout_s``, as making a connection may last."""

    def __init__(
        self,
        dialer: Dials,
        failures: WireFailures,
        *,
        limit: int,
        connect_timeout_s: float,
        idle_timeout_s: float,
    ) -> None:
        self.failures = failures
        self._dialer = dialer
        self._limit = limit
        self._connect_timeout_s = connect_timeout_s
        self._idle_timeout_s = idle_timeout_s
        self._connections: set[Connection] = set()
        self._idle: list[Connection] = []
        self._waiting: OrderedDict[Call, None] = OrderedDict()
        self._dialing: dict[Call, asyncio.Task[Connection]] = {}
        self._ending: set[asyncio.Task[Connection]] = set()
        self._busy = 0
        self._sweep: asyncio.TimerHandle | None = None
        self._sweep_at = 0.0
        self._resting = False
        self._closed = False

    @property
    def busy(self) -> int:
        """Calls that hold one of the ``limit`` places."""
        return self._busy

    @property
    def connections(self) -> int:
        return len(self._connections)

    def submit(self, call: Call) -> None:
        """Send the payload of ``call`` as soon as there is a connection for it; never calls it back before returning."""
        if self._sweep is None or self._resting:
            self._schedule(SWEEP_S)
        if self._closed:
            asyncio.get_running_loop().call_soon(call.lost, self.failures.closed())
        elif self._busy >= self._limit:
            call.patience = self._now() + self._connect_timeout_s
            self._waiting[call] = None
        else:
            self._busy += 1
            self._serve(call)

    def forget(self, call: Call) -> None:
        """Free whatever ``call`` holds; a connection that carries it is closed, which is how the backend learns to stop."""
        connection = call.connection
        if connection is not None:
            self.drop(connection)
            self.release()
        elif call in self._waiting:
            del self._waiting[call]
        elif call in self._dialing:
            self._stop_dialing(call)
            self.release()

    def retry(self, call: Call) -> None:
        """The kept connection that ``call`` was sent over turned out dead: once more, over a new one, in the same place."""
        if self._idle and len(self._connections) >= self._limit:
            self.drop(self._idle[0])
        self._dial(call)

    def put(self, connection: Connection) -> None:
        """An answer was whole: the connection goes to whoever waits longest, or rests."""
        self._busy -= 1
        if self._waiting:
            self._busy += 1
            connection.send(self._waiting.popitem(last=False)[0])
        else:
            self._idle.append(connection)

    def release(self) -> None:
        """A place is free whose connection is not."""
        self._busy -= 1
        if self._waiting:
            self._busy += 1
            self._serve(self._waiting.popitem(last=False)[0])

    def drop(self, connection: Connection) -> Call | None:
        """Close a connection; the call it carried, if any, still holds its place."""
        self.gone(connection)
        return connection.abort()

    def gone(self, connection: Connection) -> None:
        """The connection is closed, by whomever."""
        self._connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def fail(self, connection: Connection, error: SeekwayError) -> None:
        """Close a connection and tell the call that it carried why."""
        call = self.drop(connection)
        if call is not None:
            self.release()
            call.lost(error)

    async def close(self) -> None:
        """Close every connection; all calls fail."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        closed = self.failures.closed()
        calls = [*self._waiting, *self._dialing]
        calls += [call for connection in tuple(self._connections) if (call := self.drop(connection)) is not None]
        for call in tuple(self._dialing):
            self._stop_dialing(call)
        self._waiting.clear()
        self._busy = 0
        for call in calls:
            call.lost(closed)
        await asyncio.gather(*self._ending, return_exceptions=True)

    def _serve(self, call: Call) -> None:
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.usable:
                connection.send(call)
                return
            self._connections.discard(connection)
        self._dial(call)

    def _dial(self, call: Call) -> None:
        call.patience = self._now() + self._connect_timeout_s
        # Held in _dialing, then _ending, and awaited by close: it begins within a callback, where there is no task group.
        task = asyncio.get_running_loop().create_task(self._dialer.dial(self))
        self._dialing[call] = task
        task.add_done_callback(lambda task: self._dialed(call, task))

    def _stop_dialing(self, call: Call) -> None:
        task = self._dialing.pop(call)
        self._ending.add(task)
        task.cancel()

    def _dialed(self, call: Call, task: asyncio.Task[Connection]) -> None:
        if self._dialing.get(call) is not task:
            self._ending.discard(task)
            if not task.cancelled() and task.exception() is None:
                task.result().abort()  # it was ready in the moment in which nobody wanted it any more
            return
        del self._dialing[call]
        error = task.exception() if not task.cancelled() else None
        if error is None and not task.cancelled():
            connection = task.result()
            if connection.usable:
                self._connections.add(connection)
                connection.send(call)
                return
            error = ConnectionResetError()
        self.release()
        if isinstance(error, (OSError, ValueError)):
            call.lost(self.failures.not_connected(error))
        else:
            call.lost(
                InternalError(f"The connection to the backend {self.failures.name} could not be made; try again.")
            )

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _schedule(self, delay: float) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
        self._resting = delay > SWEEP_S
        self._sweep_at = self._now() + delay
        self._sweep = asyncio.get_running_loop().call_at(self._sweep_at, self._look)

    def _look(self) -> None:
        """The sweep: what has been silent, waited or run for too long fails; what has been idle for long is closed."""
        now = self._now()
        if (late := now - self._sweep_at) > SWEEP_S:
            self._stood_still(late)
        self._sweep = None
        if self._busy:
            self._schedule(min(SWEEP_S, self._idle_timeout_s / 4))
        elif self._connections:
            self._schedule(KEPT_S)
        for connection in tuple(self._connections):
            self._look_at(connection, now)
        for call in (*self._waiting, *self._dialing):
            self._look_at_waiting(call, now)

    def _stood_still(self, seconds: float) -> None:
        """This process did, or the machine: what the backend said meanwhile is not read yet, so that nobody may call it silent or slow."""
        for connection in self._connections:
            connection.since += seconds
        for call in (*self._waiting, *self._dialing):
            call.patience += seconds

    def _look_at(self, connection: Connection, now: float) -> None:
        call = connection.call
        if call is None:
            if connection.is_silent(now, KEPT_S):
                self.drop(connection)
        elif call.over:
            if now >= connection.drain_until:
                self.fail(connection, self.failures.silent())
        elif now >= call.deadline:
            self.fail(connection, self.failures.out_of_time())
        elif connection.is_silent(now, self._idle_timeout_s):
            self.fail(connection, self.failures.silent())

    def _look_at_waiting(self, call: Call, now: float) -> None:
        late = call.deadline <= call.patience
        if now < (call.deadline if late else call.patience) or (
            call not in self._waiting and call not in self._dialing
        ):
            return
        waited = call in self._waiting
        self.forget(call)
        if late:
            call.lost(self.failures.out_of_time())
        else:
            call.lost(self.failures.busy() if waited else self.failures.slow_connect())
