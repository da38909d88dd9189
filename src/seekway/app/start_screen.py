"""What ``seekway up`` shows: a bar a process while it starts, then where to go from here."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from seekway.app.status import Progress

_KEY_HEADER = " -H 'Authorization: Bearer '$SEEKWAY_API_KEY"
_CURL = """\
  curl -N http://{address}/v1/chat/completions -H 'Content-Type: application/json'{key} \\
    -d '{{"model": "{model}", "stream": true, "messages": [{{"role": "user", "content": "What is the capital of France?"}}]}}'"""


class StartScreen:
    """Progress of starting, on standard error; a line a step where there is no terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._tasks: dict[str, TaskID] = {}
        self._last_step: dict[str, str] = {}
        self._bars = RichProgress(
            TextColumn("{task.description:<14}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[step]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        self._bars.stop()

    def update(self, process: str, progress: Progress) -> None:
        if process not in self._tasks:
            self._tasks[process] = self._bars.add_task(process, total=1.0, step="")
        self._bars.update(self._tasks[process], completed=progress.fraction, step=progress.step)
        if not self._console.is_terminal and self._last_step.get(process) != progress.step:
            self._console.print(f"seekway: {process}: {progress.step}", highlight=False)
        self._last_step[process] = progress.step


def print_welcome(
    console: Console,
    *,
    gateway: str,
    model_service: str,
    gateway_grpc: str,
    model: str,
    models: Sequence[str],
    backends: Sequence[str],
    workers: int,
    keys: str,
    seconds: float,
    program: str,
    demo: bool,
    answers: str,
) -> None:
    """The address, a command to try, and the way from the demo model to a real DeepSeek.

    ``keys`` is where a key comes from, empty where none is asked for.
    """
    console.print(
        Text.assemble(("Seekway is ready", "bold green"), f" after {seconds:.1f} s on ", (f"http://{gateway}", "bold"))
    )
    rows = [("models", ", ".join(models) or "none")] if models or not backends else []
    rows += [("backend", backend) for backend in backends]
    if answers:
        rows.append(("aliases", f"deepseek-chat and DeepSeek's other names answer with {answers}"))
    if gateway_grpc:
        rows.append(("gRPC", f"{gateway_grpc} through the gateway"))
    if model_service:
        rows.append(("gRPC", model_service))
    if workers > 1:
        rows.append(("workers", f"{workers} gateways share the port"))
    if keys:
        rows.append(("keys", f"asked for; put one from {keys} into SEEKWAY_API_KEY"))
    rows.append(("API", f"http://{gateway}/docs"))
    for name, value in rows:
        console.print(Text.assemble((f"  {name:<8}", "dim"), value))
    console.print("\nTry it, here or from any OpenAI client:", highlight=False)
    console.print(Text(_CURL.format(address=gateway, model=model, key=_KEY_HEADER if keys else "")), soft_wrap=True)
    console.print(Text(f"  {program} chat"), soft_wrap=True)
    if demo:
        console.print("\nThe demo model is tiny. For a real DeepSeek, stop this and either", highlight=False)
        console.print(
            Text(f"  export DEEPSEEK_API_KEY=sk-...  &&  {program} up"),
            Text("   its cloud", style="dim"),
            soft_wrap=True,
        )
        pull = f"  {program} models pull deepseek-r1:1.5b  &&  {program} up --model deepseek-r1:1.5b"
        console.print(Text(pull), Text("   on this machine", style="dim"), soft_wrap=True)
    console.print("\nCtrl-C finishes running requests and stops.", style="dim", highlight=False)
