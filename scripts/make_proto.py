"""Make ``seekway/model_service/contract`` from ``proto/``; with ``--check``, only compare and fail on a difference."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto" / "seekway" / "v1" / "model_service.proto"
TARGET = ROOT / "src" / "seekway" / "model_service" / "contract"
FILES = ("model_service_pb2.py", "model_service_pb2.pyi", "model_service_pb2_grpc.py")


def generate(into: Path) -> None:
    include = resources.files("grpc_tools") / "_proto"
    outputs = [f"--{kind}={into}" for kind in ("python_out", "pyi_out", "grpc_python_out")]
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO.parent}", f"-I{include}", *outputs, str(PROTO)]
    if subprocess.run(command, check=False).returncode != 0:
        sys.exit("make_proto: protoc refused the file, see above")
    stub = into / "model_service_pb2_grpc.py"
    absolute = "from seekway.model_service.contract import model_service_pb2 as"
    stub.write_text(stub.read_text("utf-8").replace("import model_service_pb2 as", absolute), "utf-8")


def main() -> None:
    if "--check" not in sys.argv:
        TARGET.mkdir(parents=True, exist_ok=True)
        generate(TARGET)
        (TARGET / "__init__.py").touch()
        return
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        changed = [name for name in FILES if (Path(folder) / name).read_bytes() != (TARGET / name).read_bytes()]
    if changed:
        sys.exit(f"make_proto: {', '.join(changed)} differ from {PROTO.relative_to(ROOT)}; run: make proto")


if __name__ == "__main__":
    main()
