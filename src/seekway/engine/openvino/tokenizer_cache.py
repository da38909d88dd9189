"""Keeps what OpenVINO makes of a GGUF file's tokenizer.

OpenVINO GenAI builds its tokenizer anew from the file at every start, on one core, in 1.8 s for 49,152 tokens; what it built loads in 0.1 s.
Only constrained decoding uses it (:mod:`seekway.engine.gguf.tokenizer` says why), but the pipeline cannot be opened without.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import openvino_genai

_PARTS: Final = ("openvino_tokenizer.xml", "openvino_detokenizer.xml")
_WORK: Final = ".work-"
_REFUSALS: Final = (OSError, RuntimeError, LookupError, ValueError)
"""What C++ exceptions come out as, those of a damaged file among them."""


def open_tokenizer(model_path: Path, directory: Path) -> openvino_genai.Tokenizer | None:
    """The tokenizer of ``model_path``, kept in ``directory`` for the next start; takes seconds the first time.

    None when it cannot be kept or read there: the pipeline then builds its own, and says what is wrong with the file.
    """
    try:
        kept = directory / _name(model_path)
        if not all((kept / part).is_file() for part in _PARTS):
            _make(model_path, kept)
        return _read(kept)
    except _REFUSALS:
        return None


def _name(model_path: Path) -> str:
    """Another for every file, every state of it and every release of the library: an old one is never read by a new one."""
    import openvino_genai as genai

    status = model_path.stat()
    state = f"{status.st_size}:{status.st_mtime_ns}:{genai.__version__}"
    return f"{_digest(str(model_path.resolve()))}-{_digest(state)}"


def _make(model_path: Path, kept: Path) -> None:
    import openvino_genai as genai

    kept.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=_WORK, dir=kept.parent))
    try:
        # The library writes beside the file it is given.
        link = work / "model.gguf"
        link.symlink_to(model_path.resolve())
        genai.Tokenizer(str(link), enable_save_ov_model=True)
        link.unlink()
        for old in kept.parent.glob(f"{kept.name.partition('-')[0]}-*"):
            shutil.rmtree(old, ignore_errors=True)
        # Another process may have been faster; its work is as good.
        with contextlib.suppress(OSError):
            work.rename(kept)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _read(kept: Path) -> openvino_genai.Tokenizer:
    import openvino_genai as genai

    try:
        return genai.Tokenizer(str(kept))
    except _REFUSALS:
        # Cut short by a full disk or a power cut; made again at the next start.
        shutil.rmtree(kept, ignore_errors=True)
        raise


def _digest(text: str) -> str:
    return hashlib.blake2s(text.encode(), digest_size=8).hexdigest()
