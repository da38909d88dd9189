"""Trains the injection classifier, measures it on sources held out, and writes the weights into the package.

    python -m scripts.guard_training PACKAGES [--quick]

PACKAGES is where requirements.lock was installed; ``make train-guard`` does both. ``--quick`` leaves out the table by
family. The report goes to standard output in Markdown, for docs/guardrails-classifier.md.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from scripts.guard_training.calibration import Calibration, calibrate
from scripts.guard_training.evaluation import (
    ALARMS,
    Held,
    fold_thresholds,
    for_head,
    harmless_alarms,
    held_out,
    learn,
    table,
    weights_of,
)
from scripts.guard_training.examples import make_examples
from scripts.guard_training.learning import Model, Prepared, prepare, train
from scripts.guard_training.tables import make_lexicon, make_read_as, read_lexicon, read_simplified

from seekway.pipeline.guardrails.classifier.features import Lexicon
from seekway.pipeline.guardrails.classifier.folding import Folding
from seekway.pipeline.guardrails.classifier.weights import (
    DIRECTORY,
    RECORD_NAME,
    WEIGHTS_NAME,
    Head,
    Record,
    Thresholds,
)

SEED = 20261122
LANGUAGES = ("en", "zh")
WHERES = ("direct", "untrusted")


def _report(held: list[Held], title: str) -> None:
    print(f"\n### {title}\n\n| source | texts | found |\n|---|---|---|")
    for language in LANGUAGES:
        part = [one for one in held if one.example.language == language]
        lines = table(part)
        texts = sum(count for _, attack, count, _ in lines if attack)
        hits = sum(count * share for _, attack, count, share in lines if attack)
        print(f"| **{language}: all attacks** | {texts} | **{hits / texts:.1%}** |")
        alarms = harmless_alarms(part)
        print(f"| {language}: all everyday texts (harmless) | | {alarms.everyday:.2%} |")
        print(f"| {language}: all texts like attacks (harmless) | | {alarms.hard:.1%} |")
        for name, attack, count, share in lines:
            print(f"| {language}: {name}{'' if attack else ' (harmless)'} | {count} | {share:.1%} |")


def _quantised(model: Model) -> tuple[NDArray[np.int8], float]:
    scale = float(np.abs(model.weights).max()) / 127
    return np.round(model.weights / scale).astype(np.int8), scale


def _kind_model(prepared: list[Prepared]) -> Model:
    attacks = [one for one in prepared if one.example.attack]
    return train(attacks, [one.example.jailbreak for one in attacks], weights_of(attacks), SEED)


def _write(arrays: dict[str, NDArray[np.generic]], record: Record) -> None:
    DIRECTORY.mkdir(exist_ok=True)
    path = DIRECTORY / WEIGHTS_NAME
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    record = msgspec.structs.replace(record, sha256=sha256)
    (DIRECTORY / RECORD_NAME).write_bytes(msgspec.json.format(msgspec.json.encode(record)) + b"\n")
    print(f"\n{path.name}: {path.stat().st_size} bytes, sha256 {sha256}")


def _trained(prepared: list[Prepared], where: str, *, quick: bool) -> tuple[Model, Calibration, dict[str, float]]:
    """The model of one head, what its logits mean, and the score of each language's threshold."""
    held = held_out(prepared, where, "template", SEED)
    _report(held, f"{where}: templates and packages held out")
    if not quick:
        _report(held_out(prepared, where, "family", SEED), f"{where}: kinds of attack held out")
    scale = calibrate(
        np.array([one.logit for one in held if one.example.attack]),
        np.array([one.logit for one in held if not one.example.attack]),
    )
    limits: dict[str, float] = {}
    for language in LANGUAGES:
        folds = fold_thresholds([one for one in held if one.example.language == language])
        limits[language] = round(scale.score(float(np.mean(list(folds.values())))), 6)
    return learn(for_head(prepared, where), SEED), scale, limits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packages", type=Path)
    parser.add_argument("--quick", action="store_true", help="leave out the table by family")
    arguments = parser.parse_args()
    packages: Path = arguments.packages
    read_as = make_read_as(read_simplified(packages / "opencc/dictionary/TSCharacters.txt"))
    folding = Folding(read_as)
    phrases, concepts = make_lexicon(read_lexicon(Path(__file__).parent / "lexicon.txt"), folding)
    lexicon = Lexicon(phrases, concepts)
    prepared = [one for example in make_examples(packages, SEED) if (one := prepare(example, folding, lexicon))]
    direct, untrusted = (_trained(prepared, where, quick=arguments.quick) for where in WHERES)
    models = [direct[0], untrusted[0], _kind_model(prepared)]
    calibrations = [direct[1], untrusted[1], Calibration(1.0, 0.0)]
    tables = [_quantised(model) for model in models]
    changed = np.flatnonzero(read_as != np.arange(len(read_as)))
    arrays: dict[str, NDArray[np.generic]] = {
        "fold_from": changed.astype(np.uint32),
        "fold_to": read_as[changed],
        "phrases": phrases,
        "concepts": concepts,
        "table": np.stack([column for column, _ in tables], axis=1),
        "inward": np.stack([model.inward for model in models]).astype(np.float32),
        "middle": np.stack([model.middle for model in models]).astype(np.float32),
        "outward": np.stack([model.outward for model in models]).astype(np.float32),
    }
    heads = [
        Head(scale=scale, biases=model.biases.tolist(), slope=chance.slope, offset=chance.offset)
        for model, (_, scale), chance in zip(models, tables, calibrations, strict=True)
    ]
    limits = Thresholds(direct=direct[2], untrusted=untrusted[2])
    _write(arrays, Record(sha256="", seed=SEED, texts=len(prepared), heads=heads, alarms=ALARMS, thresholds=limits))


if __name__ == "__main__":
    main()
