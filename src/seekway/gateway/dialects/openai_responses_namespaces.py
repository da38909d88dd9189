"""Groups of functions (tools of the type ``namespace``) as single functions, which is all that models and other servers know.

Sources: OpenAI's API reference, "Namespace tool"; openai/codex, ``codex-rs/tools/src/responses_api.rs``.
A function's name among all others is its namespace's, two underscores and its own; calls come back with the two apart.
"""

from __future__ import annotations

import hashlib
import re

_LONGEST = 64
_OTHER = re.compile(r"[^a-zA-Z0-9_-]")
_BETWEEN = "__"


def flat_name(namespace: str | None, name: str) -> str:
    """The name of one function among all: the same for the same two, so that calls sent back later are known again.

    What no function's name may hold or is longer than 64 characters is cut, and told apart by a digest.
    """
    if namespace is None:
        return name
    # Codex ends some namespaces so itself.
    joined = f"{namespace}{name}" if namespace.endswith(_BETWEEN) else f"{namespace}{_BETWEEN}{name}"
    clean = _OTHER.sub("_", joined)
    if clean == joined and len(joined) <= _LONGEST:
        return joined
    digest = hashlib.blake2s(f"{namespace}\0{name}".encode(), digest_size=4).hexdigest()
    return f"{clean[: _LONGEST - len(digest) - 1]}_{digest}"
