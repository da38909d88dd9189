"""What is kept of models' reasoning, for clients that forget to send it back."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class ReasoningSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    restore: Annotated[
        bool,
        Meta(
            description="Keep the reasoning of answers that called tools, in memory and for each tenant apart, and put it back when a client leaves out `reasoning_content`, which DeepSeek answers 400."
        ),
    ] = True
    max_answers: Annotated[
        int, Meta(ge=1, description="Most answers whose reasoning is kept; the least recently used goes first.")
    ] = 20_000
    max_mib: Annotated[int, Meta(ge=1, description="Most memory for kept reasoning in MiB.")] = 32
    ttl_s: Annotated[
        float, Meta(gt=0, description="How long after it was last used an answer's reasoning is kept, in seconds.")
    ] = 21_600.0
