"""The metrics of several gateway processes that share a port, from whichever of them is scraped.

Each worker listens on a Unix socket in a folder of theirs and tells its families to whoever connects.
The one that is scraped asks the others and gives every sample a ``worker`` label, so that nothing is added up here that Prometheus adds up better.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

_ASK_S = 1.0
_SHARED = ("seekway_engine_", "seekway_model_", "seekway_worker_")
"""Figures of backends, which every worker knows alike: they are told once, without a label."""


class _Sample(msgspec.Struct, frozen=True, array_like=True):
    name: str
    labels: dict[str, str]
    value: float


class _Family(msgspec.Struct, frozen=True, array_like=True):
    name: str
    documentation: str
    type: str
    samples: tuple[_Sample, ...]


_DECODER = msgspec.msgpack.Decoder(tuple[_Family, ...])


class WorkerMetrics:
    """``number`` is this worker's, from 1; ``folder`` holds a socket for each worker that lives."""

    def __init__(self, registry: CollectorRegistry, number: int, folder: Path) -> None:
        self._registry = registry
        self._number = number
        self._folder = folder

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[None]:
        """Answer the other workers until the block is left."""
        path = self._folder / f"{self._number}.sock"
        path.unlink(missing_ok=True)  # of a predecessor that was killed
        server = await asyncio.start_unix_server(self._tell, path)
        try:
            yield
        finally:
            server.close()
            path.unlink(missing_ok=True)

    async def collect(self) -> Collector:
        """Everybody's families; a worker that does not answer within a second is missing, and ``seekway_workers`` counts those that did."""
        numbers = sorted(int(path.stem) for path in self._folder.glob("*.sock"))
        others = [number for number in numbers if number != self._number]
        answers = await asyncio.gather(*(self._ask(number) for number in others))
        told = [(self._number, _families(self._registry.collect()))]
        told += [(number, families) for number, families in zip(others, answers, strict=True) if families is not None]
        return _Joined(told, self._number)

    async def _tell(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(msgspec.msgpack.encode(_families(self._registry.collect())))
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _ask(self, number: int) -> tuple[_Family, ...] | None:
        try:
            async with asyncio.timeout(_ASK_S):
                reader, writer = await asyncio.open_unix_connection(self._folder / f"{number}.sock")
                try:
                    return _DECODER.decode(await reader.read())
                finally:
                    writer.close()
        except (OSError, TimeoutError, msgspec.MsgspecError):
            return None


class _Joined(Collector):
    def __init__(self, told: list[tuple[int, tuple[_Family, ...]]], own: int) -> None:
        self._told = told
        self._own = own

    def collect(self) -> Iterator[Metric]:
        joined: dict[str, Metric] = {}
        for number, families in self._told:
            for family in families:
                shared = family.name.startswith(_SHARED)
                if shared and number != self._own:
                    continue
                if family.name not in joined:
                    joined[family.name] = Metric(family.name, family.documentation, family.type)
                for sample in family.samples:
                    labels = sample.labels if shared else {**sample.labels, "worker": str(number)}
                    joined[family.name].add_sample(sample.name, labels, sample.value)
        workers = Metric("seekway_workers", "Gateway processes that told their figures.", "gauge")
        workers.add_sample("seekway_workers", {}, len(self._told))
        joined["seekway_workers"] = workers
        yield from joined.values()


def _families(families: Iterable[Metric]) -> tuple[_Family, ...]:
    return tuple(
        _Family(
            family.name,
            family.documentation,
            family.type,
            tuple(_Sample(sample.name, sample.labels, float(sample.value)) for sample in family.samples),
        )
        for family in families
    )
