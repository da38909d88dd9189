"""The built-in catalogue: DeepSeek's open models as GGUF files, by the names that ``seekway models pull`` takes.

How the entries were checked, on 22 November 2026, without reaching either hub:

- Repository and file names of the R1 distills, R1 (``UD-IQ1_S`` in 3 parts, ``Q4_K_M`` in 9), V3-0324 and V3.1 (``UD-Q2_K_XL`` in 6 parts)
  and of the two Lite models stand so in public scripts, model cards and issue threads that download them.
- ModelScope carries Unsloth's repositories under the same names (links seen for R1 and for the distills with 1.5B, 7B, 14B and 32B;
  8B, 70B, V3 and V3.1 are taken to follow). For the two Lite models no ModelScope repository was seen, so they have none.
- ``size_bytes`` is exact for 1.5B and V2-Lite-Chat, from model cards rounded to 0.01 GB (the large ones to 1 GB) elsewhere.
  It is for people to choose by; the hub's own list says what is downloaded and checked.
"""

from __future__ import annotations

from typing import Literal

import msgspec

HubName = Literal["huggingface", "modelscope"]

GB = 1_000_000_000
_RUNNING_BYTES = 1_200_000_000
"""What a process needs beside the weights: KV cache, compute buffers, interpreter."""


class CatalogEntry(msgspec.Struct, frozen=True):
    """One model to pull.

    ``files`` is a shell pattern over paths in the repository and matches the ``parts`` files of one quantization.
    ``licence`` is an SPDX identifier where one exists; for the distills of Llama the licence of Llama applies beside DeepSeek's MIT.
    """

    name: str
    title: str
    huggingface: str
    modelscope: str | None
    files: str
    quantization: str
    size_bytes: int
    architecture: str
    licence: str = "MIT"
    parts: int = 1

    @property
    def memory_bytes(self) -> int:
        """Memory to run it in: the weights, a tenth on top for a large model's buffers, and the process."""
        return self.size_bytes + self.size_bytes // 10 + _RUNNING_BYTES

    def repository(self, hub: HubName) -> str | None:
        return self.huggingface if hub == "huggingface" else self.modelscope


def _distill(size: str, base: str, size_bytes: int, licence: str) -> CatalogEntry:
    stem = f"DeepSeek-R1-Distill-{base}"
    return CatalogEntry(
        name=f"deepseek-r1:{size}",
        title=f"DeepSeek-R1 distilled into {base}",
        huggingface=f"unsloth/{stem}-GGUF",
        modelscope=f"unsloth/{stem}-GGUF",
        files=f"{stem}-Q4_K_M.gguf",
        quantization="Q4_K_M",
        size_bytes=size_bytes,
        architecture="qwen2" if base.startswith("Qwen") else "llama",
        licence=licence,
    )


def _large(
    name: str, title: str, repository: str, files: str, quantization: str, parts: int, size_gb: int
) -> CatalogEntry:
    return CatalogEntry(
        name=name,
        title=title,
        huggingface=repository,
        modelscope=repository,
        files=files,
        quantization=quantization,
        size_bytes=size_gb * GB,
        architecture="deepseek2",
        parts=parts,
    )


def _lite(name: str, title: str, repository: str, file: str) -> CatalogEntry:
    return CatalogEntry(
        name=name,
        title=title,
        huggingface=repository,
        modelscope=None,
        files=file,
        quantization="Q4_K_M",
        size_bytes=10_364_416_768,
        architecture="deepseek2",
        licence="DeepSeek Model License",
    )


ENTRIES: tuple[CatalogEntry, ...] = (
    _distill("1.5b", "Qwen-1.5B", 1_117_320_800, "MIT"),
    _distill("7b", "Qwen-7B", 4_680_000_000, "MIT"),
    _distill("8b", "Llama-8B", 4_920_000_000, "MIT, Llama 3.1 Community"),
    _distill("14b", "Qwen-14B", 8_990_000_000, "MIT"),
    _distill("32b", "Qwen-32B", 19_850_000_000, "MIT"),
    _distill("70b", "Llama-70B", 42_520_000_000, "MIT, Llama 3.3 Community"),
    _lite(
        "deepseek-v2-lite",
        "DeepSeek-V2-Lite-Chat, 16B of which 2.4B active",
        "mradermacher/DeepSeek-V2-Lite-Chat-GGUF",
        "DeepSeek-V2-Lite-Chat.Q4_K_M.gguf",
    ),
    _lite(
        "deepseek-coder-v2-lite",
        "DeepSeek-Coder-V2-Lite-Instruct, 16B of which 2.4B active",
        "bartowski/DeepSeek-Coder-V2-Lite-Instruct-GGUF",
        "DeepSeek-Coder-V2-Lite-Instruct-Q4_K_M.gguf",
    ),
    _large(
        "deepseek-v3", "DeepSeek-V3-0324, 671B", "unsloth/DeepSeek-V3-0324-GGUF", "UD-Q2_K_XL/*", "UD-Q2_K_XL", 6, 248
    ),
    _large("deepseek-v3.1", "DeepSeek-V3.1, 671B", "unsloth/DeepSeek-V3.1-GGUF", "UD-Q2_K_XL/*", "UD-Q2_K_XL", 6, 245),
    _large(
        "deepseek-r1:671b",
        "DeepSeek-R1, 671B in 1.58 bits",
        "unsloth/DeepSeek-R1-GGUF",
        "DeepSeek-R1-UD-IQ1_S/*",
        "UD-IQ1_S",
        3,
        131,
    ),
    _large(
        "deepseek-r1:671b-q4_k_m",
        "DeepSeek-R1, 671B in 4 bits",
        "unsloth/DeepSeek-R1-GGUF",
        "DeepSeek-R1-Q4_K_M/*",
        "Q4_K_M",
        9,
        404,
    ),
)


def find_entry(name: str) -> CatalogEntry | None:
    """The entry called ``name``, in any case; None where the catalogue has none."""
    wanted = name.lower()
    return next((entry for entry in ENTRIES if entry.name == wanted), None)
