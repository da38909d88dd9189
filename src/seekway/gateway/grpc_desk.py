"""One gRPC call at the gateway."""

from __future__ import annotations

from typing import Final

from seekway.gateway.front import Front
from seekway.gateway.visit import FrontVisit
from seekway.model_service.desk import Metadata, SecondsLeft
from seekway.pipeline.exchange import Headers

METHOD: Final = "GRPC"
"""Stands in the access log where an HTTP request has its verb."""


class FrontDesk:
    """A :class:`seekway.model_service.desk.Desk`. Each call goes by the configuration in force when it comes."""

    def __init__(self, front: Front) -> None:
        self._front = front

    def open(self, path: str, metadata: Metadata, left: SecondsLeft) -> FrontVisit:
        return FrontVisit(self._front.services, self._front.ledger, path, headers_of(metadata), left, METHOD)


def headers_of(metadata: Metadata) -> Headers:
    """A call's metadata as the headers that they are on the wire; gRPC gives names in lower case and binary values as bytes."""
    return Headers(
        tuple(
            (name.encode("latin-1"), value if isinstance(value, bytes) else value.encode("latin-1"))
            for name, value in metadata
        )
    )
