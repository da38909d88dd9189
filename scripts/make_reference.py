"""Make ``docs/reference/`` from the code; with ``--check``, only compare and fail on a difference."""

from __future__ import annotations

import asyncio
import inspect
import sys
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import click
import msgspec
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry

from seekway.app.cli import main as command_line
from seekway.core.errors import ERRORS
from seekway.core.sections.backends import BackendSettings
from seekway.core.sections.resilience import ResilienceSettings
from seekway.core.settings import Settings
from seekway.core.types import EngineStats, ModelInfo, Usage
from seekway.engine.upstream.backend import UpstreamBackend
from seekway.gateway.application import create_app
from seekway.gateway.authentication import Authenticator
from seekway.gateway.drain import Drain
from seekway.gateway.front import Front
from seekway.gateway.model_call import CallServices
from seekway.gateway.operations.table import model_routes
from seekway.gateway.request_ledger import RequestLedger
from seekway.observability.access_log import AccessLog
from seekway.observability.cache_figures import CacheCounts, CacheFigures, CacheSize
from seekway.observability.engine_figures import EngineFigures
from seekway.observability.guardrail_figures import GuardrailCounts, GuardrailFigures
from seekway.observability.logging import make_logger
from seekway.observability.metrics import Metrics
from seekway.observability.record import RequestRecord
from seekway.pipeline.assembly import build_pipeline
from seekway.pipeline.directory import Member, Route
from seekway.pipeline.dispatch.desk import Lane
from seekway.pipeline.dispatch.figures import ResilienceFigures
from seekway.pipeline.figures import StageCounters
from seekway.pipeline.lasting_parts import LastingParts
from seekway.pipeline.quota.figures import QuotaCollector, QuotaFigures
from seekway.pipeline.routing.endpoint import Endpoint
from seekway.pipeline.routing.latency import PeakEwma
from seekway.pipeline.routing.pool import Choice, Pool
from seekway.pipeline.stage import StageFigures

TARGET = Path(__file__).resolve().parent.parent / "docs" / "reference"
EXAMPLE_MODEL = ModelInfo("m", "1", "seekway", "example", ("chat",), stats=EngineStats(kv_cache_used=0.0))
MADE = "Made by `make reference`; do not edit.\n"


