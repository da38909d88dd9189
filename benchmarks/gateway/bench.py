"""What all sub-benchmarks share: the mock upstream, the load client, the cores, and how a load on a gateway is measured."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path

import msgspec

from benchmarks.gateway import cores
from benchmarks.gateway.contestants import over_mock, refusal, seekway, with_settings
from benchmarks.gateway.cores import Cores
from benchmarks.gateway.features import Plan, filled
from benchmarks.gateway.load import LoadClient, Loaded, Shape
from benchmarks.gateway.native import Native
from benchmarks.gateway.processes import Gateway, mock_upstream
from benchmarks.gateway.sections import Section
from benchmarks.gateway.toml_text import Table

Say = Callable[[str], None]


class Extent(msgspec.Struct, frozen=True):
    """How much is run: rounds, and seconds of each load."""

    rounds: int
    seconds: float
    memory_requests: int
    memory_s: float
    backends: tuple[int, ...] = (1, 10, 100, 1000)
    keys: tuple[int, ...] = (10, 1_000, 100_000)


FULL = Extent(rounds=5, seconds=3.0, memory_requests=1_000_000, memory_s=180.0)
SHORT = Extent(rounds=1, seconds=1.5, memory_requests=60_000, memory_s=20.0, backends=(1, 1000), keys=(10, 100_000))


class Measured(msgspec.Struct, frozen=True):
    """A load, and the CPU seconds that the gateway spent on it; 0 where there is none."""

    loaded: Loaded
    cpu_s: float

    @property
    def us_per_request(self) -> float | None:
        return 1e6 * self.cpu_s / self.loaded.answered if self.cpu_s and self.loaded.answered else None

    @property
    def us_per_token(self) -> float | None:
        return 1e6 * self.cpu_s / self.loaded.tokens if self.cpu_s and self.loaded.tokens else None

    @property
    def counts(self) -> bool:
        """Whether enough was answered rightly for the figures to say anything; failures are told in any case."""
        return self.loaded.answered > 0 and self.loaded.failed <= self.loaded.requests / 100

    @property
    def rate(self) -> float:
        return self.loaded.answered / self.loaded.seconds if self.loaded.seconds else 0.0

    @property
    def busy(self) -> float | None:
        """Percent of a core that the gateway used; well under 100 in a saturating load means that something else was the limit."""
        return 100 * self.cpu_s / self.loaded.seconds if self.cpu_s and self.loaded.seconds else None


class Bench:
    """``folder`` holds settings, keys and logs of this run, and goes with it."""

    def __init__(
        self, native: Native, extent: Extent, folder: Path, plan: Plan, without: Sequence[str], say: Say
    ) -> None:
        self.native = native
        self.extent = extent
        self.folder = folder
        self.plan = plan
        self.without = without
        self.say = say
        self.cores = Cores.of_this_machine()
        self.client = LoadClient(native.load)
        self.names: dict[str, str | int] = {"folder": str(folder), "keys": str(self.keys_file(1))}
        for feature in plan.feature:
            feature.refused = refusal(
                filled(with_settings(feature.on, over_mock([1], plan.backend)), self.names), folder
            )

    @contextlib.contextmanager
    def upstream(
        self, models: Sequence[str], ports: int = 1, where: frozenset[int] | None = None
    ) -> Generator[tuple[int, ...]]:
        with contextlib.ExitStack() as stack:
            with cores.on(where or self.cores.load):
                found = stack.enter_context(mock_upstream(self.native.mock, ports, models))
            yield found

    @contextlib.contextmanager
    def on_gateway_core(self, starting: contextlib.AbstractContextManager[Gateway]) -> Generator[Gateway]:
        with contextlib.ExitStack() as stack:
            with cores.on(self.cores.gateway):
                running = stack.enter_context(starting)
            yield running

    @contextlib.contextmanager
    def seekway(
        self, name: str, settings: Mapping[str, object], ready: str = "mock", without: str = ""
    ) -> Generator[Gateway]:
        with self.on_gateway_core(seekway(name, settings, self.folder, ready, without)) as running:
            yield running

    def everything(self, ports: Sequence[int], models: Sequence[str] = ()) -> Table:
        """The settings with every feature on that today's Seekway has."""
        known = [feature for feature in self.plan.feature if feature.refused is None]
        off = [feature.off for feature in known if not feature.everywhere]
        on = [feature.on for feature in known if feature.everywhere]
        return filled(with_settings(over_mock(ports, self.plan.backend, models), *off, *on), self.names)

    def bare(self, ports: Sequence[int], *more: Table) -> Table:
        """The settings with every feature off that can be, then ``more``."""
        off = [feature.off for feature in self.plan.feature if feature.refused is None]
        return filled(with_settings(over_mock(ports, self.plan.backend), *off, *more), self.names)

    def keys_file(self, count: int) -> Path:
        path = self.folder / f"keys-{count}"
        path.write_text("".join(f"sk-bench-{number}\n" for number in range(count)), "utf-8")
        return path

    def run(
        self, gateway: Gateway, shape: Shape, section: Section | None, where: frozenset[int] | None = None
    ) -> Measured:
        """One load; requests that failed are said in ``section``."""
        before = gateway.tree.cpu_s() if gateway.tree else 0.0
        with cores.on(where or self.cores.load):
            loaded = self.client.run(gateway.port, shape)
        spent = (gateway.tree.cpu_s() - before) if gateway.tree else 0.0
        if loaded.failed and section is not None:
            section.note(f"{gateway.name}: {failures(loaded)}")
            self.say(f"  {gateway.name}: {failures(loaded)}")
        return Measured(loaded, spent)


def failures(loaded: Loaded) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in loaded.failures.items())
    return f"{loaded.failed} of {loaded.requests} requests failed ({kinds}); the first: {loaded.first_failure}"
