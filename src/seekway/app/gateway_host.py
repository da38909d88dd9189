"""A gateway process's working parts, and how a changed configuration takes their place while it serves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
from prometheus_client import CollectorRegistry
from structlog.typing import FilteringBoundLogger

from seekway.app.applications import Applications
from seekway.app.config_lines import located
from seekway.app.knowledge import Knowledge
from seekway.app.secrets_there import check_secrets
from seekway.core.errors import ConfigError
from seekway.core.ports import Backend
from seekway.core.sections.backends import OWN_BACKEND, BackendSettings
from seekway.core.settings import Settings, find_config, load_settings, read_secret
from seekway.gateway.authentication import Authenticator
from seekway.gateway.drain import Drain
from seekway.gateway.front import Front
from seekway.gateway.model_call import CallServices
from seekway.gateway.operations.table import model_routes
from seekway.gateway.request_ledger import RequestLedger
from seekway.observability.access_log import AccessLog
from seekway.observability.cache_figures import CacheFigures
from seekway.observability.guardrail_figures import GuardrailFigures
from seekway.observability.metrics import Metrics
from seekway.pipeline.assembly import build_pipeline
from seekway.pipeline.directory import Member
from seekway.pipeline.dispatch.figures import ResilienceFigures
from seekway.pipeline.guardrails.guardrails import list_files
from seekway.pipeline.lasting_parts import LastingParts
from seekway.pipeline.quota.figures import QuotaCollector
from seekway.security.key_file import load_key_table
from seekway.security.keys import KeyTable

_NEEDS_RESTART = ("model_service", "engine", "catalog", "log", "models", "quota", "storage", "knowledge", "tools")
_NEEDS_RESTART_WITHIN = {"gateway": ("host", "port", "grpc_port", "workers"), "applications": ("enabled", "files")}


class GatewayHost:
    """``settings`` are in force, ``read`` are those of the file and the environment, without what the command line changed of them.

    ``model_service`` is ``host:port`` of the model service, None for none; ``config`` is the settings file.
    Raises ``ConfigError`` when a key is missing.
    """

    def __init__(
        self,
        settings: Settings,
        read: Settings,
        model_service: str | None,
        log: FilteringBoundLogger,
        config: Path | None = None,
    ) -> None:
        self._settings = settings
        self._read = read
        self._refused: Settings | None = None
        self._log = log
        self._parts = LastingParts(settings, log, processes=settings.gateway.workers)
        self._upstreams: Mapping[str, _Upstream] = {}
        self._own: Member | None = None
        if model_service is not None:
            # gRPC is imported only where there is somebody to call with it.
            from seekway.model_service.client import ModelServiceBackend

            limit = settings.model_service.max_message_bytes
            backend = ModelServiceBackend(model_service, max_message_bytes=limit)
            self._own = Member(OWN_BACKEND, backend, region=settings.routing.region)
        self.metrics = Metrics(CollectorRegistry())
        self.drain = Drain()
        ledger = RequestLedger(self.drain, self.metrics, AccessLog(settings.log))
        self.knowledge = Knowledge(settings, config, self._find, self._tell) if settings.knowledge.enabled else None
        self.applications = self._applications(config) if settings.applications.enabled else None
        self.front = Front(self._services(settings), model_routes(), ledger, log)
        self.front.knowledge = self.knowledge and self.knowledge.base
        self.front.applications = self.applications and self.applications.service
        self.front.application_settings = settings.applications
        self.metrics.registry.register(
            ResilienceFigures(
                lambda: self._parts.endpoints.values(),
                lambda: self.front.services.pipeline.dispatcher.lanes(),
                asyncio.get_running_loop().time,
            )
        )

        self.metrics.registry.register(QuotaCollector(self._parts.quota.figures))
        guardrails = self._parts.guardrails
        for policy in guardrails.changes():
            log.debug("guardrail_policy_in_force", policy=policy.policy, version=policy.version, digest=policy.now)
        self.metrics.registry.register(GuardrailFigures(guardrails.counts, guardrails.memory.size))
        self.metrics.registry.register(CacheFigures(self._parts.cache_counts, self._parts.cache_size))

    async def run(self) -> None:
        """The work behind the requests, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._parts.run())
            if self.knowledge is not None:
                group.create_task(self.knowledge.run())
            if self.applications is not None:
                group.create_task(self.applications.run())

    async def end(self) -> None:
        """Take no more questions to applications; while models can still be asked."""
        if self.applications is not None:
            await self.applications.end()

    async def close(self) -> None:
        """After the last request: write what is unwritten."""
        if self.applications is not None:
            await self.applications.close()
        if self.knowledge is not None:
            await self.knowledge.close()
        await self._parts.close()

    def files(self, config: Path | None) -> Iterable[Path]:
        """What the running configuration was read from, keys among them, and what one that was refused may have lacked."""
        if config is not None:
            yield config
        for settings in (self._settings, self._refused):
            if settings is not None:
                named = [
                    settings.keys.file,
                    settings.gateway.api_key_file,
                    *(backend.api_key_file for backend in settings.backends),
                ]
                yield from (Path(name).expanduser() for name in named if name is not None)
                yield from list_files(settings.guardrails)

    async def reload(self, config: Path | None) -> None:
        """Read the configuration again and answer new requests by it; one with a mistake is logged with its line, and the old one stays.

        Requests go on meanwhile: word lists are read and made ready in a thread. One call at a time.
        """
        self._refused = None
        try:
            self._refused = settings = load_settings(config)
            check_secrets(settings, find_config(config))
            kept = _kept(self._settings, settings)
            await asyncio.to_thread(self._parts.guardrails.prepare, kept)
            services = self._services(kept)
        except ConfigError as error:
            self._log.error("config_refused", problem=located(error, config).message)
            return
        waiting = _differences(self._read, settings)
        self._settings, self._read, self._refused = kept, settings, None
        self.front.swap(services)
        self.front.application_settings = kept.applications
        self._log.info("config_in_force", file=str(config))
        self._audit_policies(config)
        if waiting:
            self._log.warning("config_needs_restart", settings=waiting)

    def _audit_policies(self, config: Path | None) -> None:
        for change in self._parts.guardrails.changes():
            self._log.info(
                "guardrail_policy_changed",
                policy=change.policy,
                version=change.version,
                was=change.was or None,
                now=change.now or None,
                file=str(config),
            )

    def _applications(self, config: Path | None) -> Applications:
        return Applications(
            self._settings,
            config,
            lambda: self.front,
            lambda: self._parts.quota.prices,
            self.knowledge and self.knowledge.base,
            self._log,
        )

    async def _find(self, model: str) -> tuple[Backend, str]:
        route = await self.front.services.pipeline.names.route(model)
        return route.member.backend, route.name

    def _tell(self, event: str, about: Mapping[str, str]) -> None:
        self._log.warning(event, **about)

    def _services(self, settings: Settings) -> CallServices:
        """The parts for ``settings``; nothing is taken over before all of them are made."""
        upstreams = {backend.name: self._upstream(backend) for backend in settings.backends}
        # In the order in which they are preferred: our own models, then the others as they stand in the settings.
        own = [] if self._own is None else [self._own]
        if own and own[0].region != settings.routing.region:
            own = [replace(own[0], region=settings.routing.region)]
        apps = [] if self.applications is None else [self.applications.member]
        members = [*own, *(upstream.member for upstream in upstreams.values()), *apps]
        pipeline = build_pipeline(settings, members, self._parts, asyncio.get_running_loop())
        authenticator = Authenticator(_keys(settings))
        self._upstreams, self._own = upstreams, next(iter(own), None)
        return CallServices(settings.gateway, pipeline, authenticator, self.drain, self._log)

    def _upstream(self, settings: BackendSettings) -> _Upstream:
        """The one there is, with its connections and what is known of it, where nothing about it has changed."""
        # Imported only where there is somebody to call.
        from seekway.engine.upstream.backend import UpstreamBackend

        key = read_secret(settings.api_key_env, settings.api_key_file)
        known = self._upstreams.get(settings.name)
        if known is not None and (known.settings, known.key) == (settings, key):
            return known
        member = Member(
            settings.name,
            UpstreamBackend(settings, key, self._log),
            settings.kind,
            weight=settings.weight,
            tier=settings.tier,
            region=settings.region,
            tags=settings.tags,
            cost=settings.cost,
        )
        return _Upstream(settings, key, member)


@dataclass(frozen=True)
class _Upstream:
    settings: BackendSettings
    key: str | None = field(repr=False)
    member: Member


def _keys(settings: Settings) -> KeyTable | None:
    paths = (settings.keys.file, settings.gateway.api_key_file)
    virtual, plain = (None if name is None else Path(name).expanduser() for name in paths)
    return load_key_table(virtual, plain, time.time)


def _kept(old: Settings, new: Settings) -> Settings:
    """``new``, but for what only a restart changes."""
    within = {
        section: msgspec.structs.replace(
            getattr(new, section), **{name: getattr(getattr(old, section), name) for name in names}
        )
        for section, names in _NEEDS_RESTART_WITHIN.items()
    }
    return msgspec.structs.replace(new, **within, **{name: getattr(old, name) for name in _NEEDS_RESTART})


def _differences(old: Settings, new: Settings) -> list[str]:
    found = [name for name in _NEEDS_RESTART if getattr(old, name) != getattr(new, name)]
    return found + [
        f"{section}.{name}"
        for section, names in _NEEDS_RESTART_WITHIN.items()
        for name in names
        if getattr(getattr(old, section), name) != getattr(getattr(new, section), name)
    ]
