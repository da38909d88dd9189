"""The worker process: one model, served to the model service that started it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from seekway.core.errors import StartupError
from seekway.observability.lean_structlog import import_without_rich


def main(argv: Sequence[str]) -> int:
    """Serve until the service ends it; returns the exit status."""
    import_without_rich()
    from seekway.engine.loading import load_local_model
    from seekway.engine.worker.entry import worker_process

    try:
        return worker_process(argv, load_local_model)
    except StartupError as error:
        sys.stderr.write(f"seekway: {error.message}\n")
        return 2


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Native engines keep threads that an ordinary exit would wait for or crash in.
    os._exit(status)
