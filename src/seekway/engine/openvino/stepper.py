"""The thread that drives the pipeline: takes requests in, decodes a token of each, hands what came to the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque

from seekway.core.errors import EngineCrashed, InsufficientMemory, SeekwayError
from seekway.engine.base import TokenChunk, TokenRequest
from seekway.engine.openvino.pipeline import Pipeline, Sequence
from seekway.engine.openvino.prefix_mirror import PrefixMirror

_TURNS_OF_THE_LOOP = 4
"""A chunk passes a few callbacks before it leaves the process; each takes a turn of the loop."""

_LONGEST_TURN_S = 0.05


class Job:
    """One request between the event loop and the stepping thread.

    ``sequence`` belongs to the thread; ``_arrived`` and ``_waiter`` to the loop.
    """

    def __init__(self, request: TokenRequest) -> None:
        self.request = request
        self.sequence: Sequence | None = None
        self.number = -1
        self.cached_tokens = 0
        self._arrived: deque[TokenChunk | SeekwayError] = deque()
        self._waiter: asyncio.Future[None] | None = None

    async def next(self) -> TokenChunk:
        """The next chunk; raises the error that ended the job. What came while nobody looked is joined into one chunk."""
        while not self._arrived:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        first = self._arrived.popleft()
        if isinstance(first, SeekwayError):
            raise first
        while self._arrived and isinstance(self._arrived[0], TokenChunk):
            first = _joined(first, self._arrived[0])
            self._arrived.popleft()
        return first

    def deliver(self, arrived: TokenChunk | SeekwayError) -> None:
        self._arrived.append(arrived)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Stepper:
    """Steps ``pipeline`` on a thread of its own while there is work, and sleeps on a condition while there is none.

    A step that raises leaves the pipeline unusable (it refuses every later step, and has no reset):
    all jobs end with ``EngineCrashed``, also those that come later, and :attr:`crashed` is set; the worker ends with the first such error.
    """

    def __init__(self, pipeline: Pipeline, mirror: PrefixMirror | None, loop: asyncio.AbstractEventLoop) -> None:
        self.crashed = asyncio.Event()
        self.kv_cache_used = 0.0
        self._pipeline = pipeline
        self._mirror = mirror
        self._loop = loop
        self._wake = threading.Condition()
        self._new: list[Job] = []
        self._dropped: list[Job] = []
        self._closing = False
        self._held: deque[Job] = deque()
        self._inside: dict[int, Job] = {}
        self._leaving: dict[int, Sequence] = {}
        self._numbers = 0
        self._thread = threading.Thread(target=self._run, name="openvino-stepper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, job: Job) -> None:
        if self.crashed.is_set():
            job.deliver(_crashed())
            return
        with self._wake:
            self._new.append(job)
            self._wake.notify()

    def drop(self, job: Job) -> None:
        """Take ``job`` out of the batch before the next step; harmless when it has ended."""
        with self._wake:
            self._dropped.append(job)
            self._wake.notify()

    async def close(self, reason: SeekwayError) -> None:
        """Stop after the step in progress; whoever still waits for a chunk gets ``reason``."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)
        for job in (*self._inside.values(), *self._held, *self._new):
            job.deliver(type(reason)(reason.message))
        self._inside.clear()
        self._held.clear()
        self._new.clear()

    def _run(self) -> None:
        try:
            while self._take():
                self._pipeline.step()
                self._hand_out()
        except Exception as error:  # noqa: BLE001 - the thread's edge: whatever it is, no request may hang for it
            self._fail(error)

    def _take(self) -> bool:
        """Wait for work, then bring new jobs in and dropped ones out; False when the thread is to end."""
        with self._wake:
            while not (self._new or self._dropped or self._closing or self._inside or self._pipeline.has_work()):
                self._wake.wait()
            if self._closing:
                return False
            new, self._new = self._new, []
            dropped, self._dropped = self._dropped, []
        self._held.extend(new)
        for job in dropped:
            self._leave(job)
        self._let_go()
        for _ in range(len(self._held)):
            self._enter(self._held.popleft())
        if not self._inside and not self._pipeline.has_work():
            return self._take()
        return True

    def _enter(self, job: Job) -> None:
        prompt = job.request.prompt
        if self._mirror is not None and self._mirror.must_wait(prompt):
            self._held.append(job)
            return
        self._numbers += 1
        job.number = self._numbers
        self._inside[job.number] = job
        try:
            job.sequence = self._pipeline.add(job.number, job.request)
        except SeekwayError as error:
            del self._inside[job.number]
            self._send([(job, error)])
            return
        if self._mirror is not None:
            job.cached_tokens = self._mirror.add(job.number, prompt)

    def _leave(self, job: Job) -> None:
        if job in self._held:
            self._held.remove(job)
        elif self._inside.pop(job.number, None) is not None and job.sequence is not None:
            self._leaving[job.number] = job.sequence

    def _let_go(self) -> None:
        """Cancel what was dropped, which for a prompt in the middle of a block is only some steps later."""
        for number, sequence in list(self._leaving.items()):
            if self._mirror is None:
                sequence.cancel()
            elif self._mirror.may_leave(number):
                sequence.cancel()
                self._mirror.end_after_step(number)
            else:
                continue
            del self._leaving[number]

    def _hand_out(self) -> None:
        if self._mirror is not None:
            self._mirror.step()
        sent: list[tuple[Job, TokenChunk | SeekwayError]] = []
        for number, sequence in list(self._leaving.items()):
            self._watch_leaving(number, sequence)
        for job in list(self._inside.values()):
            arrived = self._read(job)
            if arrived is not None:
                sent.append((job, arrived))
        self.kv_cache_used = self._pipeline.kv_cache_used() if self._inside else 0.0
        if sent:
            self._send(sent)
            if self._pipeline.step_holds_lock:
                self._let_the_loop_run()

    def _read(self, job: Job) -> TokenChunk | SeekwayError | None:
        if job.sequence is None:
            return None
        output = job.sequence.read()
        if self._mirror is not None and output.sampled:
            self._mirror.sampled(job.number, output.sampled)
        if output.finish is not None:
            del self._inside[job.number]
            if self._mirror is not None:
                self._mirror.end(job.number)
        elif not output.tokens:
            return None
        if output.finish == "starved":
            return InsufficientMemory("The KV cache is full; try again later, or raise kv_cache_bytes.")
        return TokenChunk(tuple(output.tokens), output.finish, job.cached_tokens)

    def _watch_leaving(self, number: int, sequence: Sequence) -> None:
        """A dropped sequence that still computes its prompt may sample, or end, before it may be cancelled."""
        output = sequence.read()
        if self._mirror is not None:
            self._mirror.sampled(number, output.sampled)
            if output.finish is not None:
                self._mirror.end(number)
        if output.finish is not None:
            del self._leaving[number]

    def _send(self, sent: list[tuple[Job, TokenChunk | SeekwayError]]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_deliver, sent)

    def _let_the_loop_run(self) -> None:
        """Wait until the event loop has passed on what was just sent, since the next step holds Python's lock."""
        passed = threading.Event()

        def turn(left: int) -> None:
            if left:
                self._loop.call_soon(turn, left - 1)
            else:
                passed.set()

        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(turn, _TURNS_OF_THE_LOOP)
            passed.wait(_LONGEST_TURN_S)

    def _fail(self, error: Exception) -> None:
        failed = [*self._inside.values(), *self._held]
        self._inside.clear()
        self._held.clear()
        if self._loop.is_closed():
            return

        def announce() -> None:
            self.crashed.set()
            with self._wake:
                waiting, self._new = self._new, []
            for job in failed + waiting:
                job.deliver(_crashed(error))

        self._loop.call_soon_threadsafe(announce)


def _deliver(sent: list[tuple[Job, TokenChunk | SeekwayError]]) -> None:
    for job, arrived in sent:
        job.deliver(arrived)


def _joined(first: TokenChunk, second: TokenChunk) -> TokenChunk:
    return TokenChunk(first.tokens + second.tokens, second.finish, second.cached_tokens)


def _crashed(error: Exception | None = None) -> EngineCrashed:
    what = f" ({type(error).__name__})" if error is not None else ""
    return EngineCrashed(f"The OpenVINO engine failed{what} and must be started again; try again shortly.")
