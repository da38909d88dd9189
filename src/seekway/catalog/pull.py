"""``seekway models pull``: from a name to an installed model.

A name is one of the catalogue's (``deepseek-r1:7b``) or a repository's, with or without the quantization wanted (``owner/name:Q5_K_M``).
"""

from __future__ import annotations

import asyncio
import fnmatch
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import aiohttp
import msgspec

from seekway.catalog.disk import check_space, locked
from seekway.catalog.download import Wanted, download_all, open_session
from seekway.catalog.entries import ENTRIES, CatalogEntry, find_entry
from seekway.catalog.hub import Hub, RemoteFile, RepositoryFiles
from seekway.catalog.part_file import part_path
from seekway.catalog.retry import RetryPolicy
from seekway.catalog.store import InstalledFile, InstalledModel, Store, sha256_of, version_of
from seekway.core.errors import DownloadError, ModelFileError
from seekway.core.sections.serving import CatalogSettings
from seekway.engine.gguf.header import read_header

OnProgress = Callable[[int, int], None]
"""Called with the bytes that are there and the bytes of the whole model."""

_REPOSITORY = re.compile(r"([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?::([\w.-]+))?")
_PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$", re.IGNORECASE)
_PREFERRED = ("Q4_K_M", "Q8_0", "Q5_K_M", "Q6_K", "Q4_0")


class Request(msgspec.Struct, frozen=True):
    """What a name means: a repository and either a pattern or a quantization to look for."""

    name: str
    repository: str
    pattern: str | None = None
    quantization: str | None = None
    licence: str | None = None
    parts: int | None = None


async def pull(
    name: str,
    settings: CatalogSettings,
    *,
    token: str | None = None,
    revision: str | None = None,
    policy: RetryPolicy | None = None,
    on_progress: OnProgress = lambda done, total: None,
) -> InstalledModel:
    """Download the model ``name`` and install it; one that is installed is returned as it is.

    Raises ``DownloadError`` or ``ModelFileError``; what came of a broken-off download is used next time.
    """
    policy = policy or RetryPolicy()
    store = Store(settings.directory)
    request = read_name(name, settings)
    folder = store.directory_of(request.name)
    with locked(store.directory / f".{folder.name}.lock"):
        if (installed := store.find(request.name)) is not None:
            return installed
        async with open_session(policy) as session:
            hub = Hub(session, settings.hub, mirror=settings.mirror, token=token, policy=policy)
            listing = await hub.list_files(request.repository, revision)
            chosen = choose_files(listing, request)
            wanted = tuple(_wanted(file, folder, hub.token) for file in chosen)
            hashes = await _fetch(session, wanted, policy, on_progress)
        model = await asyncio.to_thread(_model, request, settings, listing, wanted, hashes)
        store.add(model)
        return model


def read_name(name: str, settings: CatalogSettings) -> Request:
    """What to ask the hub for; raises ``ModelFileError`` for a name that is neither in the catalogue nor a repository's."""
    entry = find_entry(name)
    if entry is not None:
        return _request_of(entry, settings)
    match = _REPOSITORY.fullmatch(name)
    if match is None:
        known = ", ".join(entry.name for entry in ENTRIES[:4])
        raise ModelFileError(
            f"There is no model {name}; seekway models list --available shows the catalogue ({known}, …), or name a repository as owner/name:Q4_K_M."
        )
    return Request(name=name, repository=match[1], quantization=match[2])


def choose_files(listing: RepositoryFiles, request: Request) -> tuple[RemoteFile, ...]:
    """The files of one quantization in the order of their parts; raises ``DownloadError`` where that is none or not clear."""
    models = [f for f in listing.files if f.path.lower().endswith(".gguf") and "mmproj" not in f.path.lower()]
    if request.pattern is not None:
        models = [f for f in models if fnmatch.fnmatchcase(f.path, request.pattern)]
    groups: defaultdict[str, list[RemoteFile]] = defaultdict(list)
    for file in models:
        groups[_PART.sub("", file.path)].append(file)
    if not groups:
        raise DownloadError(
            f"{request.repository} has no GGUF file that fits {request.name}; look at its files on the hub."
        )
    stem = _choose_group(sorted(groups), request)
    files = sorted(groups[stem], key=lambda file: file.path)
    _check_parts(files, request)
    return tuple(files)


