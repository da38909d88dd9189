"""Verdicts of texts seen before: a conversation's history comes again with every turn."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from seekway.pipeline.guardrails.review.policy import Part
from seekway.pipeline.guardrails.review.verdict import Verdict

_ENTRY_BYTES = 300
_FINDING_BYTES = 400


class VerdictMemory:
    """The least recently used goes when there are more than ``most_entries`` or, about, ``most_bytes``.

    Keys are digests of part and text, so that no text is kept; a verdict holds places and categories.
    A review in which a detector failed is not remembered.
    """

    def __init__(self, most_entries: int, most_bytes: int) -> None:
        self._most_entries = most_entries
        self._most_bytes = most_bytes
        self._verdicts: OrderedDict[bytes, tuple[Verdict, int]] = OrderedDict()
        self._bytes = 0

    def size(self) -> tuple[int, int]:
        """Entries, and their bytes, about."""
        return len(self._verdicts), self._bytes

    def bound(self, most_entries: int, most_bytes: int) -> None:
        """Keep to these from now on."""
        self._most_entries, self._most_bytes = most_entries, most_bytes
        self._shrink()

    @staticmethod
    def key(text: str, part: Part) -> bytes:
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, key=part.digest).digest()

    def get(self, key: bytes) -> Verdict | None:
        found = self._verdicts.get(key)
        if found is None:
            return None
        self._verdicts.move_to_end(key)
        return found[0]

    def keep(self, key: bytes, verdict: Verdict) -> None:
        if verdict.failed or not self._most_entries:
            return
        size = _ENTRY_BYTES + _FINDING_BYTES * len(verdict.judged)
        if size > self._most_bytes:
            return
        before = self._verdicts.pop(key, None)
        self._bytes += size - (0 if before is None else before[1])
        self._verdicts[key] = (verdict, size)
        self._shrink()

    def _shrink(self) -> None:
        while self._verdicts and (len(self._verdicts) > self._most_entries or self._bytes > self._most_bytes):
            _, (_, size) = self._verdicts.popitem(last=False)
            self._bytes -= size
