"""Conversations as files, for the Python API: out as text, in again from it."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

from hector_nb.errors import InvalidRequest
from hector_nb.service import SessionService, all_messages
from hector_nb.sessions import Session
from hector_nb.wire.export import FORMATS, export

ExportFormat: TypeAlias = Literal["json", "markdown", "ipynb"]
Importable: TypeAlias = str | bytes | Path | Mapping[str, Any]
"""A conversation: the JSON of an export as text, its file as a `Path`, or an object such as `{"messages": [{"role": "user", "content": "Hi"}]}`."""


async def exported(service: SessionService, agent: str, session_id: str, form: ExportFormat) -> str:
    """A session as the text of a file.

    Raises:
        InvalidRequest: there is no such format.
    """
    if form not in FORMATS:
        raise InvalidRequest(f"There is no format {form!r}.", hint=f"One of {', '.join(FORMATS)}.")
    session = await service.get_session(agent, session_id)
    return "".join(export(session, await all_messages(service, agent, session_id), form))


async def imported(service: SessionService, agent: str, source: Importable) -> Session:
    """A new session with the messages of an export.

    Raises:
        InvalidRequest: it is no conversation; the message says where.
        OSError: the file cannot be read.
    """
    from hector_nb.transports.imports import read_import

    if isinstance(source, Path):
        source = await asyncio.to_thread(source.read_bytes)
    elif isinstance(source, Mapping):
        source = json.dumps(source, default=dict)
    raw = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    read = await asyncio.to_thread(read_import, raw, "application/json")
    return await service.import_session(agent, read.messages, title=read.title, metadata=read.metadata)
