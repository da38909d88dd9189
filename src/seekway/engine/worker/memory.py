"""A process's own resident memory, and its tie to the parent."""

from __future__ import annotations

import ctypes
import resource
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def resident_bytes() -> int:
    """Resident memory now from ``/proc/self/statm``; where there is no ``/proc`` (macOS), the most it has been."""
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies; elsewhere the pipe's end alone says so."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
