"""The settings of local models: the model service, the engines, the models and where they lie."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from seekway.core.sections.ports import Port


class ModelServiceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    host: Annotated[
        str,
        Meta(
            description="Address the gRPC model service listens on; it has no authentication yet, so only loopback is allowed."
        ),
    ] = "127.0.0.1"
    port: Annotated[Port, Meta(description="gRPC port; 0 takes a free one.")] = 50051
    enabled: Annotated[bool, Meta(description="False: the gateway uses only `backends`, no local model is loaded.")] = (
        True
    )
    max_message_bytes: Annotated[int, Meta(ge=1024, description="Largest gRPC message.")] = 32 * 1024 * 1024


class EngineSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: Annotated[
        Literal["auto", "openvino", "llamacpp"],
        Meta(
            description="Engine of local models; `auto` takes OpenVINO for Qwen2 and Llama, llama.cpp for every other architecture."
        ),
    ] = "auto"
    context_length: Annotated[
        int,
        Meta(
            ge=0,
            description="Most tokens of one sequence, prompt and output together; 0 is the model's own, cut to what the KV cache holds.",
        ),
    ] = 0
    threads: Annotated[int, Meta(ge=0, description="Inference threads; 0 is one a core.")] = 0
    max_running: Annotated[int, Meta(ge=1, description="Sequences batched at once.")] = 32
    max_queued: Annotated[
        int, Meta(ge=0, description="Sequences that may wait; one more is answered 503 with Retry-After.")
    ] = 256
    kv_cache: Annotated[Literal["int8", "f16"], Meta(description="Precision of the KV cache.")] = "int8"
    kv_cache_mib: Annotated[int, Meta(ge=16, description="Bound of the KV cache in MiB.")] = 512
    prefix_cache: Annotated[bool, Meta(description="Reuse the KV cache of a common prompt prefix.")] = True
    flash_attention: Annotated[bool, Meta(description="Flash attention, where the engine has the choice.")] = True


class ModelSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[
        str,
        Meta(
            min_length=1,
            description="Name that clients ask for; entries of one name and different files are its versions, asked for as `name@version`.",
        ),
    ]
    path: Annotated[str | None, Meta(description="GGUF file; unset: the model pulled under this name.")] = None
    engine: Annotated[
        Literal["auto", "openvino", "llamacpp"] | None, Meta(description="Overrides `engine.kind` for this model.")
    ] = None
    context_length: Annotated[
        Annotated[int, Meta(ge=0)] | None, Meta(description="Overrides `engine.context_length` for this model.")
    ] = None
    max_running: Annotated[
        Annotated[int, Meta(ge=1)] | None, Meta(description="Overrides `engine.max_running` for this model.")
    ] = None


class CatalogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    directory: Annotated[str, Meta(description="Where pulled models lie.")] = "~/.local/share/seekway/models"
    hub: Annotated[Literal["huggingface", "modelscope"], Meta(description="Hub that `models pull` asks.")] = (
        "huggingface"
    )
    mirror: Annotated[str | None, Meta(description="Base address to use instead of the hub's own.")] = None
