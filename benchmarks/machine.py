"""The machine a benchmark ran on, as it stands in each result."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import msgspec
import psutil

MIB = 1024 * 1024


class Machine(msgspec.Struct, frozen=True):
    cpu: str
    cores: int
    memory_mib: int
    system: str
    python: str
    versions: dict[str, str]
    load_before: float

    @classmethod
    def here(cls, packages: Iterable[str]) -> Machine:
        """``packages``: the installed ones whose versions are told."""
        return cls(
            cpu=_cpu_model(),
            cores=psutil.cpu_count() or 0,
            memory_mib=psutil.virtual_memory().total // MIB,
            system=f"{platform.system()} {platform.release()} {platform.machine()}",
            python=platform.python_version(),
            versions={name: version(name) for name in packages},
            load_before=round(psutil.getloadavg()[0], 2),
        )


def _cpu_model() -> str:
    """As the kernel names it; family and model too, since virtual machines hide the name."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name = fields.get("model name", platform.machine())
    return f"{name} (family {fields.get('cpu family', '?')}, model {fields.get('model', '?')})"
