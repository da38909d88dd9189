"""What each contestant finds in the texts of its kind, and what it takes for harm in harmless ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from benchmarks.guardrails.contestants import Contestant, Running, running
from benchmarks.guardrails.harmful import Listed, harmful_texts
from benchmarks.guardrails.personal import harmless_numbers, personal_texts
from benchmarks.guardrails.results import Caught, Quality
from benchmarks.guardrails.texts import LANGUAGES, harmless
from seekway.pipeline.guardrails.evaluation import Rate
from seekway.pipeline.guardrails.lists.shipped import shipped_lists

_INJECTIONS = Path(__file__).parent / "injections.txt"
Labelled = tuple[str, str, str]
"""The text, its kind, its language."""


def shipped_terms() -> list[Listed]:
    """Those that a policy acts on by default: low ones are only flagged."""
    terms = (term for one in shipped_lists() for term in one.terms if term.severity != "low")
    return [Listed(term.text, term.category, term.severity) for term in terms]


def quality_of(
    contestant: Contestant, terms: Sequence[Listed], sample: int, say: Callable[[str], None]
) -> Quality | None:
    """``None`` for what looks for several things at once, whose parts stand for themselves, and for secrets, of which there are no texts here."""
    if contestant.looks in {"all", "secrets"}:
        return None
    texts, clean = _texts(contestant.looks, terms, sample)
    with running(contestant) as process:
        process.load([term.text for term in terms])
        found = Quality(contestant.name, _caught(process, texts), _caught(process, clean))
    say(f"{contestant.name}: looked through {len(texts) + len(clean):,} texts")
    return found


def _texts(looks: str, terms: Sequence[Listed], sample: int) -> tuple[list[Labelled], list[Labelled]]:
    clean: list[Labelled] = [
        (one.text, "everyday texts", language) for language in LANGUAGES for one in harmless(language)
    ]
    if looks == "words":
        return [(one.text, one.kind, one.language) for one in harmful_texts(terms, sample)], clean
    if looks == "personal":
        texts: list[Labelled] = [(one.text, one.kind, one.language) for one in personal_texts(sample)]
        return texts, [*clean, *((one.text, one.kind, one.language) for one in harmless_numbers(sample))]
    return list(_injections()), clean


def _injections() -> Iterable[Labelled]:
    language = ""
    for line in _INJECTIONS.read_text("utf-8").splitlines():
        if line.startswith("["):
            language = line[1:-1]
        elif line and not line.startswith("#"):
            yield line, "injections", language


def _caught(process: Running, texts: Sequence[Labelled]) -> list[Caught]:
    hits: dict[tuple[str, str], list[bool]] = {}
    for (_, kind, language), found in zip(texts, process.found([text for text, *_ in texts]), strict=True):
        hits.setdefault((kind, language), []).append(bool(found))
    return [Caught(kind, language, Rate(sum(all_of), len(all_of))) for (kind, language), all_of in hits.items()]
