"""Writes small GGUF headers, byte by byte, so that tests need no model and can lie in them."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

Value = str | bool | int | float | Sequence[str] | Sequence[int] | Sequence[float]

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>", "<tool_call>", "</tool_call>")


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def write_gguf(
    path: Path, values: Mapping[str, Value], tensors: Sequence[tuple[str, Sequence[int], int]] = (), *, data: int = 0
) -> Path:
    """``tensors`` are (name, shape, type number), all at offset 0; ``data`` bytes of nothing follow the header."""
    made = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(values))
    made += b"".join(text(key) + _value(value) for key, value in values.items())
    for name, shape, kind in tensors:
        made += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, 0)
    made += bytes(-len(made) % 32 + data)
    path.write_bytes(made)
    return path


def byte_level_values(template: str = CHATML, *, extra: Sequence[str] = (), pre: str = "gpt-2") -> dict[str, Value]:
    """A byte-level tokenizer without merges: one token a byte, after the special ones; ``extra`` are more control tokens."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    alphabet = [chr(byte) for byte in printable] + [chr(0x100 + n) for n in range(len(others))]
    tokens = [*SPECIAL, *extra, *alphabet]
    types = [3, 3, 3, 4, 4, 4, 4] + [3] * len(extra) + [1] * len(alphabet)
    return {
        "general.architecture": "qwen2",
        "general.organization": "Tests",
        "general.file_type": 7,
        "qwen2.context_length": 512,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": types,
        "tokenizer.ggml.merges": [],
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": template,
    }


def _value(value: Value) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", 8) + text(value)
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    items = list(value)
    if not items or isinstance(items[0], str):
        return struct.pack("<IIQ", 9, 8, len(items)) + b"".join(text(str(item)) for item in items)
    if isinstance(items[0], float):
        return struct.pack(f"<IIQ{len(items)}f", 9, 6, len(items), *items)
    return struct.pack(f"<IIQ{len(items)}i", 9, 5, len(items), *items)
