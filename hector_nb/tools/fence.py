"""The folder that file tools may not leave.

A path is resolved first (symbolic links, `..`) and checked then. What is opened afterwards is walked to from the root, folder by
folder, without following links, so that a link put in between check and use leads nowhere (on Windows, where this cannot be done, the
resolved path is opened as it is).
"""

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from hector_nb.config.schema import ToolConfig
from hector_nb.tools.base import ToolError

_CONTROLS = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_DRIVE = re.compile(r"[A-Za-z]:|\\\\")
_HAS_DIR_FD = os.open in os.supports_dir_fd
_FOLDER = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_FILE = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)
_LINK_ERRORS = (errno.ELOOP, errno.EMLINK)


@dataclass(frozen=True, kw_only=True, slots=True)
class Folder:
    """An open folder inside the fence; `fd` is None where the system opens by path only."""

    path: Path
    fd: int | None

    def at(self, name: str) -> str:
        """What an entry is called in calls that get `dir_fd=fd`."""
        return name if self.fd is not None else str(self.path / name)

    def scan(self) -> "os._ScandirIterator[str]":
        """The entries, as `os.scandir` gives them. To be closed."""
        return os.scandir(self.path) if self.fd is None else os.scandir(self.fd)  # type: ignore[return-value, unused-ignore]

    def open(self, name: str, flags: int, mode: int = 0o666) -> int:
        """A file descriptor; a symbolic link is not followed, and nothing that is no regular file is opened.

        Raises:
            ToolError: it is a symbolic link, or no regular file.
            OSError: the system refused.
        """
        try:
            fd = os.open(self.at(name), flags | _FILE, mode, dir_fd=self.fd)
        except OSError as error:
            if error.errno == errno.ENXIO:
                raise ToolError(f"{name} is not a regular file.") from error
            if error.errno in _LINK_ERRORS:
                raise ToolError(f"{name} is a symbolic link that cannot be followed.") from error
            raise
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            what = "a folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "not a regular file"
            os.close(fd)
            raise ToolError(f"{name} is {what}.")
        return fd


class Fence:
    """A root folder, and what lies inside it. All methods block for as long as the file system takes."""

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.realpath(root))

    @classmethod
    def from_config(cls, config: ToolConfig, *, folder: Path) -> Self:
        """The fence around `root`, which is relative to `folder` and is `folder` where it is not set."""
        return cls(folder / os.path.expanduser(config.root or ""))  # noqa: PTH111 -- unlike Path's it never fails

    def inside(self, path: str) -> Path:
        """The path relative to the root, without links and `..`; it may not exist.

        Raises:
            ToolError: the path leads out of the root, or is none.
        """
        if reason := _unusable(path):
            raise ToolError(f"{reason} {self._allowed()}")
        try:
            found = Path(os.path.realpath(self.root / path))
        except (OSError, ValueError) as error:
            raise ToolError(f"{path!r} cannot be a path. {self._allowed()}") from error
        if not found.is_relative_to(self.root):
            raise ToolError(f"{path} is outside of {self.root}. {self._allowed()}")
        return found.relative_to(self.root)

    @contextmanager
    def folder(self, path: Path, *, make: bool = False) -> Iterator[Folder]:
        """A folder inside the root, by its path from `inside`; `make` makes those that are missing.

        Raises:
            ToolError: there is no such folder, or a part of the path is a symbolic link now.
            OSError: the system refused.
        """
        if not self.root.is_dir():
            raise ToolError(f"The folder {self.root} does not exist. Only files in it may be used.")
        if not _HAS_DIR_FD:
            if make:
                (self.root / path).mkdir(parents=True, exist_ok=True)
            yield Folder(path=self.root / path, fd=None)
            return
        fd = os.open(self.root, _FOLDER | os.O_RDONLY)
        try:
            for index, part in enumerate(path.parts):
                below = _step(fd, part, "/".join(path.parts[: index + 1]), make=make)
                os.close(fd)
                fd = below
            yield Folder(path=self.root / path, fd=fd)
        finally:
            os.close(fd)

    def _allowed(self) -> str:
        return f"Only files in {self.root} may be used; give a path relative to it."


def _step(fd: int, part: str, shown: str, *, make: bool) -> int:
    """The folder `part` of an open one."""
    if make:
        with suppress(FileExistsError):
            os.mkdir(part, dir_fd=fd)
    try:
        return os.open(part, _FOLDER | os.O_RDONLY, dir_fd=fd)
    except FileNotFoundError as error:
        raise ToolError(f"There is no folder {shown}.") from error
    except NotADirectoryError as error:
        raise ToolError(f"{shown} is not a folder.") from error
    except OSError as error:
        if error.errno in _LINK_ERRORS:
            raise ToolError(f"{shown} is a symbolic link that cannot be followed.") from error
        raise


def _unusable(path: str) -> str | None:
    """Why a text is no path that is looked up at all."""
    if not path:
        return "The path is empty."
    if _CONTROLS.search(path):
        return f"{path[:200]!r} holds a control character."
    if path.startswith("~"):
        return "`~` is not expanded (a file whose name begins with it is written ./~name)."
    if _DRIVE.match(path) and not (os.name == "nt" and Path(path).is_absolute()):
        return f"{path} names a drive."
    if os.name == "nt" and ":" in path[2:]:
        return f"{path} holds a colon."
    return None
