"""What the peers share: reading a corpus, timing questions, telling figures as a line of JSON."""

import json
import time
from pathlib import Path

import numpy as np
import psutil

DOCUMENT = 100


def corpus(folder: Path):
    passages = [json.loads(line) for line in (folder / "passages.jsonl").open(encoding="utf-8")]
    questions = [json.loads(line) for line in (folder / "questions.jsonl").open(encoding="utf-8")]
    return passages, questions, np.load(folder / "vectors.npy", mmap_mode="r"), np.load(folder / "near.npy")


def memory() -> int:
    return psutil.Process().memory_info().rss


def timed(ask, questions, near):
    ms, found = [], []
    for question, vector in zip(questions, near, strict=True):
        begun = time.perf_counter()
        numbers = ask(question, vector)
        ms.append((time.perf_counter() - begun) * 1e3)
        found.append(numbers)
    return ms, found


def disk(store: Path) -> int:
    return sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
