"""How much memory a process may still take, read from the system without a library."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from seekway.core.errors import InsufficientMemory

_GIB = 1024**3


def available_bytes(root: Path = Path("/")) -> int | None:
    """Memory that can be had without swapping; None where the system does not say.

    Linux: the lower of ``MemAvailable`` (proc_meminfo(5)) and what the control group leaves (cgroup v2 ``memory.max``), read under ``root``.
    macOS: free, inactive and speculative pages of ``vm_stat``.
    """
    if sys.platform == "darwin":
        return _macos_available()
    found = [n for n in (_meminfo_available(root), _cgroup_left(root)) if n is not None]
    return min(found, default=None)


def require_memory(needed: int, what: str, available: int | None) -> None:
    """Raise ``InsufficientMemory`` when ``needed`` bytes exceed ``available``; passes where the system does not say."""
    if available is not None and needed > available:
        raise InsufficientMemory(
            f"{what} needs {needed / _GIB:.1f} GiB of memory and {available / _GIB:.1f} GiB are free; "
            "take a smaller model or quantization, or lower the context length."
        )


def _meminfo_available(root: Path) -> int | None:
    for line in _read(root / "proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _cgroup_left(root: Path) -> int | None:
    group = root / "sys/fs/cgroup"
    limit, used = _read(group / "memory.max").strip(), _read(group / "memory.current").strip()
    if not limit.isdecimal() or not used.isdecimal():
        return None
    # Pages of files that were read count as used but are given up when memory runs short.
    files = next(
        (
            int(line.split()[1])
            for line in _read(group / "memory.stat").splitlines()
            if line.startswith("inactive_file ")
        ),
        0,
    )
    return max(int(limit) - int(used) + files, 0)


def _macos_available() -> int | None:
    try:
        told = subprocess.run(["/usr/bin/vm_stat"], capture_output=True, text=True, timeout=5, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return vm_stat_available(told, os.sysconf("SC_PAGE_SIZE"))


def vm_stat_available(told: str, page_bytes: int) -> int | None:
    """Bytes that ``vm_stat``'s report calls free, inactive or speculative; None when it lists none of them."""
    wanted = {"Pages free", "Pages inactive", "Pages speculative"}
    pages = [
        int(count.strip().rstrip("."))
        for name, _, count in (line.partition(":") for line in told.splitlines())
        if name in wanted
    ]
    return sum(pages) * page_bytes if pages else None


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError:
        return ""