def _request_of(entry: CatalogEntry, settings: CatalogSettings) -> Request:
    repository = entry.repository(settings.hub)
    if repository is None:
        raise DownloadError(
            f"{entry.name} is not on {settings.hub}; pull it with --hub huggingface, and --mirror where that is not reachable."
        )
    return Request(entry.name, repository, entry.files, entry.quantization, entry.licence, entry.parts)


def _choose_group(stems: Sequence[str], request: Request) -> str:
    if len(stems) == 1 and (request.pattern or request.quantization is None):
        return stems[0]
    for quantization in (request.quantization,) if request.quantization else _PREFERRED:
        found = [stem for stem in stems if _holds(stem, quantization)]
        if len(found) == 1:
            return found[0]
        if len(found) > 1:
            raise DownloadError(
                f"{request.repository} has several files with {quantization}: {', '.join(found[:6])}; name one more closely."
            )
    choices = ", ".join(PurePosixPath(stem).name.removesuffix(".gguf") for stem in stems[:8])
    raise DownloadError(
        f"{request.repository} has no {request.quantization or 'usual quantization'}; it has {choices}."
    )


def _holds(stem: str, quantization: str) -> bool:
    """Whether the file's name holds the quantization as a whole word: Q4_K is not Q4_K_M, and Q2_K_XL is not UD-Q2_K_XL's lesser."""
    name = PurePosixPath(stem).name.lower().removesuffix(".gguf")
    return re.search(rf"(^|[.\-_]){re.escape(quantization.lower())}($|[.\-])", name) is not None


def _check_parts(files: Sequence[RemoteFile], request: Request) -> None:
    marks = [_PART.search(file.path) for file in files]
    numbers = [(int(mark[1]), int(mark[2])) if mark else (1, 1) for mark in marks]
    count = numbers[0][1]
    if numbers != [(number, count) for number in range(1, count + 1)]:
        raise DownloadError(
            f"{request.repository} has {len(files)} of {count} parts of {request.name}; try another hub or mirror."
        )


def _wanted(file: RemoteFile, folder: Path, token: str | None) -> Wanted:
    return Wanted(file.url, folder / PurePosixPath(file.path).name, file.size, file.sha256, token)


async def _fetch(
    session: aiohttp.ClientSession, wanted: Sequence[Wanted], policy: RetryPolicy, on_progress: OnProgress
) -> dict[str, str]:
    """Download what is not there yet; returns SHA-256 by file name."""
    total = sum(file.size for file in wanted)
    there = [file for file in wanted if file.target.exists()]
    hashes = {file.target.name: digest for file in there if (digest := await asyncio.to_thread(_checked, file))}
    missing = [file for file in wanted if file.target.name not in hashes]
    partial = sum(path.stat().st_size for file in missing if (path := part_path(file.target)).exists())
    done = sum(file.size for file in wanted if file.target.name in hashes)
    check_space(wanted[0].target.parent, total - done - partial)

    def on_bytes(count: int) -> None:
        nonlocal done
        done += count
        on_progress(done, total)

    on_bytes(0)
    fetched = await download_all(session, missing, policy, on_bytes)
    return hashes | {file.target.name: digest for file, digest in zip(missing, fetched, strict=True)}


def _checked(file: Wanted) -> str | None:
    """The digest of a part that an earlier pull finished, or None when it is not the file wanted."""
    if file.target.stat().st_size != file.size:
        return None
    digest = sha256_of(file.target)
    return digest if file.sha256 in (None, digest) else None


def _model(
    request: Request,
    settings: CatalogSettings,
    listing: RepositoryFiles,
    wanted: Sequence[Wanted],
    hashes: dict[str, str],
) -> InstalledModel:
    files = tuple(InstalledFile(file.target.name, file.size, hashes[file.target.name]) for file in wanted)
    return InstalledModel(
        name=request.name,
        version=version_of(files),
        source=f"{settings.hub}:{listing.repository}@{listing.revision[:12]}",
        architecture=read_header(wanted[0].target).architecture,
        files=files,
        quantization=request.quantization,
        licence=request.licence,
    )
