"""The work behind switching annotation replies on: questions are embedded while nobody waits."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections import OrderedDict
from typing import Final, Literal

import msgspec
from structlog.typing import FilteringBoundLogger

from seekway.applications.records import AppRecord
from seekway.applications.service import Applications
from seekway.core.errors import SeekwayError

JobStatus = Literal["waiting", "processing", "completed", "error"]
Action = Literal["enable", "disable"]
_KEPT: Final = 1000
_MARK_BYTES: Final = 8


class Job(msgspec.Struct):
    """As Dify tells of it."""

    job_id: str
    job_status: JobStatus
    error_msg: str = ""


class AnnotationJobs:
    """To be closed. A job's id tells whose it is, so that any gateway process can answer for it: by the vectors there are, where another does the work."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._again: dict[str, AppRecord] = {}

    def start(self, applications: Applications, app: AppRecord, action: Action) -> Job:
        """``app`` has its new settings already."""
        job = Job(_job_id(app, action), "completed" if action == "disable" else "waiting")
        self._jobs[job.job_id] = job
        while len(self._jobs) > _KEPT:
            self._jobs.popitem(last=False)
        if action == "enable":
            self.refresh(applications, app)
        return msgspec.structs.replace(job, job_status="waiting")

    def refresh(self, applications: Applications, app: AppRecord) -> None:
        """Embed what is new, if ``app`` replies by annotations; what comes meanwhile is done behind it."""
        if not app.definition.annotations.enabled:
            return
        if app.id in self._tasks:
            self._again[app.id] = app
            return
        # Not in a task group: no request waits for it; `close` ends it.
        task = asyncio.get_running_loop().create_task(self._work(applications, app))
        self._tasks[app.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(app.id, None))

    async def state(self, applications: Applications, app: AppRecord, action: Action, job: str) -> Job | None:
        """None for what is no job of ``app``."""
        known = self._jobs.get(job)
        if not _is_of(app, action, job):
            return None
        if known is not None:
            return known
        use = app.definition.annotations
        if action == "enable" and use.enabled:
            waiting = await applications.store.annotations.without_vector(app.id, use.embedding_model, 1)
            return Job(job, "processing" if waiting else "completed")
        return Job(job, "completed")

    async def close(self) -> None:
        """Work that is not done is done when it is asked for again."""
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def settled(self) -> None:
        """Until nothing is left to do."""
        while self._tasks:
            await asyncio.wait(tuple(self._tasks.values()))

    async def _work(self, applications: Applications, app: AppRecord) -> None:
        following: AppRecord | None = app
        while following is not None:
            app = following
            self._tell(app, "processing")
            try:
                await applications.index_annotations(app)
            except SeekwayError as error:
                self._log.warning("annotations_not_indexed", app=app.slug, error=error.code, reason=error.message)
                self._tell(app, "error", error.message)
            except Exception as error:  # noqa: BLE001 - the task's edge: nobody else would hear of it
                self._log.error("annotations_not_indexed", app=app.slug, exc_info=error)
                self._tell(app, "error", "Something went wrong here; the log has the details.")
            else:
                if app.id not in self._again:
                    self._tell(app, "completed")
            following = self._again.pop(app.id, None)

    def _tell(self, app: AppRecord, status: JobStatus, message: str = "") -> None:
        for job in self._jobs.values():
            if job.job_status in ("waiting", "processing") and _is_of(app, "enable", job.job_id):
                job.job_status, job.error_msg = status, message


def _job_id(app: AppRecord, action: Action) -> str:
    chance = uuid.uuid4().bytes[:_MARK_BYTES]
    return str(uuid.UUID(bytes=chance + _mark(app, action, chance)))


def _is_of(app: AppRecord, action: Action, job: str) -> bool:
    raw = uuid.UUID(job).bytes
    return raw[_MARK_BYTES:] == _mark(app, action, raw[:_MARK_BYTES])


def _mark(app: AppRecord, action: Action, chance: bytes) -> bytes:
    return hashlib.sha256(f"{app.id} {action} ".encode() + chance).digest()[:_MARK_BYTES]