def type_name(annotation: Any) -> str:
    if get_origin(annotation) is Annotated:
        return type_name(get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    if isinstance(annotation, UnionType) or get_origin(annotation) is Union:
        return " or ".join(type_name(part) for part in get_args(annotation) if part is not type(None)) + ", optional"
    if get_origin(annotation) is tuple:
        return f"list of {type_name(get_args(annotation)[0])}"
    if get_origin(annotation) is dict:
        return "table of strings"
    return {str: "text", int: "whole number", float: "number", bool: "true or false"}.get(
        annotation, getattr(annotation, "__name__", str(annotation))
    )


def description(annotation: Any) -> str:
    notes = [
        meta.description
        for meta in getattr(annotation, "__metadata__", ())
        if isinstance(meta, msgspec.Meta) and meta.description
    ]
    if not notes:
        raise SystemExit(f"make_reference: a setting of type {annotation} has no description")
    return " ".join(notes)


def settings_table(struct: type[msgspec.Struct]) -> list[str]:
    hints = get_type_hints(struct, include_extras=True)
    lines = ["| setting | type | default | what it does |", "|---|---|---|---|"]
    for field in msgspec.structs.fields(struct):
        hint = hints[field.name]
        value = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        default = "required" if value is msgspec.NODEFAULT else f"`{msgspec.json.encode(value).decode()}`"
        if is_table(element_of(hint)) and field.default is not msgspec.NODEFAULT:
            default = "see below"
        lines.append(
            f"| `{field.name}` | {type_name(hint)} | {default if default != '`null`' else 'unset'} | {description(hint)} |"
        )
    return lines


def is_table(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, msgspec.Struct)


def element_of(annotation: Any) -> Any:
    """As :func:`element`, for any setting."""
    return element(annotation) if get_origin(annotation) is Annotated and get_args(annotation) else annotation


def element(annotation: Any) -> Any:
    """The struct inside ``Annotated[tuple[Struct, ...], Meta]`` or ``Annotated[Struct, Meta]``."""
    inner = get_args(annotation)[0]
    return get_args(inner)[0] if get_origin(inner) is tuple else inner


def settings_page() -> str:
    parts = [
        "# Settings\n",
        MADE,
        "One TOML file (`--config`, `SEEKWAY_CONFIG`, or `seekway.toml` in the current folder) and the environment, which wins: "
        "`SEEKWAY_GATEWAY__PORT=9000` sets `[gateway] port`. `DEEPSEEK_API_KEY` adds DeepSeek's cloud as a backend. "
        "`seekway config check` reads a file and says what is wrong with it.\n",
    ]
    for name, hint in get_type_hints(Settings, include_extras=True).items():
        if is_table(element(hint)):
            parts += table_parts(name, hint)
        else:
            parts += [f"## `{name}`\n", f"{type_name(hint)}. {description(hint)}\n"]
    return "\n".join(parts)


def table_parts(name: str, hint: Any) -> list[str]:
    """A section for the table ``name``, and one for each table in it."""
    struct = element(hint)
    heading = f"## `[[{name}]]`" if get_origin(get_args(hint)[0]) is tuple else f"## `[{name}]`"
    parts = [f"{heading}\n", description(hint) + "\n", "\n".join(settings_table(struct)) + "\n"]
    for field, inner in get_type_hints(struct, include_extras=True).items():
        if is_table(element_of(inner)):
            parts += table_parts(f"{name}.{field}", inner)
    return parts


def errors_page() -> str:
    lines = [
        "# Errors\n",
        MADE,
        'The body is `{"error": {"message", "type", "param", "code"}}`; `code` is stable. In a stream that has begun, the same object is the last '
        "`data:` block and no `[DONE]` follows. Over gRPC the code is in the trailing metadata `seekway-code`.\n",
        "| code | HTTP status | type |",
        "|---|---|---|",
    ]
    shown = sorted((e for e in ERRORS.values() if e.type != "operator_error"), key=lambda e: (e.status, e.code))
    lines += [f"| `{error.code}` | {error.status} | `{error.type}` |" for error in shown]
    return "\n".join(lines) + "\n"


def metrics_page() -> str:
    """Each metric as it is scraped after one request with everything in it."""
    metrics = Metrics(CollectorRegistry())
    metrics.registry.register(CacheFigures(CacheCounts(), CacheSize))
    guarded = GuardrailCounts()
    guarded.detector("words")
    guarded.verdicts[("default", "output", "mask")] = guarded.unreviewed[("default", "input", "pass")] = 1
    guarded.findings[("default", "output", "words", "violence", "mask")] = 1
    metrics.registry.register(GuardrailFigures(guarded, lambda: (0, 0)))
    metrics.registry.register(EngineFigures(lambda: [("model-service", EXAMPLE_MODEL)]))
    member = Member("deepseek", UpstreamBackend(BackendSettings(name="deepseek", base_url="http://127.0.0.1:9")))
    endpoint = Endpoint(member, PeakEwma(), ResilienceSettings())
    lane = Lane(Pool("m", [Choice(endpoint, Route(member, EXAMPLE_MODEL, "m"), 1.0)]), ResilienceSettings())
    metrics.registry.register(ResilienceFigures(lambda: [endpoint], lambda: [lane], lambda: 0.0))
    metrics.registry.register(StageCounters(lambda: [StageFigures("resolve_alias", "request")]))
    metrics.registry.register(QuotaCollector(lambda: QuotaFigures(0, 0, 0, None, 1, 0, 0, 0, kept_back=False)))
    record = RequestRecord("1", route="/v1/chat/completions", operation="chat", model="m")
    record.error, record.fallback = "overloaded", "canary"
    record.usage, record.first_token_at, record.last_token_at = Usage(1, 2), record.started, record.started
    metrics.request_ended(record)
    lines = [
        "# Metrics\n",
        MADE,
        "Served at `GET /metrics` in Prometheus' text format, or as OpenMetrics when asked for. "
        "`gen_ai_*` follow OpenTelemetry's semantic conventions for generative AI. Times are seconds.\n",
        "| metric | type | labels | what it is |",
        "|---|---|---|---|",
    ]
    for family in sorted(metrics.registry.collect(), key=lambda family: family.name):
        if not family.samples:
            raise SystemExit(f"make_reference: the metric {family.name} has no sample; fill it in metrics_page")
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = ", ".join(f"`{label}`" for label in family.samples[0].labels if label != "le") or "none"
        lines.append(f"| `{name}` | {family.type} | {labels} | {family.documentation} |")
    return "\n".join(lines) + "\n"


def api_page() -> str:
    settings, metrics = Settings(), Metrics(CollectorRegistry())
    log, drain = make_logger(settings.log), Drain()
    loop = asyncio.new_event_loop()
    loop.close()
    pipeline = build_pipeline(settings, (), LastingParts(settings, log), loop)
    services = CallServices(settings.gateway, pipeline, Authenticator(None), drain, log)
    front = Front(services, model_routes(), RequestLedger(drain, metrics, AccessLog(settings.log)), log)
    app = create_app(front, metrics=metrics)
    routes: dict[str, tuple[list[str], list[str]]] = {}
    for route in app.routes:
        if isinstance(route, APIRoute):
            summary = (inspect.getdoc(route.endpoint) or "").partition("\n")[0]
            if not summary:
                raise SystemExit(f"make_reference: the endpoint of {route.path} has no docstring")
            methods, paths = routes.setdefault(summary, ([], []))
            methods += [method for method in sorted(route.methods or ()) if method not in methods]
            paths += [f"`{route.path}`"] if f"`{route.path}`" not in paths else []
    lines = [
        "# HTTP API\n",
        MADE,
        "Bodies are those of the OpenAI and DeepSeek APIs; each field stands in the running gateway's `/docs` and `/openapi.json`. "
        "[Errors](errors.md) lists what a refusal looks like.\n",
        "| method | path | what it does |",
        "|---|---|---|",
    ]
    lines += [
        f"| {' '.join(methods)} | {', '.join(paths)} | {summary} |" for summary, (methods, paths) in routes.items()
    ]
    return "\n".join(lines) + "\n"


def cli_page() -> str:
    parts = ["# Command line\n", MADE, *command_parts(command_line, "seekway", None)]
    return "\n".join(parts)


def command_parts(command: click.Command, path: str, parent: click.Context | None) -> list[str]:
    """A section a command: its usage, its help with examples, its options; then those below it."""
    context = click.Context(
        command, parent, path.rpartition(" ")[2], terminal_width=100, **(command.context_settings if not parent else {})
    )
    parts = [f"## `{path}`\n", "```text\n" + command.get_help(context) + "\n```\n"]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                parts += command_parts(inner, f"{path} {name}", context)
    return parts


PAGES = {
    "settings.md": settings_page,
    "errors.md": errors_page,
    "metrics.md": metrics_page,
    "api.md": api_page,
    "cli.md": cli_page,
}


def main() -> None:
    stale: list[str] = []
    for name, page in PAGES.items():
        path = TARGET / name
        text = page()
        if "--check" not in sys.argv:
            TARGET.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        elif not path.is_file() or path.read_text("utf-8") != text:
            stale.append(name)
    if stale:
        sys.exit(f"make_reference: docs/reference/{', '.join(stale)} differ from the code; run: make reference")


if __name__ == "__main__":
    main()
