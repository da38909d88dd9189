"""Applications that are kept in step with files of the settings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from seekway.app.config_watch import Signature, signature
from seekway.app.state import beside
from seekway.applications.dify_yaml.reading import read_app
from seekway.applications.dify_yaml.report import Change, Here, Imported
from seekway.applications.records import AppRecord
from seekway.applications.store.app_store import AppStore
from seekway.core.errors import AlreadyExists, InvalidRequest, NotFound, SeekwayError
from seekway.core.sections.applications import ApplicationFileSettings
from seekway.knowledge.ingest.document_book import DocumentBook

_LOOK_S: Final = 2.0
Log = Callable[[str, Mapping[str, str]], None]


class ApplicationFiles:
    """Looks every few seconds. A file with a mistake is told of, and the application stays as it was.

    ``book`` knows the knowledge bases, ``tools`` are the names of the settings' providers; ``models`` gives the names that can be asked, None where they are not known.
    ``expected`` are the knowledge bases, by tenant and name, that the settings make: a file that names one is read again when it is there.
    """

    def __init__(
        self,
        files: Sequence[ApplicationFileSettings],
        config: Path | None,
        store: AppStore,
        book: DocumentBook | None,
        *,
        tools: Sequence[str],
        reranks: bool,
        models: Callable[[], Sequence[str] | None],
        expected: frozenset[tuple[str, str]],
        tell: Log,
    ) -> None:
        self._files = [(file, beside(config, file.file)) for file in files]
        self._store = store
        self._book = book
        self._tools = tools
        self._reranks = reranks
        self._models = models
        self._expected = expected
        self._tell = tell
        self._done: dict[Path, tuple[Signature, Mapping[str, str]]] = {}
        self._told: dict[Path, object] = {}

    async def run(self) -> None:
        """Until cancelled; at once where there are no files."""
        while self._files:
            await self.look()
            await asyncio.sleep(_LOOK_S)

    async def look(self) -> None:
        """Once."""
        for file, path in self._files:
            try:
                await self._follow(file, path)
            except SeekwayError as error:
                self._say(path, "application_not_read", {"file": str(path), "error": error.message})

    async def _follow(self, file: ApplicationFileSettings, path: Path) -> None:
        seen = await asyncio.to_thread(signature, (path,))
        datasets = await dataset_names(self._book, file.tenant)
        wanted = {name for name in self._names(file) if name in datasets.values()}
        now = (seen, {key: name for key, name in datasets.items() if name in wanted})
        if self._done.get(path) == now:
            return
        here = Here(
            self._models(),
            datasets,
            self._tools,
            self._reranks,
            model_names=file.models,
            dataset_names=file.datasets,
        )
        read = await asyncio.to_thread(_read, path, here, file)
        app = await keep(self._store, msgspec.structs.replace(read.app, source=str(path)))
        self._done[path] = now
        # What the settings are about to make is no news.
        coming = {(file.tenant, file.datasets.get(name, name)) for name in unmapped(read.app)} & self._expected
        if not coming:
            self._say(path, "application_read", _told(app, read.changes))

    def _names(self, file: ApplicationFileSettings) -> set[str]:
        """Of the knowledge bases whose coming or going changes what a file means."""
        return {name for tenant, name in self._expected if tenant == file.tenant} | set(file.datasets.values())

    def _say(self, path: Path, event: str, about: dict[str, str]) -> None:
        if self._told.get(path) != (event, about):
            self._told[path] = (event, about)
            self._tell(event, about)


async def dataset_names(book: DocumentBook | None, tenant: str) -> dict[str, str]:
    """Names of the tenant's knowledge bases by id."""
    return {} if book is None else {one.id: one.name for one in await book.datasets(tenant)}


def unmapped(app: AppRecord) -> Sequence[str]:
    """What the application's file called knowledge bases that are not here."""
    return app.definition.rest.get("unmapped_datasets", ())


async def keep(store: AppStore, app: AppRecord, *, replace: bool = True) -> AppRecord:
    """In place of the one of its slug, with its id and what belongs to it. Raises ``AlreadyExists`` where that is not wished."""
    try:
        known = await store.apps.by_slug(app.tenant, app.slug)
    except NotFound:
        try:
            return await store.apps.create(app)
        except AlreadyExists:
            # Another process reads the same file.
            known = await store.apps.by_slug(app.tenant, app.slug)
    if not replace:
        raise AlreadyExists(
            f"There is an application {app.slug!r}; give another --slug, or --replace it with its conversations kept.",
            param="slug",
        )
    kept = msgspec.structs.replace(app, id=known.id, enabled=known.enabled)
    if msgspec.structs.replace(kept, created_at=known.created_at, updated_at=known.updated_at) == known:
        return known
    return await store.apps.change(msgspec.structs.replace(kept, created_at=known.created_at))


def read_bytes(path: Path) -> bytes:
    """Raises ``InvalidRequest``."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror}.") from error


def _read(path: Path, here: Here, file: ApplicationFileSettings) -> Imported:
    return read_app(str(path), read_bytes(path), here, slug=file.slug, tenant=file.tenant)


def _told(app: AppRecord, changes: Sequence[Change]) -> dict[str, str]:
    about = {"app": app.slug, "file": app.source}
    if changes:
        about["changes"] = "; ".join(f"line {change.line}: {change.what}" for change in changes)
    return about
