"""`list_files`: what lies in a folder."""

from collections import deque
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any, Self

from hector_nb.config.schema import ToolConfig
from hector_nb.tools.base import CallContext, ToolError
from hector_nb.tools.builtin import BuiltinTool, in_thread, make_schema
from hector_nb.tools.fence import Fence
from hector_nb.tools.passed_by import PASSED_BY

_AT_MOST = 500
"""Files in one answer."""
_LOOKED_AT = 50_000
"""Entries after which the search is given up."""


class ListFiles(BuiltinTool):
    """Lists inside the fence, folders that are nearer first. Symbolic links are named, not followed."""

    schema = make_schema(
        "list_files",
        "List the files in a folder and below it. Folders of tools (.git, node_modules, …) are named but not entered.",
        {
            "path": {"type": "string", "description": "Which folder, relative to the working folder. Default: all."},
            "pattern": {"type": "string", "description": "Only files like this, for example *.py or docs/**/*.md."},
        },
    )

    def __init__(self, fence: Fence) -> None:
        self._fence = fence

    @classmethod
    def from_config(cls, config: ToolConfig, *, folder: Path) -> Self:
        """The tool as configured."""
        return cls(Fence.from_config(config, folder=folder)).limited(config)

    def permits(self, arguments: Mapping[str, Any]) -> bool:
        """Whatever lies inside the fence."""
        self._fence.inside(arguments.get("path", "."))
        return True

    async def call(self, arguments: Mapping[str, Any], context: CallContext) -> str:
        """One path a line, relative to the root; folders end with a slash."""
        path, pattern = arguments.get("path", "."), arguments.get("pattern")
        return await in_thread(lambda: self._list(path, pattern))

    def _list(self, path: str, pattern: str | None) -> str:
        start = self._fence.inside(path)
        found: list[str] = []
        for looked_at, entry in enumerate(self._entries(start), 1):
            if pattern is None or _fits(entry, start, pattern):
                found.append(_shown(entry))
            if len(found) == _AT_MOST or looked_at == _LOOKED_AT:
                found.append("[There may be more; give a path or a pattern that says more.]")
                break
        return "\n".join(found) or "(There are no such files.)"

    def _entries(self, start: Path) -> Iterator[str]:
        """Files, and folders that are empty or not entered; breadth first, by name."""
        folders = deque([start])
        while folders:
            place = folders.popleft()
            files, below = self._scan(place, must=place == start)
            if not files and not below and place != start:
                yield f"{place.as_posix()}/"
            yield from (PurePosixPath(place.as_posix(), name).as_posix() for name in files)
            for name in below:
                if name in PASSED_BY:
                    yield f"{(place / name).as_posix()}/"
                else:
                    folders.append(place / name)

    def _scan(self, place: Path, *, must: bool) -> tuple[list[str], list[str]]:
        """The names of files and of folders in a folder; one that cannot be read any more is empty unless it must be read."""
        files: list[str] = []
        folders: list[str] = []
        try:
            with self._fence.folder(place) as folder, folder.scan() as entries:
                for entry in entries:
                    (folders if entry.is_dir(follow_symlinks=False) else files).append(entry.name)
                    if len(files) + len(folders) > _LOOKED_AT:
                        break
        except (OSError, ToolError):
            if must:
                raise
        return sorted(files), sorted(folders)


def _fits(entry: str, start: Path, pattern: str) -> bool:
    """Whether a pattern, of a name or of a path below `start`, fits."""
    path = PurePosixPath(entry)
    if "/" not in pattern:
        return fnmatchcase(path.name, pattern)
    below = path.relative_to(start.as_posix()).as_posix()
    return any(fnmatchcase(each, wanted) for each in (below, entry) for wanted in (pattern, pattern.replace("**/", "")))


def _shown(entry: str) -> str:
    """A path on one line."""
    return entry if entry.isprintable() else repr(entry)
