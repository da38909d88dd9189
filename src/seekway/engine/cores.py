"""How many of the machine's processors this process may use."""

from __future__ import annotations

import os
import sys


def usable_cores() -> int:
    """Those it is bound to, where the system tells; at least 1."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
