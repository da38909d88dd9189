"""The detectors there are, made as a policy wants them and shared among all that want the same."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from seekway.core.errors import ConfigError, ModelFileError
from seekway.core.sections.guardrails import DetectorName, PartName, PolicySettings
from seekway.pipeline.guardrails.detector import Detector
from seekway.pipeline.guardrails.guardrails import Made
from seekway.pipeline.guardrails.lists.shipped import shipped_files
from seekway.pipeline.guardrails.pii.detector import PiiDetector
from seekway.pipeline.guardrails.rules.attack_patterns import ATTACK_PATTERNS
from seekway.pipeline.guardrails.rules.pattern_detector import Pattern, PatternDetector
from seekway.pipeline.guardrails.rules.text_rules import TextRules, check_rules
from seekway.pipeline.guardrails.secrets.detector import SecretDetector
from seekway.pipeline.guardrails.whole_text import WholeText
from seekway.pipeline.guardrails.words.word_detector import WordDetector
from seekway.pipeline.guardrails.words.word_list import load_word_list

_MOST_KEPT: Final = 32
"""Detectors of earlier settings among them, which may come back."""


class Detectors:
    """A :class:`seekway.pipeline.guardrails.guardrails.MakeDetector`.

    A detector is known by what it is made from, the contents of its lists included: what has not changed is not made again.
    """

    def __init__(self) -> None:
        self._made: OrderedDict[bytes, Made] = OrderedDict()

    def __call__(self, name: DetectorName, policy: PolicySettings, part: PartName, lists: Sequence[Path]) -> Made:
        match name:
            case "words":
                return self._words(policy, lists)
            case "patterns":
                return self._patterns(policy)
            case "text":
                return self._text(policy)
            case "pii":
                return self._kept("pii", b"", PiiDetector)
            case "secrets":
                return self._kept("secrets", b"", SecretDetector)
            case "classifier":
                return self._classifier(policy, untrusted=part == "documents")
            case "leakage":
                # Each request has its own prompt: the review of the answer makes the detectors.
                raise ConfigError("guardrails: the detector leakage belongs to a request.")

    def _words(self, policy: PolicySettings, lists: Sequence[Path]) -> Made:
        files = [*(shipped_files() if policy.bundled_words else ()), *lists]
        digest = hashlib.sha256()
        for file in files:
            try:
                digest.update(hashlib.sha256(str(file).encode() + b"\0" + file.read_bytes()).digest())
            except OSError as error:
                raise ConfigError(f"The word list {file} cannot be read: {error.strerror}.", param=str(file)) from error
        return self._kept("words", digest.digest(), lambda: WordDetector([load_word_list(file) for file in files]))

    def _patterns(self, policy: PolicySettings) -> Made:
        own = tuple(
            Pattern(one.name, one.pattern, one.category, one.severity, one.longest or None, one.allow)
            for one in policy.patterns
        )
        patterns = (*(ATTACK_PATTERNS if policy.bundled_patterns else ()), *own)
        return self._kept("patterns", msgspec.json.encode(patterns), lambda: PatternDetector(patterns))

    def _text(self, policy: PolicySettings) -> Made:
        said = policy.text
        rules = TextRules(
            max_characters=said.max_characters,
            max_bytes=said.max_bytes,
            max_control=said.max_control,
            max_invisible=said.max_invisible,
            max_marks=said.max_marks,
            allowed=said.allowed_languages,
            denied=said.denied_languages,
        )
        check_rules(rules)
        return self._kept("text", msgspec.json.encode(rules), lambda: WholeText("text", rules.check))

    def _classifier(self, policy: PolicySettings, *, untrusted: bool) -> Made:
        threshold = policy.classifier_threshold

        def make() -> Detector:
            # NumPy and the weights are read only where somebody asks for them.
            from seekway.pipeline.guardrails.classifier.detector import ClassifierDetector, shipped_classifier

            try:
                return ClassifierDetector(shipped_classifier(), untrusted=untrusted, threshold=threshold)
            except ModelFileError as error:
                raise ConfigError(f"guardrails: the detector classifier cannot be used: {error.message}") from error

        return self._kept("classifier", msgspec.json.encode((threshold, untrusted)), make, slow=True)

    def _kept(self, name: str, made_of: bytes, make: Callable[[], Detector], *, slow: bool = False) -> Made:
        digest = hashlib.sha256(name.encode() + b"\0" + made_of).digest()
        known = self._made.get(digest)
        if known is None:
            known = self._made[digest] = Made(make(), digest, slow)
            while len(self._made) > _MOST_KEPT:
                self._made.popitem(last=False)
        self._made.move_to_end(digest)
        return known
