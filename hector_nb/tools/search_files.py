"""Which files `search` looks into, and their text.

Nothing hidden, nothing whose name says that it is a secret, no links, nothing large; folders that are nearer come first, so that what
is beyond the limits is what lies deepest. All functions block for as long as the file system takes.
"""

import os
import re
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from hector_nb.tools.base import ToolError
from hector_nb.tools.decode import UTF16, decoded
from hector_nb.tools.fence import Fence
from hector_nb.tools.passed_by import PASSED_BY

_LARGEST = 1024 * 1024
"""The largest file, in bytes."""
_MOST_FILES = 10_000
_MOST_BYTES = 64 * 1024 * 1024
"""The most bytes of all files together."""
_LOOKED_AT = 100_000
"""Entries after which a walk is given up."""
_BEGINNING = 8192
"""Bytes that tell whether a file is text at all."""
_SECRET = re.compile(
    r".*\.env(\..*)?|.*\.(pem|key|p8|p12|pfx|ppk|jks|keystore|kdbx|gpg|ovpn|secret)|id_(rsa|dsa|ecdsa|ed25519).*|htpasswd"
    r"|.*(credential|secret|password|service[-_]account)[^.]*\.(json|ya?ml|toml|ini|cfg|conf|properties|txt|csv)",
    re.IGNORECASE,
)
_NO_TEXT = re.compile(
    r".*\.(png|jpe?g|gif|webp|ico|bmp|tiff?|svgz|pdf|docx?|xlsx?|pptx?|od[tsp]|zip|gz|tgz|bz2|xz|zst|7z|tar|whl|jar|so|dll|dylib|exe"
    r"|o|a|pyc|pyd|class|wasm|mp[34]|m4a|wav|flac|ogg|mov|avi|mkv|webm|ttf|otf|woff2?|eot|db|sqlite3?|parquet|feather|arrow|npy|npz"
    r"|h5|hdf5|pkl|pickle|pt|pth|onnx|safetensors|gguf|bin|iso)",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A file: the number of its folder, its path in there with slashes, and what changes when the file does."""

    folder: int
    path: str
    size: int
    mtime_ns: int
    ctime_ns: int


@dataclass(kw_only=True, slots=True)
class Survey:
    """All files to look into, and what is left out: files that are `too_large`, those beyond the limits (`more`), folders that are `missing`."""

    files: list[Found] = field(default_factory=list)
    too_large: int = 0
    more: bool = False
    missing: list[Path] = field(default_factory=list)


def survey(fences: Sequence[Fence]) -> Survey:
    """What there is now. A file in two of the folders belongs to the inner one."""
    result = Survey()
    left = _MOST_BYTES
    roots = {fence.root for fence in fences}
    folders = deque((number, Path()) for number in range(len(fences)))
    looked_at = 0
    while folders and not result.more:
        number, place = folders.popleft()
        entries = _scan(fences[number], place)
        if entries is None:
            if place == Path():
                result.missing.append(fences[number].root)
            continue
        looked_at += len(entries)
        for name, info in sorted(entries.items()):
            if info is None:
                if fences[number].root / place / name not in roots:
                    folders.append((number, place / name))
            elif info.st_size > _LARGEST:
                result.too_large += 1
            else:
                result.files.append(_found(number, place / name, info))
                left -= info.st_size
        result.more = left < 0 or looked_at > _LOOKED_AT or len(result.files) > _MOST_FILES
    del result.files[_MOST_FILES:]
    return result


def read(fence: Fence, path: str) -> str | None:
    """The text of a file; None where it is no text, or cannot be read any more."""
    place = Path(path)
    try:
        with fence.folder(place.parent) as folder, os.fdopen(folder.open(place.name, os.O_RDONLY), "rb") as file:
            content = file.read(_BEGINNING)
            if b"\0" in content and not content.startswith(UTF16):
                return None
            content += file.read(_LARGEST + 1 - len(content))
    except (OSError, ToolError):
        return None
    return None if len(content) > _LARGEST else decoded(content)


def _scan(fence: Fence, place: Path) -> dict[str, os.stat_result | None] | None:
    """Files and (None) folders that are looked into; None where the folder is not there."""
    found: dict[str, os.stat_result | None] = {}
    try:
        with fence.folder(place) as folder, folder.scan() as entries:
            for entry in entries:
                if entry.name.startswith(".") or not entry.name.isprintable():
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in PASSED_BY:
                        found[entry.name] = None
                elif entry.is_file(follow_symlinks=False) and not _left_out(entry.name):
                    with suppress(FileNotFoundError):
                        found[entry.name] = entry.stat(follow_symlinks=False)
                if len(found) > _LOOKED_AT:
                    break
    except (OSError, ToolError):
        return None
    return found


def _left_out(name: str) -> bool:
    return bool(_NO_TEXT.fullmatch(name) or _SECRET.fullmatch(name))


def _found(number: int, place: Path, info: os.stat_result) -> Found:
    return Found(
        folder=number,
        path=place.as_posix(),
        size=info.st_size,
        mtime_ns=info.st_mtime_ns,
        ctime_ns=info.st_ctime_ns,
    )
