"""What the system says of free memory, and the refusal of what would not fit."""

from pathlib import Path

import pytest

from seekway.core.errors import InsufficientMemory
from seekway.engine.memory import available_bytes, require_memory, vm_stat_available

_KIB = 1024


def _system(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_without_a_control_group_the_kernel_s_estimate_counts(tmp_path: Path) -> None:
    root = _system(tmp_path, {"proc/meminfo": "MemTotal: 9000 kB\nMemAvailable:    4000 kB\n"})
    assert available_bytes(root) == 4000 * _KIB


def test_a_container_s_limit_counts_when_it_is_lower(tmp_path: Path) -> None:
    root = _system(
        tmp_path,
        {
            "proc/meminfo": "MemAvailable: 4000 kB\n",
            "sys/fs/cgroup/memory.max": "3000\n",
            "sys/fs/cgroup/memory.current": "2000\n",
            "sys/fs/cgroup/memory.stat": "anon 1500\ninactive_file 400\n",
        },
    )
    assert available_bytes(root) == 1400


def test_a_container_without_limit_does_not_count(tmp_path: Path) -> None:
    root = _system(tmp_path, {"proc/meminfo": "MemAvailable: 4 kB\n", "sys/fs/cgroup/memory.max": "max\n"})
    assert available_bytes(root) == 4 * _KIB


def test_a_system_that_says_nothing_refuses_nothing(tmp_path: Path) -> None:
    assert available_bytes(tmp_path) is None
    require_memory(10**15, "big.gguf", None)


def test_too_little_memory_is_one_sentence_with_both_figures() -> None:
    with pytest.raises(InsufficientMemory) as caught:
        require_memory(8 * 1024**3, "big.gguf", 3 * 1024**3)
    assert caught.value.message.startswith("big.gguf needs 8.0 GiB of memory and 3.0 GiB are free;")
    assert "\n" not in caught.value.message


def test_macos_s_report_is_read() -> None:
    told = "Mach Virtual Memory Statistics: (page size of 16384 bytes)\nPages free:  10.\nPages active: 99.\nPages inactive: 5.\nPages speculative:   1.\n"
    assert vm_stat_available(told, 16384) == 16 * 16384
    assert vm_stat_available("nothing", 16384) is None
