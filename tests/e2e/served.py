"""A real ``seekway up`` for end-to-end tests: started as a user starts it, with everything it left behind found at the end."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

START_S = 120
REQUEST_S = 60
_ADDRESS = re.compile(r"on http://(127\.0\.0\.1:\d+)")


class Served:
    """``seekway up`` on free ports in ``folder``; what it says is kept in ``lines``."""

    def __init__(self, folder: Path, models: Path, toml: str = "", arguments: tuple[str, ...] = ()) -> None:
        # A test never sees what a user keeps on this machine.
        apart = "" if "[storage]" in toml else '[storage]\ndirectory = "state"\n'
        (folder / "seekway.toml").write_text(f'[catalog]\ndirectory = "{models}"\n{apart}{toml}', "utf-8")
        self.lines: list[str] = []
        self.address = ""
        self._changed = threading.Condition()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "seekway.app", "up", "--port", "0", "--grpc-port", "0", *arguments],
            cwd=folder,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        self.wait_for("Ctrl-C")
        found = _ADDRESS.search("\n".join(self.lines))
        assert found, self.lines
        self.address = found[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Ctrl-C, and what does not end by itself is killed."""
        children = self.children()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(START_S)
        finally:
            for child in children:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self._reader.join(10)
            if self.process.stderr:
                self.process.stderr.close()

    def children(self) -> list[psutil.Process]:
        """All processes below ``up``: gateway, model server and workers."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []

    def child(self, word: str) -> psutil.Process:
        """The process that has ``word`` in its command line."""
        return next(child for child in self.children() if word in child.cmdline())

    def wait_for(self, text: str) -> None:
        """Until a line holds ``text``; fails when the process ends before."""
        with self._changed:
            self._changed.wait_for(lambda: self._said(text) or self.process.poll() is not None, START_S)
        self._reader.join(10 if self.process.poll() is not None else 0)
        assert self._said(text), f"{text!r} was not said in:\n" + "\n".join(self.lines[-40:])

    def post(self, path: str, body: Mapping[str, Any]) -> tuple[int, Any]:
        """Status and decoded JSON of the answer."""
        with self.open(path, body) as response:
            return response.status, json.loads(response.read())

    def get(self, path: str) -> tuple[int, Any]:
        with self.open(path, None) as response:
            return response.status, json.loads(response.read())

    @contextlib.contextmanager
    def open(self, path: str, body: Mapping[str, Any] | None) -> Generator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection(self.address, timeout=REQUEST_S)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request("GET" if body is None else "POST", path, payload, {"Content-Type": "application/json"})
            yield connection.getresponse()
        finally:
            connection.close()

    def _said(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        self.process.wait()
        with self._changed:
            self._changed.notify_all()


def gone(processes: list[psutil.Process]) -> bool:
    """Whether all of ``processes`` end within a bound."""
    _, alive = psutil.wait_procs(processes, timeout=START_S)
    return not alive
