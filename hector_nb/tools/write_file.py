"""`write_file`: a text becomes a file, wholly or not at all."""

import os
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from difflib import unified_diff
from pathlib import Path
from typing import Any, Self

from hector_nb.config.schema import ToolConfig
from hector_nb.tools.base import CallContext, RequireApproval, ToolError
from hector_nb.tools.builtin import BuiltinTool, in_thread, make_schema
from hector_nb.tools.decode import decoded
from hector_nb.tools.fence import Fence, Folder

_MAX_SIZE = 1024 * 1024
_LONGEST_DIFF = 100_000
"""The largest file, in bytes, of which it is told what would change."""


class WriteFile(BuiltinTool):
    """Writes inside the fence. The new content takes the file's place in one step and is on disk when the call returns.

    `max_size` is in bytes. `free` is whether calls are allowed under `rules`.
    """

    require_approval: RequireApproval = "always"
    schema = make_schema(
        "write_file",
        "Write a text file, replacing it if it exists. Missing folders are made.",
        {
            "path": {"type": "string", "description": "Where, relative to the working folder."},
            "content": {"type": "string", "description": "All that the file shall hold."},
        },
        required=("path", "content"),
    )

    def __init__(self, fence: Fence, *, max_size: int = _MAX_SIZE, free: bool = False) -> None:
        self._fence = fence
        self._max_size = max_size
        self._free = free

    @classmethod
    def from_config(cls, config: ToolConfig, *, folder: Path) -> Self:
        """The tool as configured. A `root` that somebody wrote down is a rule that allows; the default one is not."""
        fence = Fence.from_config(config, folder=folder)
        return cls(fence, max_size=config.max_size or _MAX_SIZE, free=config.root is not None).limited(config)

    def permits(self, arguments: Mapping[str, Any]) -> bool:
        """Whether a root was configured, which the path may not leave."""
        self._fence.inside(arguments["path"])
        self._encoded(arguments["content"])
        return self._free

    async def preview(self, arguments: Mapping[str, Any]) -> str | None:
        """What would change in the file that is there, as a unified diff; None where there is none, or it is no text, or very long."""
        return await in_thread(lambda: self._diff(arguments["path"], arguments["content"]))

    def _diff(self, path: str, content: str) -> str | None:
        place = self._fence.inside(path)
        with self._fence.folder(place.parent) as folder:
            try:
                fd = folder.open(place.name, os.O_RDONLY)
            except FileNotFoundError:
                return None
            with os.fdopen(fd, "rb") as file:
                present = file.read(_LONGEST_DIFF + 1)
        text = decoded(present)
        if text is None or max(len(present), len(content)) > _LONGEST_DIFF:
            return None
        name = place.as_posix()
        lines = unified_diff(text.splitlines(), content.splitlines(), f"{name} (now)", f"{name} (new)", lineterm="")
        return "\n".join(lines)

    async def call(self, arguments: Mapping[str, Any], context: CallContext) -> str:
        """Write, and say how much and where."""
        path, content = arguments["path"], self._encoded(arguments["content"])
        place = await in_thread(lambda: self._write(path, content))
        return f"Wrote {len(content):,} bytes to {place.as_posix()}."

    def _encoded(self, text: str) -> bytes:
        try:
            content = text.encode()
        except UnicodeEncodeError as error:
            raise ToolError("The content holds a lone surrogate, which no text file can.") from error
        if len(content) > self._max_size:
            raise ToolError(f"The content has {len(content):,} bytes; at most {self._max_size:,} are allowed.")
        return content

    def _write(self, path: str, content: bytes) -> Path:
        place = self._fence.inside(path)
        if not place.name or path.endswith(("/", os.sep, "/.")):
            raise ToolError(f"{path} names a folder, not a file.")
        with self._fence.folder(place.parent, make=True) as folder:
            mode = _present_mode(folder, place.name)
            _replace(folder, place.name, content, mode)
        return place


def _present_mode(folder: Folder, name: str) -> int | None:
    """The permissions of the file that will be replaced; None where there is none."""
    try:
        found = os.stat(folder.at(name), dir_fd=folder.fd, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "not a regular file"
        raise ToolError(f"{name} is {what} and cannot be replaced.")
    if not os.access(folder.at(name), os.W_OK, dir_fd=folder.fd):
        raise ToolError(f"{name} is read-only.")
    return stat.S_IMODE(found.st_mode) & 0o777


def _replace(folder: Folder, name: str, content: bytes, mode: int | None) -> None:
    new = f".hector-{secrets.token_hex(8)}.tmp"
    fd = folder.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        with os.fdopen(fd, "wb") as file:
            if mode is not None and os.name == "posix":
                os.fchmod(fd, mode)
            file.write(content)
            file.flush()
            os.fsync(fd)
        os.replace(folder.at(new), folder.at(name), src_dir_fd=folder.fd, dst_dir_fd=folder.fd)
    except BaseException:
        with suppress(OSError):
            os.unlink(folder.at(new), dir_fd=folder.fd)
        raise
    if folder.fd is not None:
        os.fsync(folder.fd)
