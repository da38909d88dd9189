"""The HTTP gateway's settings."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from seekway.core.sections.ports import Port


class GatewaySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    host: Annotated[str, Meta(description="Address to listen on; anything but loopback needs `api_key_file`.")] = (
        "127.0.0.1"
    )
    port: Annotated[Port, Meta(description="HTTP port; 0 takes a free one.")] = 8000
    grpc_port: Annotated[
        Port | None,
        Meta(
            description="gRPC port on the same address, for clients of `proto/seekway/v1/model_service.proto` to every backend; 0 takes a free one, unset: none."
        ),
    ] = None
    workers: Annotated[
        int,
        Meta(
            ge=1,
            le=256,
            description="Gateway processes that share the ports, one a core at most; limits hold over all of them together.",
        ),
    ] = 1
    api_key_file: Annotated[
        str | None,
        Meta(
            description="File with one API key a line; when set, every model route and gRPC call needs one of them as a Bearer token."
        ),
    ] = None
    open_pages: Annotated[
        bool | None,
        Meta(
            description="Whether `/metrics`, `/docs` and `/openapi.json` are answered without a key; unset: where `host` is loopback or there are no keys. "
            "Else `/metrics` needs a key with the scope `metrics` or `admin`, the others any key."
        ),
    ] = None
    max_body_bytes: Annotated[
        int,
        Meta(
            ge=1024,
            description="Largest request body; a larger one is answered 413, over gRPC RESOURCE_EXHAUSTED (as it was at the start).",
        ),
    ] = 16 * 1024 * 1024
    request_timeout_s: Annotated[
        float, Meta(gt=0, description="Longest time a request may take from first byte to last.")
    ] = 600.0
    keep_alive_interval_s: Annotated[
        float,
        Meta(
            gt=0,
            description="Silence after which a waiting client gets a keep-alive (a comment on a stream, a blank line otherwise).",
        ),
    ] = 10.0
    drain_timeout_s: Annotated[
        float, Meta(ge=0, description="How long running requests may finish after SIGTERM or Ctrl-C.")
    ] = 20.0
