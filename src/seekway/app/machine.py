"""What this machine has: processor, memory, ports. Linux is read from /proc, macOS asked through sysctl."""

from __future__ import annotations

import errno
import os
import platform
import re
import socket
import subprocess
from pathlib import Path

import msgspec

_FLAGS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI",
    "avx_vnni": "AVX-VNNI",
    "amx_int8": "AMX INT8",
    "amx_bf16": "AMX BF16",
    "asimd": "NEON",
    "asimddp": "NEON dot product",
    "i8mm": "NEON I8MM",
}


class Processor(msgspec.Struct, frozen=True):
    name: str
    cores: int
    features: tuple[str, ...]


class Memory(msgspec.Struct, frozen=True):
    """In bytes; ``available`` is None where the system does not say."""

    total: int
    available: int | None


def processor() -> Processor:
    """``cores`` are those this process may use."""
    info = _read(Path("/proc/cpuinfo"))
    if not info:
        name = _sysctl("machdep.cpu.brand_string") or platform.processor()
        features = ("NEON",) if platform.machine() == "arm64" else ()
        return Processor(name, os.cpu_count() or 1, features)
    model = re.search(r"^model name\s*:\s*(.+)$", info, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", info, re.MULTILINE)
    found = set(flags[1].split()) if flags else set[str]()
    return Processor(
        model[1].strip() if model else platform.machine(),
        len(os.sched_getaffinity(0)),
        tuple(label for flag, label in _FLAGS.items() if flag in found),
    )


def memory() -> Memory:
    info = dict(re.findall(r"^(\w+):\s+(\d+) kB$", _read(Path("/proc/meminfo")), re.MULTILINE))
    if "MemTotal" in info:
        limit, used = _control_group()
        total = int(info["MemTotal"]) * 1024
        available = int(info.get("MemAvailable", "0")) * 1024
        if limit is not None and limit < total:
            return Memory(limit, min(available, max(0, limit - used)))
        return Memory(total, available)
    return Memory(int(_sysctl("hw.memsize") or 0), None)


def port_taken(host: str, port: int) -> bool:
    """Whether something listens there, or the port cannot be had for another reason."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno in (errno.EADDRINUSE, errno.EACCES)
    return False


def port_owner(port: int) -> str | None:
    """Name and id of the process that listens on ``port``; None where that is not ours to see, or not Linux."""
    inodes = set(_listening_inodes(port))
    if not inodes:
        return None
    for links in Path("/proc").glob("[0-9]*/fd"):
        try:
            for link in links.iterdir():
                target = str(link.readlink())
                if target.startswith("socket:[") and target[8:-1] in inodes:
                    name = _read(links.parent / "comm").strip()
                    return f"{name} (process {links.parent.name})"
        except OSError:
            continue
    return None


def _listening_inodes(port: int) -> list[str]:
    found: list[str] = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in _read(Path(table)).splitlines()[1:]:
            fields = line.split()
            # st 0A is LISTEN; the address is HEX:PORT.
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                found.append(fields[9])
    return found


def _control_group() -> tuple[int | None, int]:
    """A container's memory limit and use; the limit is None where there is none."""
    limit = _read(Path("/sys/fs/cgroup/memory.max")).strip()
    used = _read(Path("/sys/fs/cgroup/memory.current")).strip()
    return (int(limit) if limit.isdigit() else None), (int(used) if used.isdigit() else 0)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _sysctl(name: str) -> str:
    try:
        return subprocess.run(
            ["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, timeout=5, check=False
        ).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""
