"""structlog without what only its prettier tracebacks need."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import cast


def import_without_rich() -> None:
    """Import structlog as it is where rich is not installed: with it come rich and pygments, 5 MB in each process, for tracebacks that we never show.

    To be called before anything else imports structlog; rich itself can be imported afterwards as ever.
    """
    if "rich" in sys.modules:
        return
    modules = cast("dict[str, object]", sys.modules)
    # What an import finds there as None is not to be had.
    modules["rich"] = None
    try:
        import_module("structlog")
    finally:
        del modules["rich"]
