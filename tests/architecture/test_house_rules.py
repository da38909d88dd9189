"""The house's rules that no linter knows: sizes, names, and nothing at import."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "seekway"
SOURCES = sorted(p for p in PACKAGE.rglob("*.py") if "contract" not in p.parts)
MOST_LINES_FILE = 400
MOST_LINES_FUNCTION = 50
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.AST) -> Iterator[FunctionNode]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def body_lines(function: FunctionNode) -> int:
    """Lines from the signature to the end, the docstring not counted."""
    length = (function.end_lineno or 0) - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        length -= (first.end_lineno or 0) - first.lineno + 1
    return length


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= MOST_LINES_FILE, f"{path.name} asks for a name for its parts"
    long = [
        f"{f.name} ({body_lines(f)} lines)" for f in functions(ast.parse(text)) if body_lines(f) > MOST_LINES_FUNCTION
    ]
    assert not long, f"too long: {', '.join(long)}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_every_module_says_what_it_is(path: Path) -> None:
    text = path.read_text("utf-8")
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), f"{path.name} has no docstring"


_LOGGED = {"debug", "info", "warning", "error", "exception", "critical"}
_EVENT = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def logged_events(tree: ast.AST) -> Iterator[str]:
    """The events of every call such as ``self._log.warning("event", …)``."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called, event = ast.unparse(node.func), node.args[0]
        methods = [n.attr for n in ast.walk(node.func) if isinstance(n, ast.Attribute) and n.attr in _LOGGED]
        if methods and re.search(r"\blog\b|_log\b|_console\b", called) and isinstance(event, ast.Constant):
            yield str(event.value)


def test_a_log_lines_event_is_a_name_that_can_be_searched_for() -> None:
    events = [event for path in SOURCES for event in logged_events(ast.parse(path.read_text("utf-8")))]
    assert "config_in_force" in events
    assert not [event for event in events if not _EVENT.fullmatch(event)]


_WALL_CLOCK = re.compile(r"\btime\.time\b|\bdatetime\.now\(|\btime_ns\(")
_TELLS_THE_TIME = {
    "app/applications.py": "prices have hours, and tools tell the day",
    "app/gateway_host.py": "keys expire on a date",
    "app/state.py": "documents and conversations say when they came",
    "security/keys.py": "keys expire on a date",
    "pipeline/quota/check_budget.py": "budgets are of days and months, prices of hours",
    "pipeline/cache/redis_store.py": "machines have no other clock in common",
    "engine/upstream/errors.py": "Retry-After may be a date",
    "engine/chat_template.py": "templates may write the date",
    "pipeline/stages/apply_template.py": "templates may write the date",
    "engine/local_model.py": "when a model was loaded",
    "gateway/operations/answer_head.py": "when an answer was made",
    "gateway/dialects/openai_responses_answer.py": "when an answer was made",
    "gateway/dialects/openai_responses_draft.py": "when an answer was made",
    "knowledge/index/sqlite_index.py": "when a dataset and a document were made",
    "observability/access_log.py": "when a request ended",
}


def test_the_wall_clock_is_read_only_to_tell_the_time() -> None:
    """Whatever waits, ages or is late goes by a clock that nobody can set."""
    read = {
        str(path.relative_to(PACKAGE))
        for path in SOURCES
        if _WALL_CLOCK.search(path.read_text("utf-8")) and path.relative_to(PACKAGE).parts[:2] != ("app", "commands")
    }
    assert read == set(_TELLS_THE_TIME)


def test_nothing_is_called_after_nothing() -> None:
    names = {part for path in SOURCES for part in (*path.relative_to(PACKAGE).parts[:-1], path.stem)}
    assert not names & BANNED_NAMES


def test_importing_does_nothing() -> None:
    """Every module imports in an empty environment without opening files to write, sockets or threads."""
    modules = [
        ".".join(("seekway", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
        for path in SOURCES
    ]
    modules = [name for name in modules if not name.endswith("__main__")]
    script = f"""
import importlib, sys, threading
seen = []
def hook(event, args):
    if event in ("socket.bind", "socket.connect") or (event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+") and not str(args[0]).endswith(".pyc") and "__pycache__" not in str(args[0])):
        seen.append((event, str(args)[:200]))
sys.addaudithook(hook)
for name in {modules!r}:
    importlib.import_module(name)
assert not seen, seen
assert threading.active_count() == 1, threading.enumerate()
"""
    # -I: isolated from the environment; the package is installed, so it is found all the same.
    result = subprocess.run(
        [sys.executable, "-I", "-B", "-c", script],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
