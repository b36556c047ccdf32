"""Conversations as files: export, a page at a time, and import."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from tornado.iostream import StreamClosedError

from hector_nb.errors import HectorError
from hector_nb.messages import Message
from hector_nb.service import SessionService
from hector_nb.sessions import Session
from hector_nb.transports.bodies import read_choice
from hector_nb.transports.handlers import RestHandler, check_session_id, guarded
from hector_nb.transports.imports import MAX_IMPORT_BYTES, read_import
from hector_nb.transports.rest import SessionHandler, reply_with_session
from hector_nb.wire.codec import to_bytes
from hector_nb.wire.export import FORMATS, Exporter, file_name

_PAGE = 50
"""Messages that are read and written at once."""


class ExportHandler(RestHandler):
    """`/agents/{agent}/sessions/{id}/export`."""

    @guarded("read")
    async def get(self, agent: str, session_id: str) -> None:
        """The conversation as a file: `?format=json` (default), `markdown` or `ipynb`."""
        form = read_choice("format", self.query("format"), tuple(FORMATS)) or "json"
        service = await self.service()
        session = await service.get_session(agent, check_session_id(session_id))
        media_type = FORMATS[form].media_type
        self.set_header("Content-Type", media_type)
        self.set_header("Content-Disposition", f'attachment; filename="{file_name(session, form)}"')
        try:
            await self.while_connected(self._write_all(service, session, FORMATS[form].exporter()))
        except StreamClosedError:
            return
        except HectorError as error:
            if not self._headers_written:
                raise
            self.log.warning("An export was cut: %s", error.message)
            self.request.connection.stream.close()
            return
        if not self.gone:
            self.finish(set_content_type=media_type)

    async def _write_all(self, service: SessionService, session: Session, exporter: Exporter) -> None:
        cursor = None
        text = exporter.begin(session)
        while True:
            page = await service.list_messages(session.agent, session.session_id, limit=_PAGE, cursor=cursor)
            text += await asyncio.to_thread(_written, exporter, page.items)
            cursor = page.next_cursor
            if cursor is None:
                self.write(to_bytes(text + exporter.end()))
                return
            self.write(to_bytes(text))
            await self.flush()
            text = ""


class ImportHandler(SessionHandler):
    """`/agents/{agent}/sessions/import`. It is also the path of a session that somebody called `import`."""

    max_body: ClassVar[int] = MAX_IMPORT_BYTES

    @guarded("write")
    async def post(self, agent: str, _: str) -> None:
        """A new session with the transcript of an exported one."""
        service = await self.service()
        await service.get_agent(agent)
        raw = self.raw_body()
        read = await asyncio.to_thread(read_import, raw, self.request.headers.get("Content-Type"))
        session = await service.import_session(agent, read.messages, title=read.title, metadata=read.metadata)
        reply_with_session(self, session, created=True)


def _written(exporter: Exporter, messages: Sequence[Message]) -> str:
    return "".join([exporter.message(message) for message in messages])
