"""``python -m tests.fuzz TARGET [libFuzzer's arguments]``: atheris looks for inputs that reach new code; ``make fuzz`` installs it.

New inputs go to ``.cache/fuzz/TARGET``; what breaks a promise is written to ``.cache/fuzz/crash-…``, and becomes a file in ``seeds/TARGET`` with its mending.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).resolve().parents[2] / ".cache" / "fuzz"


def main() -> None:
    # It is installed where `make fuzz` looks for it, and has no types.
    atheris: Any = importlib.import_module("atheris")
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    with atheris.instrument_imports(include=["seekway"]):
        targets = importlib.import_module("tests.fuzz.targets")
    if name not in targets.TARGETS:
        sys.exit(f"Name what to attack: {', '.join(targets.TARGETS)}.")
    found = CORPUS / name
    found.mkdir(parents=True, exist_ok=True)
    atheris.Setup([sys.argv[0], *sys.argv[2:], str(found), str(targets.SEEDS / name)], targets.TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
