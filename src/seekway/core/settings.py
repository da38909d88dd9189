"""The settings of one process: read once from one TOML file and the environment, typed, frozen.

Each field's description stands in its ``Meta``; ``docs/reference/settings.md`` is made from them.
The environment overrides the file: ``SEEKWAY_GATEWAY__PORT=9000`` sets ``[gateway] port``.
"""

from __future__ import annotations

import copy
import ipaddress
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import Meta

from seekway.core.errors import ConfigError
from seekway.core.sections.applications import ApplicationSettings, check_applications
from seekway.core.sections.backends import OWN_BACKEND, BackendSettings
from seekway.core.sections.cache import CacheSettings
from seekway.core.sections.gateway import GatewaySettings
from seekway.core.sections.guardrails import GuardrailSettings, check_policies
from seekway.core.sections.keys import KeySettings
from seekway.core.sections.knowledge import KnowledgeSettings, check_sources, check_store
from seekway.core.sections.limits import BudgetRule, LimitRule, QuotaSettings
from seekway.core.sections.log import LogSettings
from seekway.core.sections.prices import PriceSettings
from seekway.core.sections.processing import ProcessingSettings
from seekway.core.sections.reasoning import ReasoningSettings
from seekway.core.sections.resilience import ResilienceSettings
from seekway.core.sections.routing import OwnPlace, RouteSettings, RoutingSettings, check_routes
from seekway.core.sections.serving import CatalogSettings, EngineSettings, ModelServiceSettings, ModelSettings
from seekway.core.sections.storage import StorageSettings, check_storage
from seekway.core.sections.tools import ToolProviderSettings, check_tools

_PREFIX = "SEEKWAY_"
DEEPSEEK_KEY = "DEEPSEEK_API_KEY"
DEEPSEEK_URL = "https://api.deepseek.com"
_WORKER_ENVIRONMENT = (
    "PATH",
    "HOME",
    "TMPDIR",
    "LANG",
    "LC_ALL",
    "PYTHONPATH",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "XDG_CACHE_HOME",
    "OMP_NUM_THREADS",
    "MALLOC_ARENA_MAX",
    "CUDA_VISIBLE_DEVICES",
)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    gateway: Annotated[GatewaySettings, Meta(description="The HTTP gateway.")] = GatewaySettings()
    model_service: Annotated[ModelServiceSettings, Meta(description="The gRPC model service.")] = ModelServiceSettings()
    engine: Annotated[EngineSettings, Meta(description="Defaults of local engines.")] = EngineSettings()
    catalog: Annotated[CatalogSettings, Meta(description="Where models come from and lie.")] = CatalogSettings()
    resilience: Annotated[
        ResilienceSettings, Meta(description="What is done about backends that fail, slow down or are full.")
    ] = ResilienceSettings()
    cache: Annotated[CacheSettings, Meta(description="The answer cache.")] = CacheSettings()
    guardrails: Annotated[
        GuardrailSettings,
        Meta(description="Review of what goes to models and of what they answer; docs/guardrails.md."),
    ] = GuardrailSettings()
    knowledge: Annotated[KnowledgeSettings, Meta(description="Knowledge bases; docs/knowledge.md.")] = (
        KnowledgeSettings()
    )
    storage: Annotated[
        StorageSettings, Meta(description="Where the state of knowledge bases and applications lies.")
    ] = StorageSettings()
    log: Annotated[LogSettings, Meta(description="Logs.")] = LogSettings()
    processing: Annotated[
        ProcessingSettings, Meta(description="What is done to requests before the model and to answers after it.")
    ] = ProcessingSettings()
    reasoning: Annotated[ReasoningSettings, Meta(description="Reasoning that clients forget to send back.")] = (
        ReasoningSettings()
    )
    keys: Annotated[KeySettings, Meta(description="Virtual keys.")] = KeySettings()
    quota: Annotated[QuotaSettings, Meta(description="How limits and budgets are kept.")] = QuotaSettings()
    limits: Annotated[
        tuple[LimitRule, ...],
        Meta(
            description='Limits of requests and tokens; a request must pass all that match. A key\'s own figures take the place of those of rules with `per = ["key"]`.'
        ),
    ] = ()
    budgets: Annotated[
        tuple[BudgetRule, ...], Meta(description="Money that may be spent; a key may have its own.")
    ] = ()
    prices: Annotated[
        tuple[PriceSettings, ...],
        Meta(
            description="What models cost; DeepSeek's published prices hold for its models that are not named here, and a model without a price costs nothing."
        ),
    ] = ()
    models: Annotated[
        tuple[ModelSettings, ...], Meta(description="Local models; empty: the demo model and the embedding model.")
    ] = ()
    backends: Annotated[tuple[BackendSettings, ...], Meta(description="Other OpenAI-compatible servers.")] = ()
    routing: Annotated[RoutingSettings, Meta(description="How one of several backends is chosen.")] = RoutingSettings()
    routes: Annotated[
        tuple[RouteSettings, ...],
        Meta(description="Rules that send some requests elsewhere; the first that fits is taken."),
    ] = ()
    aliases: Annotated[
        dict[str, str],
        Meta(description="Other names for models; DeepSeek's names point at the default model unless set."),
    ] = {}
    applications: Annotated[
        ApplicationSettings, Meta(description="Chatbots, text generators and agents; docs/applications.md.")
    ] = ApplicationSettings()
    tools: Annotated[
        tuple[ToolProviderSettings, ...],
        Meta(description="Services whose tools agents may call; docs/applications.md."),
    ] = ()
    default_model: Annotated[
        str | None,
        Meta(description="Model that the aliases of DeepSeek's names point at; unset: the first chat model."),
    ] = None


