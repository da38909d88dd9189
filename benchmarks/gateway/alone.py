"""Seekway against itself: memory over time, workers, backends, keys, and what each feature costs."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import msgspec

from benchmarks.gateway import contestants, cores
from benchmarks.gateway.against import CHUNKS, rates
from benchmarks.gateway.bench import Bench, failures
from benchmarks.gateway.features import filled
from benchmarks.gateway.load import Shape
from benchmarks.gateway.processes import Gateway, Refused
from benchmarks.gateway.sections import Column, Row, Section

NAMES = ("memory", "workers", "backends", "keys", "features")
OPEN_STREAMS = 2000
FIRST_REQUESTS = 20_000
_CHUNKS = msgspec.structs.replace(CHUNKS, requests=2 * CHUNKS.connections)
_OPEN = Shape(connections=OPEN_STREAMS, requests=OPEN_STREAMS, tokens=20, interval_us=1_000_000, hold=True)
_US = Column("us", "CPU µs a request")
_RPS = Column("rps", "requests/s", 0)
_RSS = Column("rss", "RSS MB")


def memory(bench: Bench) -> Section:
    section = Section(
        "memory",
        "Memory",
        f"Resident memory of the gateway, everything on: while requests go on without a pause, then in a fresh one while {OPEN_STREAMS:,} streams are open.",
        [Column("rss", "RSS MB")],
    )
    with bench.upstream(("mock", _OPEN.model_name)) as ports:
        with bench.seekway("memory", bench.everything(ports)) as gateway:
            _over_requests(bench, gateway, section)
        with bench.seekway("streams", bench.everything(ports)) as gateway:
            _over_streams(bench, gateway, section)
    return section


def _over_requests(bench: Bench, gateway: Gateway, section: Section) -> None:
    assert gateway.tree is not None
    section.row("idle").add(rss=gateway.tree.rss() / 1e6)
    wanted = bench.extent.memory_requests
    done, left_s = 0, bench.extent.memory_s
    while done < wanted and left_s > 0:
        size = FIRST_REQUESTS if done == 0 else min(wanted - done, max(FIRST_REQUESTS, wanted // 5))
        loaded = bench.run(gateway, Shape(connections=32, requests=size, seconds=left_s), section).loaded
        done += loaded.answered
        left_s -= loaded.seconds
        row = section.row(f"after {done:,} requests" if done < wanted else f"after all {done:,} requests")
        row.add(rss=gateway.tree.rss() / 1e6)
        bench.say(f"memory  {row.name}: {row.values['rss'][0]:.1f} MB")
        if loaded.answered == 0:
            break
    if done < wanted:
        section.note(f"{done:,} of {wanted:,} requests fitted into {bench.extent.memory_s:.0f} s.")


def _over_streams(bench: Bench, gateway: Gateway, section: Section) -> None:
    tree = gateway.tree
    assert tree is not None
    row = section.row(f"{OPEN_STREAMS:,} open streams")
    with cores.on(bench.cores.load):
        loaded = bench.client.run(gateway.port, _OPEN, lambda: row.add(rss=tree.rss() / 1e6))
    section.row("when they have ended").add(rss=tree.rss() / 1e6)
    bench.say(f"memory  {row.name}: {row.median('rss') or 0:.1f} MB, {loaded.peak_open} open at once")
    if loaded.failed:
        section.note(failures(loaded))
    if loaded.peak_open < OPEN_STREAMS:
        section.note(f"No more than {loaded.peak_open:,} streams were open at once.")


def workers(bench: Bench) -> Section:
    machine = sorted(bench.cores.gateway | bench.cores.load)
    alone = len(machine) < 4
    how = (
        "Gateway, mock upstream and load client together on one core against all together on two: each worker has the same share of a core."
        if alone
        else "One worker on one core against two on two; mock upstream and load client have two others."
    )
    section = Section("workers", "One worker and two", how, [_RPS, _US, _RSS])
    if len(machine) < 2:
        section.skipped = "this machine has one core"
        return section
    settings = {
        count: with_workers for count in (1, 2) if (with_workers := filled(bench.plan.workers, {"workers": count}))
    }
    if (reason := contestants.refusal(settings[2], bench.folder)) is not None:
        section.skipped = f"Seekway does not take the setting yet: {reason}"
        return section
    with contextlib.ExitStack() as stack:
        sides: list[tuple[str, Gateway, frozenset[int]]] = []
        for count, name in ((1, "one"), (2, "two")):
            theirs = frozenset(machine[:count])
            load = theirs if alone else frozenset(machine[2:])
            ports = stack.enter_context(bench.upstream(("mock",), where=load))
            whole = contestants.with_settings(bench.everything(ports), settings[count])
            with cores.on(theirs):
                gateway = stack.enter_context(contestants.seekway(f"workers-{count}", whole, bench.folder))
            sides.append((name, gateway, load))
        for number in range(bench.extent.rounds + 1):
            for name, gateway, load in sides:
                measured = bench.run(gateway, Shape(connections=64, seconds=bench.extent.seconds), section, load)
                assert gateway.tree is not None
                if number > 0 and measured.counts:  # the first is the warm-up
                    section.row(name).add(rps=measured.rate, us=measured.us_per_request, rss=gateway.tree.rss() / 1e6)
                bench.say(f"workers  {name}  {rates(measured)}")
    return section


def backends(bench: Bench) -> Section:
    """The same model on all of them, and a model of its own on each."""
    section = Section(
        "backends",
        "From one backend to many",
        "Everything on. Each backend is an address of its own; all of them serve the same model, or each another one.",
        [_US, _RPS, _RSS],
    )
    most = max(bench.extent.backends)
    names = [f"mock-m{number}" for number in range(most)]
    models_file = bench.folder / "models"
    with contextlib.ExitStack() as stack:
        same = stack.enter_context(bench.upstream(("mock",), ports=most))
        own = stack.enter_context(bench.upstream(names, ports=most))
        sides: list[tuple[str, Gateway, Shape]] = []
        for count in bench.extent.backends:
            settings = bench.everything(same[:count])
            gateway = stack.enter_context(bench.seekway(f"backends-{count}", settings))
            sides.append((f"{count}, one model", gateway, Shape(connections=32)))
        for count in (min(bench.extent.backends), most):
            settings = bench.everything(own[:count], names[:count])
            gateway = stack.enter_context(bench.seekway(f"models-{count}", settings, ready=f'"{names[count - 1]}"'))
            file = models_file.with_name(f"models-{count}")
            file.write_text("\n".join(names[:count]) + "\n", "utf-8")
            sides.append((f"{count}, a model each", gateway, Shape(connections=32, models_file=file)))
        _rounds(bench, section, sides)
    return section


def keys(bench: Bench) -> Section:
    section = Section(
        "keys", "From few keys to many", "Everything on; each request carries the next key.", [_US, _RPS, _RSS]
    )
    with contextlib.ExitStack() as stack:
        ports = stack.enter_context(bench.upstream(("mock",)))
        sides: list[tuple[str, Gateway, Shape]] = []
        for count in bench.extent.keys:
            file = bench.keys_file(count)
            given = filled(bench.plan.keys, {"keys": str(file), "folder": str(bench.folder)})
            settings = contestants.with_settings(bench.everything(ports), given)
            gateway = stack.enter_context(bench.seekway(f"keys-{count}", settings))
            sides.append((f"{count:,}", gateway, Shape(connections=32, keys_file=file)))
        _rounds(bench, section, sides)
    return section


def features(bench: Bench) -> Section:
    section = Section(
        "features",
        "What each feature costs",
        "Each feature alone, over a Seekway with all of them off; the last row has all of them on. "
        "What no setting switches off is taken out of the bare one instead. A difference smaller than its spread is noise.",
        [_US, Column("added", "what it costs"), Column("us_chunk", "CPU µs a chunk"), Column("added_chunk", "what it costs"), _RSS],
    )  # fmt: skip
    with contextlib.ExitStack() as stack:
        ports = stack.enter_context(bench.upstream(("mock", _CHUNKS.model_name)))
        wanted = [("bare", bench.bare(ports), Shape(connections=32), "")]
        for feature in bench.plan.feature:
            if feature.refused is not None:
                section.note(f"{feature.name}: not there yet ({feature.refused}).")
            else:
                shape = Shape(connections=32, same=feature.requests == "same")
                wanted.append((feature.name, bench.bare(ports, feature.on), shape, feature.without))
        wanted.append(("everything", bench.everything(ports), Shape(connections=32), ""))
        sides: list[tuple[str, Gateway, Shape]] = []
        for name, settings, shape, without in wanted:
            try:
                gateway = stack.enter_context(bench.seekway(name, settings, without=without))
            except Refused as error:
                section.note(f"{name}: it did not start ({error}).")
            else:
                sides.append((name, gateway, shape))
        _rounds(bench, section, sides, chunks=True, most=bench.extent.rounds)
    taken_out = [feature.name for feature in bench.plan.feature if feature.without]
    add_costs(section.row("bare"), section.rows, taken_out)
    return section


def _rounds(
    bench: Bench, section: Section, sides: list[tuple[str, Gateway, Shape]], *, chunks: bool = False, most: int = 3
) -> None:
    """At most ``most`` rounds over all ``sides``, after a warm-up that lets each open its connections."""
    for name, gateway, shape in sides:
        measured = bench.run(gateway, msgspec.structs.replace(shape, requests=4000, seconds=5.0), None)
        bench.say(f"{section.name}  {name}  warm-up  {rates(measured)}")
    for number in range(min(most, bench.extent.rounds)):
        for position in range(len(sides)):
            name, gateway, shape = sides[(position + number) % len(sides)]
            shape = msgspec.structs.replace(shape, seconds=bench.extent.seconds * 2 / 3)
            measured = bench.run(gateway, shape, section)
            row = section.row(name)
            assert gateway.tree is not None
            if measured.counts:
                row.add(us=measured.us_per_request, rps=measured.rate, rss=gateway.tree.rss() / 1e6)
            bench.say(f"{section.name}  {name}  {rates(measured)}")
            # The same stream again is the cache's; its chunks are joined as it pleases, which the client takes for lost ones.
            if chunks and not shape.same:
                streamed = bench.run(gateway, msgspec.structs.replace(_CHUNKS, same=shape.same), section)
                row.add(us_chunk=streamed.us_per_token if streamed.counts else None)
    section.rows.sort(key=lambda row: [name for name, _, _ in sides].index(row.name))


def add_costs(bare: Row, rows: Sequence[Row], taken_out: Sequence[str]) -> None:
    """What each row's feature costs, round by round: its row less the bare one, or the other way round where it was ``taken_out``."""
    for row in rows:
        sign = -1 if row.name in taken_out else 1
        for key, added in (("us", "added"), ("us_chunk", "added_chunk")):
            if row is not bare and key in row.values:
                pairs = zip(row.values[key], bare.values.get(key, []), strict=False)
                row.values[added] = [sign * (here - there) for here, there in pairs]
