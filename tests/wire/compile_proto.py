"""Makes the generated modules of `hector.proto` anew: `python -m tests.wire.compile_proto`.

They are checked in, so that an installation needs no compiler; `test_proto.py` compares. The compiler's version is pinned in
`pyproject.toml`, since its output names it.
"""

from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).parents[2]
PROTO = "hector_nb/wire/hector.proto"
GENERATED = [PROTO.replace(".proto", end) for end in ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py")]


def compile_into(folder: Path) -> None:
    """Write the modules under this folder, in their package's path.

    Raises:
        RuntimeError: the file is not valid; the compiler has said why.
    """
    to = [f"--{kind}_out={folder}" for kind in ("python", "pyi", "grpc_python")]
    included = [f"-I{ROOT}", f"-I{files('grpc_tools') / '_proto'}"]
    if protoc.main(["protoc", *included, *to, str(ROOT / PROTO)]):
        raise RuntimeError(f"{PROTO} cannot be compiled.")


if __name__ == "__main__":
    compile_into(ROOT)
