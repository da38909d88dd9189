"""The trained weights and the record beside them, checked against each other before use."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from seekway.core.errors import ModelFileError
from seekway.pipeline.guardrails.classifier.features import BUCKET_BITS, MEANINGS, Lexicon
from seekway.pipeline.guardrails.classifier.folding import TABLE_SIZE, Folding

DIRECTORY = Path(__file__).parent / "model"
WEIGHTS_NAME = "weights.npz"
RECORD_NAME = "record.json"
HEADS = 3
"""What a message asks, what a document hides, and of what is an attack whether it is a jailbreak."""


class Head(msgspec.Struct, frozen=True):
    """One linear model: ``scale`` undoes the quantising, ``biases`` is one a window size, ``slope`` and ``offset`` calibrate."""

    scale: float
    biases: list[float]
    slope: float
    offset: float


class Alarms(msgspec.Struct, frozen=True):
    """Shares of harmless text that may raise an alarm: of everyday text, and of texts written to be mistaken for attacks."""

    everyday: float
    hard: float


class Thresholds(msgspec.Struct, frozen=True):
    """Scores from which on a text counts as an attack, by language and for messages and documents."""

    direct: dict[str, float]
    untrusted: dict[str, float]


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was trained: the hash of the weights, seed, how many texts, the three heads, and the thresholds with what they were taken for."""

    sha256: str
    seed: int
    texts: int
    heads: list[Head]
    alarms: Alarms
    thresholds: Thresholds


class Network(NamedTuple):
    """One hidden layer: ``relu(meaning @ inward + middle) @ outward``."""

    inward: NDArray[np.float32]
    middle: NDArray[np.float32]
    outward: NDArray[np.float32]

    def logits(self, meanings: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.maximum(meanings @ self.inward + self.middle, 0) @ self.outward


class Weights(msgspec.Struct, frozen=True):
    """``table`` has one row of int8 a bucket and one column a head; ``networks`` are those over concepts, one a head."""

    folding: Folding
    lexicon: Lexicon
    table: NDArray[np.int8]
    networks: list[Network]
    record: Record


def load_weights(directory: Path = DIRECTORY) -> Weights:
    """Read the weights in ``directory``; :class:`ModelFileError` where they are missing, damaged or not those recorded."""
    try:
        raw = (directory / WEIGHTS_NAME).read_bytes()
        record = msgspec.json.decode((directory / RECORD_NAME).read_bytes(), type=Record)
    except (OSError, msgspec.DecodeError) as error:
        raise ModelFileError(
            f"The injection classifier in {directory} cannot be read ({error}); install seekway again, or train it with 'make train-guard'."
        ) from error
    if hashlib.sha256(raw).hexdigest() != record.sha256:
        raise ModelFileError(
            f"{directory / WEIGHTS_NAME} is not the file that {RECORD_NAME} names; install seekway again, or train it with 'make train-guard'."
        )
    try:
        return _unpacked(raw, record)
    except (OSError, ValueError, KeyError, IndexError, zipfile.BadZipFile) as error:
        raise ModelFileError(
            f"{directory / WEIGHTS_NAME} holds no injection classifier of this version; train it again with 'make train-guard'."
        ) from error


def _unpacked(raw: bytes, record: Record) -> Weights:
    with np.load(io.BytesIO(raw), allow_pickle=False) as arrays:
        read_as = np.arange(TABLE_SIZE, dtype=np.uint32)
        read_as[arrays["fold_from"]] = arrays["fold_to"]
        lexicon = Lexicon(arrays["phrases"], arrays["concepts"])
        table = np.ascontiguousarray(arrays["table"], dtype=np.int8)
        inward, middle, outward = (arrays[name].astype(np.float32) for name in ("inward", "middle", "outward"))
    networks = [Network(inward[head], middle[head], outward[head]) for head in range(HEADS)]
    if inward.shape[1] != MEANINGS or table.shape != (1 << BUCKET_BITS, HEADS) or len(record.heads) != HEADS:
        raise ValueError("the weights have another shape")
    return Weights(Folding(read_as), lexicon, table, networks, record)
