"""The guardrails of one process, put together from the settings."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec
from structlog.typing import FilteringBoundLogger

from seekway.core.sections.guardrails import (
    DEFAULT_POLICY,
    DetectorName,
    GuardrailSettings,
    PartName,
    PartSettings,
    PolicySettings,
)
from seekway.core.settings import Settings
from seekway.observability.guardrail_figures import GuardrailCounts
from seekway.pipeline.guardrails.detector import Detector
from seekway.pipeline.guardrails.format_check import FormatCheck, FormatRules
from seekway.pipeline.guardrails.leakage.canary import CanaryMaker
from seekway.pipeline.guardrails.review.book import PolicyBook, PolicyEntry
from seekway.pipeline.guardrails.review.memory import VerdictMemory
from seekway.pipeline.guardrails.review.policy import ActionTable, Part, Policy, Watch
from seekway.pipeline.guardrails.review.pool import ReviewPool
from seekway.pipeline.stage import RequestStage, StreamStage
from seekway.pipeline.stages.mark_prompt import MarkPrompt
from seekway.pipeline.stages.restore_values import RestoreValues
from seekway.pipeline.stages.review_input import ReviewDesk, ReviewInput
from seekway.pipeline.stages.review_output import ReviewOutput


class Made(NamedTuple):
    """A detector; ``slow`` ones belong off the event loop. ``digest`` tells it from any that finds something else."""

    detector: Detector
    digest: bytes
    slow: bool = False


class MakeDetector(Protocol):
    """Makes the detector ``name`` for one part of a policy, or gives one that it made before for the same.

    ``lists`` are the operator's word lists that count. Raises ``ConfigError``.
    """

    def __call__(
        self, name: DetectorName, policy: PolicySettings, part: PartName, lists: Sequence[Path], /
    ) -> Made: ...


_Wanted = tuple[DetectorName, bytes, PartName, tuple[Path, ...]]
"""What a detector is made from: its name, its policy, the part and the lists."""


class PolicyChange(NamedTuple):
    """``was`` and ``now`` are digests, empty where the policy is new or gone."""

    policy: str
    version: str
    was: str
    now: str


class GuardrailStages(NamedTuple):
    """``review_input`` comes first, ``mark_prompt`` behind the cache, ``review_output`` behind the stages that keep the model's own words."""

    review_input: tuple[RequestStage, ...] = ()
    mark_prompt: tuple[RequestStage, ...] = ()
    review_output: tuple[StreamStage, ...] = ()
    """With the stage that puts real values in again behind it: placeholders are reviewed, and kept."""


class Guardrails:
    """Lives as long as the process: figures, verdicts and threads outlive a change of the settings."""

    def __init__(self, log: FilteringBoundLogger, make: MakeDetector) -> None:
        self._make = make
        self.counts = GuardrailCounts()
        self.memory = VerdictMemory(0, 0)
        self._log = log
        self._desk: ReviewDesk | None = None
        self.book: PolicyBook | None = None
        self._canaries = CanaryMaker(secrets.token_bytes(32))
        self._told: dict[str, tuple[str, str]] = {}
        self._prepared: tuple[GuardrailSettings, dict[_Wanted, Made]] | None = None

    def prepare(self, settings: Settings) -> None:
        """Make the detectors that ``settings`` want, for the next :meth:`use` of the same: it takes long, and may be called in a thread.

        Raises ``ConfigError``.
        """
        guardrails = settings.guardrails
        ready: dict[_Wanted, Made] = {}

        def make(name: DetectorName, policy: PolicySettings, part: PartName, lists: Sequence[Path]) -> Made:
            made = ready[_wanted(name, policy, part, lists)] = self._make(name, policy, part, lists)
            return made

        if guardrails.enabled:
            make_book(guardrails, make, GuardrailCounts())
        self._prepared = (guardrails, ready)

    def use(self, settings: Settings) -> GuardrailStages:
        """The stages as ``settings`` want them.

        Raises ``ConfigError``; the old policies then stand.
        """
        guardrails = settings.guardrails
        if not guardrails.enabled:
            self.book = None
            return GuardrailStages()
        self.book = book = make_book(guardrails, self._maker(guardrails), self.counts)
        self.memory.bound(guardrails.remembered_verdicts, guardrails.remembered_bytes)
        if self._desk is None:
            # Threads are made once: how many is read at the start.
            self._desk = ReviewDesk(self.counts, self.memory, ReviewPool(guardrails.threads), self._log)
        marked = any(entry.settings.canary for entry in book.entries)
        return GuardrailStages(
            (ReviewInput(book, self._desk, guardrails),),
            (MarkPrompt(self._canaries),) if marked else (),
            (ReviewOutput(self._canaries), RestoreValues()),
        )

    def _maker(self, guardrails: GuardrailSettings) -> MakeDetector:
        """With what was prepared for these settings."""
        prepared, self._prepared = self._prepared, None
        if prepared is None or prepared[0] != guardrails:
            return self._make

        def make(name: DetectorName, policy: PolicySettings, part: PartName, lists: Sequence[Path]) -> Made:
            return prepared[1].get(_wanted(name, policy, part, lists)) or self._make(name, policy, part, lists)

        return make

    def changes(self) -> tuple[PolicyChange, ...]:
        """How the policies in force differ from those when this was last asked."""
        now = (
            {} if self.book is None else {e.policy.name: (e.policy.version, e.policy.digest) for e in self.book.entries}
        )
        was, self._told = self._told, now
        changed = [
            PolicyChange(name, version, was.get(name, ("", ""))[1], digest)
            for name, (version, digest) in now.items()
            if was.get(name) != (version, digest)
        ]
        gone = [PolicyChange(name, version, digest, "") for name, (version, digest) in was.items() if name not in now]
        return (*changed, *gone)

    def close(self) -> None:
        """After the last request."""
        if self._desk is not None:
            self._desk.pool.close()