def load_settings(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read ``path`` (or ``SEEKWAY_CONFIG``, or ``seekway.toml`` here if it exists), apply the environment, check.

    Raises ``ConfigError`` with the file, the field and what to do.
    """
    env = os.environ if environ is None else environ  # noqa: TID251 - the one place that reads it
    chosen = find_config(path, env)
    data = _read(chosen) if chosen else {}
    for key, value in env.items():
        if key.startswith(_PREFIX) and "__" in key:
            _override(data, key.removeprefix(_PREFIX).lower().split("__"), value)
    try:
        settings = msgspec.convert(data, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{chosen or 'environment'}: {_counted(str(error), data)}.") from error
    settings = _with_deepseek(settings, env)
    _check(settings)
    return settings


def find_config(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Path | None:
    """The file that ``load_settings`` reads: ``path``, else ``SEEKWAY_CONFIG``, else ``seekway.toml`` here if it exists."""
    env = os.environ if environ is None else environ  # noqa: TID251 - settings are read here
    if path is not None:
        return path
    if env.get("SEEKWAY_CONFIG"):
        return Path(env["SEEKWAY_CONFIG"])
    here = Path("seekway.toml")
    return here if here.is_file() else None


def hub_token(hub: Literal["huggingface", "modelscope"], environ: Mapping[str, str] | None = None) -> str | None:
    """The hub's access token, from ``HF_TOKEN`` or ``MODELSCOPE_API_TOKEN``; None where it is not set: public models need none."""
    env = os.environ if environ is None else environ  # noqa: TID251 - secrets are settings too
    return env.get("HF_TOKEN" if hub == "huggingface" else "MODELSCOPE_API_TOKEN", "").strip() or None


def has_deepseek_key(environ: Mapping[str, str] | None = None) -> bool:
    env = os.environ if environ is None else environ  # noqa: TID251 - secrets are settings too
    return bool(env.get(DEEPSEEK_KEY, "").strip())


def read_secret(env_name: str | None, file: str | None, environ: Mapping[str, str] | None = None) -> str | None:
    """The key from an environment variable or a file; None when neither is named, ``ConfigError`` when the named one is empty."""
    env = os.environ if environ is None else environ  # noqa: TID251 - secrets are settings too
    if env_name is not None:
        value = env.get(env_name, "").strip()
        if not value:
            raise ConfigError(f"The environment variable {env_name} is empty; set it to the API key.", param=env_name)
        return value
    if file is not None:
        try:
            value = Path(file).expanduser().read_text("utf-8").strip()
        except OSError as error:
            raise ConfigError(f"The key file {file} cannot be read: {error.strerror}.", param=file) from error
        if not value:
            raise ConfigError(f"The key file {file} is empty.", param=file)
        return value
    return None


def tool_secrets(
    tool: ToolProviderSettings, environ: Mapping[str, str] | None = None
) -> tuple[dict[str, str], dict[str, str]]:
    """The headers of a provider of tools, and the environment of its program.

    Raises ``ConfigError`` for a variable that is not set.
    """
    env = os.environ if environ is None else environ  # noqa: TID251 - secrets are settings too
    for name in (*tool.header_env.values(), *tool.environment):
        if not env.get(name, "").strip():
            raise ConfigError(f"tools: {tool.name}: the environment variable {name} is empty; set it.", param=name)
    headers = dict(tool.headers) | {header: env[name].strip() for header, name in tool.header_env.items()}
    return headers, {name: env[name] for name in tool.environment}


def worker_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """What an engine worker gets of the environment: what finds programs and libraries, and no key or token.

    Two malloc arenas instead of eight a core keep the memory of a process with many threads from growing with them.
    """
    env = os.environ if environ is None else environ  # noqa: TID251 - the one place that reads it
    return {"MALLOC_ARENA_MAX": "2", "PYTHONUNBUFFERED": "1"} | {
        name: env[name] for name in _WORKER_ENVIRONMENT if name in env
    }


def set_library_switches() -> None:
    """Before gRPC is imported: its own log tells of every closed connection, and its fork handlers only cost and complain.

    Our processes never fork without exec. A level that is set already is kept.
    """
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"  # noqa: TID251 - the one place that knows the environment
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # noqa: TID251


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from error


def _counted(problem: str, data: dict[str, Any]) -> str:
    """msgspec may say ``$.guardrails.policies[...]``; here that becomes the number or the key of the entry that is wrong, where it can be told.

    All others are left out in turn, until the problem is the same with one alone.
    """
    told, left = problem, copy.deepcopy(data)
    while "[...]" in told:
        path = re.findall(r"\.([^.\[`]+)|\[(\d+)\]", told.partition("[...]")[0].rpartition("$")[2])
        holder: Any = left
        for key, at in path:
            # Of an array that was gone through only the entry at fault is left.
            holder = cast("dict[str, Any]", holder).get(key) if key else holder[min(int(at), len(holder) - 1)]
        found = next((step for step in _entries(holder) if _is_problem(left, problem)), None)
        if found is None:
            break
        told = told.replace("[...]", found, 1)
    return told


def _entries(holder: Any) -> Iterator[str]:
    """Leaves one entry at a time in ``holder``, and says which."""
    if isinstance(holder, list):
        every = list(cast("list[Any]", holder))
        for at, one in enumerate(every):
            holder[:] = [one]
            yield f"[{at}]"
    elif isinstance(holder, dict):
        table = cast("dict[str, Any]", holder)
        for key, one in tuple(table.items()):
            table.clear()
            table[key] = one
            yield f".{key}"


def _is_problem(data: dict[str, Any], problem: str) -> bool:
    try:
        msgspec.convert(data, Settings, strict=False)
    except msgspec.ValidationError as error:
        return str(error) == problem
    return False


def _with_deepseek(settings: Settings, env: Mapping[str, str]) -> Settings:
    """``DEEPSEEK_API_KEY`` alone is enough to use DeepSeek's cloud; a backend of that kind or name in the file is left as it is."""
    own = any(backend.kind == "deepseek" or backend.name == "deepseek" for backend in settings.backends)
    if own or not has_deepseek_key(env):
        return settings
    cloud = BackendSettings(name="deepseek", base_url=DEEPSEEK_URL, kind="deepseek", api_key_env=DEEPSEEK_KEY)
    return msgspec.structs.replace(settings, backends=(*settings.backends, cloud))


def _override(data: dict[str, Any], keys: list[str], value: str) -> None:
    for key in keys[:-1]:
        inner = data.setdefault(key, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"The environment sets {'.'.join(keys)}, but {key} is not a table.")
        data = cast("dict[str, Any]", inner)
    data[keys[-1]] = value


def _check(settings: Settings) -> None:
    needs_keys = settings.gateway.api_key_file is not None or settings.keys.file is not None
    if not is_loopback(settings.gateway.host) and not needs_keys:
        raise ConfigError(
            f"gateway.host {settings.gateway.host} is reachable from outside this machine; set keys.file or gateway.api_key_file, or use 127.0.0.1.",
            param="gateway.host",
        )
    if not is_loopback(settings.model_service.host):
        raise ConfigError(
            f"model_service.host {settings.model_service.host} is reachable from outside this machine and has no authentication; use 127.0.0.1.",
            param="model_service.host",
        )
    # A model's name may stand several times, with a file each: those are its versions.
    for group, names in (
        ("models", [m.name if m.path is None else f"{m.name} at {m.path}" for m in settings.models]),
        ("backends", [b.name for b in settings.backends]),
        ("limits", [rule.name for rule in settings.limits]),
        ("budgets", [rule.name for rule in settings.budgets]),
    ):
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"{group}: {name} stands twice.", param=group)
    for backend in settings.backends:
        if backend.name == OWN_BACKEND:
            raise ConfigError(
                f"backends: {OWN_BACKEND} is the name of our own model service; choose another.", param="name"
            )
        if not backend.base_url.startswith(("http://", "https://")):
            raise ConfigError(
                f"backends: {backend.name}: base_url must begin with http:// or https://.", param="base_url"
            )
    own = (OwnPlace(OWN_BACKEND, settings.routing.region),) if settings.model_service.enabled else ()
    check_routes(settings.routes, (*own, *settings.backends))
    check_applications(settings.applications.files)
    check_tools(settings.tools)
    check_storage(settings.storage)
    check_sources(settings.knowledge.sources)
    check_store(settings.knowledge)
    check_policies(settings.guardrails.policies, [rule.name for rule in settings.routes])
