"""A log that cannot be written costs lines and nothing else."""

from __future__ import annotations

import errno
import io

import msgspec
import pytest

from seekway.core.sections.log import LogSettings
from seekway.observability.log_output import LogOutput
from seekway.observability.logging import make_logger


class FullDisk(io.StringIO):
    full = True

    def flush(self) -> None:
        if self.full:
            self.truncate(0)
            self.seek(0)
            raise OSError(errno.ENOSPC, "No space left on device")


def test_lines_lost_on_a_full_disk_are_told_when_there_is_room() -> None:
    disk = FullDisk()
    out = LogOutput(disk, json=True)
    out.write("one\ntwo\n")
    out.write("three\n")
    disk.full = False
    out.write("four\n")
    out.write("five\n")
    told, *rest = disk.getvalue().splitlines()
    assert msgspec.json.decode(told) == {"level": "error", "event": "log lines lost", "lines": 3}
    assert rest == ["four", "five"]


def test_a_closed_output_is_no_error() -> None:
    closed = io.StringIO()
    closed.close()
    out = LogOutput(closed, json=False)
    out.write("one\n")
    assert out.lost == 1


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_logger_goes_on_without_its_disk(form: str) -> None:
    disk = FullDisk()
    log = make_logger(msgspec.convert({"format": form}, LogSettings), disk)
    log.error("first")
    disk.full = False
    log.error("second")
    told, line = disk.getvalue().splitlines()
    assert "1" in told
    assert "second" in line
