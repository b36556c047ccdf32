"""`read_file`: a file as text, whole or by lines."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from hector_nb.config.schema import ToolConfig
from hector_nb.tools.base import CallContext, ToolError
from hector_nb.tools.builtin import BuiltinTool, in_thread, make_schema
from hector_nb.tools.cells import cells_as_text
from hector_nb.tools.decode import decoded
from hector_nb.tools.fence import Fence

_LARGEST = 16 * 1024 * 1024
"""The largest file that is looked into, in bytes."""


class ReadFile(BuiltinTool):
    """Reads inside the fence."""

    schema = make_schema(
        "read_file",
        "Read a text file. Notebooks are shown as the text of their cells.",
        {
            "path": {"type": "string", "description": "Which file, relative to the working folder."},
            "offset": {"type": "integer", "minimum": 1, "description": "The first line to read, from 1."},
            "limit": {"type": "integer", "minimum": 1, "description": "The most lines to read."},
        },
        required=("path",),
    )

    def __init__(self, fence: Fence) -> None:
        self._fence = fence

    @classmethod
    def from_config(cls, config: ToolConfig, *, folder: Path) -> Self:
        """The tool as configured."""
        return cls(Fence.from_config(config, folder=folder)).limited(config)

    def permits(self, arguments: Mapping[str, Any]) -> bool:
        """Whatever lies inside the fence."""
        self._fence.inside(arguments["path"])
        return True

    async def call(self, arguments: Mapping[str, Any], context: CallContext) -> str:
        """The text, or the lines asked for and which they are."""
        path = arguments["path"]
        offset, limit = arguments.get("offset"), arguments.get("limit")
        return await in_thread(lambda: _lines(self._text(path), offset, limit))

    def _text(self, path: str) -> str:
        place = self._fence.inside(path)
        if not place.name:
            raise ToolError(f"{path} is a folder; list_files says what is in it.")
        content = self._content(place)
        text = decoded(content)
        if text is None:
            raise ToolError(f"{place.as_posix()} is not a text file; it has {len(content):,} bytes.")
        cells = cells_as_text(text) if place.suffix == ".ipynb" else None
        return text if cells is None else cells

    def _content(self, place: Path) -> bytes:
        with self._fence.folder(place.parent) as folder:
            try:
                fd = folder.open(place.name, os.O_RDONLY)
            except FileNotFoundError as error:
                raise ToolError(f"There is no file {place.as_posix()}.") from error
            with os.fdopen(fd, "rb") as file:
                content = file.read(_LARGEST + 1)
                size = os.fstat(fd).st_size
        if len(content) > _LARGEST:
            raise ToolError(f"{place.as_posix()} has {size:,} bytes; at most {_LARGEST:,} can be read.")
        return content


def _lines(text: str, offset: int | None, limit: int | None) -> str:
    if offset is None and limit is None:
        return text or "(The file is empty.)"
    lines = text.splitlines()
    first = offset or 1
    if first > len(lines):
        raise ToolError(f"There are only {len(lines):,} lines.")
    last = min(len(lines), first + limit - 1 if limit else len(lines))
    shown = "\n".join(lines[first - 1 : last])
    return f"{shown}\n[lines {first:,} to {last:,} of {len(lines):,}]"
