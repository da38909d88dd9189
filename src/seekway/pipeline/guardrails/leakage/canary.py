"""A random word put into the system prompt, which is in an answer only if the prompt was given away."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from seekway.pipeline.guardrails.detector import Finding, Scan

_ALPHABET: Final = "bcdfghjkmnpqrstvwxz2456789"
_LENGTH: Final = 16
_MOST_BETWEEN: Final = 6
"""Characters between two of the word's, such as spaces, dashes or marks of Markdown."""
_FULL_WIDTH: Final = 0xFEE0


class CanaryMaker:
    """Words that only the holder of ``secret`` can foresee: one for each tenant, the same as long as the secret is.

    A word for each request would make every prompt differ from its beginning, and so cost the backends' prefix caches.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def of(self, tenant: str) -> str:
        """16 letters and digits without vowels: no word of any language, 75 bits."""
        digest = hmac.digest(self._secret, b"canary\0" + tenant.encode("utf-8", "surrogatepass"), hashlib.sha256)
        number = int.from_bytes(digest, "big")
        letters: list[str] = []
        for _ in range(_LENGTH):
            number, at = divmod(number, len(_ALPHABET))
            letters.append(_ALPHABET[at])
        return "".join(letters)


class CanaryDetector:
    """Finds ``marker`` in whatever case, full width, and with up to 6 other characters between any two of its own.

    What a model does to it beyond that (base64, translation, a letter left out) is not seen.
    """

    name = "leakage"
    context_chars = 0
    needs_whole = False

    def __init__(self, marker: str) -> None:
        self._marker = marker.lower()
        self._fallback = _fallbacks(self._marker)
        self._beginnings = tuple(self._marker[:length] for length in range(1, len(self._marker)))

    def scan(self, text: str, start: int, *, final: bool) -> Scan:
        # Its letters alone tell, at the cost of a few microseconds, that neither it nor its beginning is there.
        letters = text[start:].translate(_PLAIN)
        if self._marker not in letters:
            begun = not final and any(letters.endswith(beginning) for beginning in self._beginnings)
            if not begun:
                return Scan((), len(text))
            start = max(start, len(text) - len(self._marker) * (_MOST_BETWEEN + 1))
        return self._follow(text, start, final=final)

    def _follow(self, text: str, start: int, *, final: bool) -> Scan:
        marker, length = self._marker, len(self._marker)
        findings: list[Finding] = []
        places: list[int] = []
        matched = 0
        for at in range(start, len(text)):
            letter = _PLAIN[ord(text[at])]
            if letter is None:
                continue
            if matched and at - places[-1] > _MOST_BETWEEN + 1:
                matched = 0
            while matched and marker[matched] != letter:
                matched = self._fallback[matched - 1]
            if marker[matched] == letter:
                matched += 1
            places = [*places[len(places) - matched + 1 :], at] if matched else []
            if matched == length:
                findings.append(Finding(self.name, "prompt_leak", "high", places[0], at + 1, "canary"))
                matched, places = 0, []
        if final or not matched or len(text) - places[-1] > _MOST_BETWEEN + 1:
            return Scan(findings, len(text))
        return Scan(findings, places[0])


class _PlainLetters(dict[int, str | None]):
    """For ``str.translate``: ASCII letters and digits in lower case, full-width ones too; None for everything that may stand between."""

    def __missing__(self, character: int) -> str | None:
        plain = chr(character - _FULL_WIDTH if 0xFF10 <= character <= 0xFF5A else character)
        letter = plain.lower() if plain.isascii() and plain.isalnum() else None
        if character < 0x10000:
            self[character] = letter
        return letter


_PLAIN: Final = _PlainLetters()


def _fallbacks(marker: str) -> list[int]:
    """For each length of a match, the longest shorter one that is also its end (Knuth, Morris and Pratt 1977)."""
    known = [0] * len(marker)
    matched = 0
    for at in range(1, len(marker)):
        while matched and marker[matched] != marker[at]:
            matched = known[matched - 1]
        matched += marker[matched] == marker[at]
        known[at] = matched
    return known
