"""Fetches a model file from the Hugging Face hub, `hf:owner/repo/file.gguf`. A broken download goes on where it stopped."""

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from io import BufferedRandom
from pathlib import Path

import aiohttp

from hector_nb.errors import ConfigError, ModelRefused, ModelUnavailable
from hector_nb.models.progress import Progress, Report, terminal_progress

HUB = "https://huggingface.co"
_ADDRESS = re.compile(r"hf:([\w.-]+)/([\w.-]+)/((?:[\w.-]+/)*[\w.-]+\.gguf)", re.ASCII)
_SHA256 = re.compile(r'"?([0-9a-f]{64})"?')
_SILENCE = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)


async def fetch_from_hub(
    address: str, cache_folder: Path, *, environ: Mapping[str, str], progress: Progress = terminal_progress
) -> Path:
    """The file in the cache, fetched if it is not there.

    Args:
        address: `hf:owner/repo/path/file.gguf`.
        cache_folder: Made, for its owner alone, if it is not there.
        environ: `HF_ENDPOINT` names another hub, `HF_TOKEN` opens closed repositories.
        progress: Shows how far the download is.

    Raises:
        ModelUnavailable: it cannot be fetched, or came damaged.
        ModelRefused: there is no such file, or the token does not open it.
        ConfigError: that is no address.
    """
    owner, repository, path = parse_address(address)
    target = cache_folder / "models" / owner / repository / path
    if target.exists():
        return target
    url = f"{environ.get('HF_ENDPOINT', HUB).rstrip('/')}/{owner}/{repository}/resolve/main/{path}"
    token = environ.get("HF_TOKEN")
    headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.part")
        async with _sole_writer(partial) as file:
            if not target.exists():
                with progress(f"Fetching {target.name}, once") as report:
                    async with aiohttp.ClientSession(timeout=_SILENCE, trust_env=True) as session:
                        await _download(session, url, headers, file, report)
                partial.replace(target)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise ModelUnavailable(
            f"`{address}` cannot be fetched: the hub cannot be reached or cut the line.",
            hint="Try again: the download goes on where it stopped. Or set `model:` to a .gguf file.",
        ) from error
    except OSError as error:
        raise ModelUnavailable(f"`{address}` cannot be kept in {target.parent}: {error.strerror}.") from error
    return target


def parse_address(address: str) -> tuple[str, str, str]:
    """Owner, repository and path.

    Raises:
        ConfigError: that is no address.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None or any(part in {".", ".."} for part in address.removeprefix("hf:").split("/")):
        raise ConfigError(f"`{address}` is no file on the hub.", hint="Write hf:owner/repo/file.gguf")
    return match[1], match[2], match[3]


@asynccontextmanager
async def _sole_writer(path: Path) -> AsyncIterator[BufferedRandom]:
    """The file, for this writer alone; waits as long as another process or task writes it."""
    with _opened(path) as file:
        while not _lock(file):
            await asyncio.sleep(0.2)
        yield file


def _opened(path: Path) -> BufferedRandom:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")


def _lock(file: BufferedRandom) -> bool:
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except ImportError:
        return True  # Windows, which has no such locks
    return True


async def _download(
    session: aiohttp.ClientSession, url: str, headers: Mapping[str, str], file: BufferedRandom, report: Report
) -> None:
    """Complete the file and check it; a damaged one is emptied."""
    done = file.seek(0, os.SEEK_END)
    request = {**headers, "Range": f"bytes={done}-"} if done else headers
    async with session.get(url, headers=request) as response:
        if response.status not in {
            HTTPStatus.OK,
            HTTPStatus.PARTIAL_CONTENT,
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
        }:
            raise _refused(response.status, url)
        expected = _expected_hash(response)
        if response.status == HTTPStatus.OK:
            done = 0
            file.seek(0)
            file.truncate()
        if response.status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:  # that is: nothing is missing
            total = done + (response.content_length or 0)
            async for data in response.content.iter_chunked(1 << 20):
                file.write(data)
                done += len(data)
                report(done, total)
    if not await asyncio.to_thread(_is_whole, file, expected):
        file.truncate(0)
        raise ModelUnavailable("The file came damaged from the hub. Nothing of it was kept.", hint="Try again.")


def _expected_hash(response: aiohttp.ClientResponse) -> str | None:
    """The SHA-256 that the hub tells of large files, before it sends the client to where they lie."""
    for answer in (*response.history, response):
        match = _SHA256.fullmatch(answer.headers.get("X-Linked-Etag", ""))
        if match:
            return match[1]
    return None


def _is_whole(file: BufferedRandom, expected: str | None) -> bool:
    file.flush()
    os.fsync(file.fileno())
    file.seek(0)
    return expected is None or hashlib.file_digest(file, "sha256").hexdigest() == expected


def _refused(status: int, url: str) -> ModelUnavailable | ModelRefused:
    if status in {401, 403}:
        return ModelRefused(
            f"The hub does not open {url} ({status}).", hint="Set HF_TOKEN, and accept the model's terms there."
        )
    if status == HTTPStatus.NOT_FOUND:
        return ModelRefused(f"The hub has no file {url}.", hint="Check owner, repository and file name.")
    return ModelUnavailable(f"The hub failed ({status}).", hint="Try again later.")
