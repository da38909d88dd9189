"""Where a long text is looked at: overlapping windows of three sizes, so that one sentence in a book counts as in a line."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

WINDOW_TOKENS = (20, 64, 192)
"""A word or an ideograph is a token; each window begins half a window after the one before."""


class Windows(NamedTuple):
    """First and past-the-last token of every window, and which of :data:`WINDOW_TOKENS` it has."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    sizes: NDArray[np.int64]


def windows_of(tokens: int) -> Windows:
    """The windows over ``tokens`` tokens; sizes that a smaller window already covers are left out."""
    starts: list[NDArray[np.int64]] = []
    sizes: list[NDArray[np.int64]] = []
    for index, size in enumerate(WINDOW_TOKENS):
        if index and tokens <= WINDOW_TOKENS[index - 1]:
            break
        step = size // 2
        count = max(1, -(-(tokens - size) // step) + 1)
        places = np.minimum(np.arange(count, dtype=np.int64) * step, max(0, tokens - size))
        starts.append(places)
        sizes.append(np.full(count, index, np.int64))
    begin = np.concatenate(starts)
    which = np.concatenate(sizes)
    return Windows(begin, np.minimum(begin + np.array(WINDOW_TOKENS)[which], tokens), which)
