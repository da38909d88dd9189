"""Keeps OpenVINO from loading its telemetry."""

from __future__ import annotations

import sys
from typing import cast


def bar_telemetry() -> None:
    """Keep OpenVINO's telemetry from being loaded; must come before the first import of OpenVINO.

    ``import openvino`` imports its model converter, which loads ``openvino_telemetry``, a client of Google Analytics.
    Only converting a model sends anything, and nothing here converts; with the module barred it cannot be loaded at all,
    and the converter takes the stub it ships for this case.
    """
    if "openvino_telemetry" not in sys.modules:
        # None makes the import system raise ModuleNotFoundError (Python reference, 5.3.1).
        cast("dict[str, object]", sys.modules)["openvino_telemetry"] = None