def list_files(settings: GuardrailSettings) -> Iterator[Path]:
    """Every word list that the settings name."""
    if settings.enabled:
        for policy in settings.policies:
            yield from map(_path, policy.lists)
        for one in settings.lists:
            yield _path(one.file)


def make_book(settings: GuardrailSettings, make: MakeDetector, counts: GuardrailCounts) -> PolicyBook:
    """The policies in order, and the default one behind them. Raises ``ConfigError``."""
    entries = [_entry(policy, settings, make, counts) for policy in settings.policies]
    last = settings.policies[-1] if settings.policies else None
    if last is None or last.tenants or last.tags or last.apps or last.routes or last.models:
        entries.append(_entry(DEFAULT_POLICY, settings, make, counts))
    return PolicyBook(entries)


def _entry(
    policy: PolicySettings, settings: GuardrailSettings, make: MakeDetector, counts: GuardrailCounts
) -> PolicyEntry:
    everybody = [_path(name) for name in policy.lists]
    everybody += [_path(one.file) for one in settings.lists if not one.tenants]
    tenants = {tenant for one in settings.lists for tenant in one.tenants}
    for_tenants = {
        tenant: _policy(
            policy, [*everybody, *(_path(one.file) for one in settings.lists if tenant in one.tenants)], make, counts
        )
        for tenant in sorted(tenants)
    }
    return PolicyEntry(policy, _policy(policy, everybody, make, counts), for_tenants)


def _policy(policy: PolicySettings, lists: Sequence[Path], make: MakeDetector, counts: GuardrailCounts) -> Policy:
    said = hashlib.sha256(msgspec.json.encode(policy, order="sorted"))

    def part(name: PartName, settings: PartSettings) -> Part | None:
        if not settings.detectors:
            return None
        watches: list[Watch] = []
        digest = hashlib.blake2b(policy.name.encode(), digest_size=16)
        digest.update(name.encode() + msgspec.json.encode(settings, order="sorted"))
        for detector_name in dict.fromkeys(settings.detectors):
            if detector_name == "leakage":
                # Each request has detectors of its own prompt.
                continue
            made = make(detector_name, policy, name, lists)
            watches.append(Watch(made.detector, counts.detector(made.detector.name), made.slow))
            digest.update(made.digest)
        said.update(digest.digest())
        return Part(
            policy.name,
            name,
            tuple(watches),
            ActionTable(settings.actions),
            settings.on_failure,
            digest.digest(),
            policy.mask,
            policy.sanitised,
            leaked_words=policy.leaked_words if "leakage" in settings.detectors else None,
            leakage=counts.detector("leakage"),
        )

    parts = (
        part("input", policy.input),
        part("documents", policy.documents),
        part("output", policy.output),
        part("reasoning", policy.reasoning),
    )
    return Policy(
        policy.name,
        policy.version,
        said.hexdigest()[:16],
        *parts,
        messages={**policy.messages},
        format=_format_check(policy),
        canary=policy.canary,
        reversible=policy.reversible,
    )


def _wanted(name: DetectorName, policy: PolicySettings, part: PartName, lists: Sequence[Path]) -> _Wanted:
    return name, msgspec.json.encode(policy, order="sorted"), part, tuple(lists)


def _format_check(policy: PolicySettings) -> FormatCheck | None:
    asked = policy.format
    if asked is None:
        return None
    return FormatCheck(
        FormatRules(
            json=asked.json,
            min_characters=asked.min_characters,
            max_characters=asked.max_characters,
            citations=asked.citations,
            must_contain=asked.must_contain,
        )
    )


def _path(name: str) -> Path:
    return Path(name).expanduser()
