"""How a test reads server-sent events: an open response, and what a client keeps of all that it has received."""

import asyncio
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp

WITHIN = 25.0
_ID = re.compile(r"(turn_\w+):(\d+)(?:\+(\d+))?")


async def received(socket: aiohttp.ClientWebSocketResponse) -> aiohttp.WSMessage:
    """What came on a WebSocket, also behind a ping that cannot be answered any more."""
    while True:
        with suppress(aiohttp.ClientConnectionResetError):
            return await socket.receive()


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the stream; `name` is empty for the answer's own."""

    id: str
    name: str
    data: str

    @property
    def place(self) -> tuple[str, int, int]:
        """Turn, sequence number and offset."""
        found = _ID.fullmatch(self.id)
        assert found, self
        return found[1], int(found[2]), int(found[3] or 0)


class Line:
    """An open response. `last_id` is what a browser would send back, `cut` tells that the body did not end properly."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.status = response.status
        self.turn_id = response.headers.get("Hector-Turn-Id", "")
        self.last_id = ""
        self.comments = 0
        self.cut = False
        self._data = b""

    async def next(self) -> Event | None:
        """The next event with data; None when the body is over."""
        async with asyncio.timeout(WITHIN):
            while True:
                while b"\n\n" in self._data:
                    block, _, self._data = self._data.partition(b"\n\n")
                    if (event := self._event(block.decode())) is not None:
                        return event
                try:
                    data = await self.response.content.readany()
                except aiohttp.ClientError:
                    self.cut = True
                    return None
                if not data:
                    return None
                self._data += data

    def _event(self, block: str) -> Event | None:
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        self.comments += "" in fields
        self.last_id = fields.get("id", self.last_id)
        return Event(self.last_id, fields.get("event", ""), fields["data"]) if "data" in fields else None

    async def beat(self) -> None:
        """Wait for a sign of life that says nothing."""
        seen = self.comments
        async with asyncio.timeout(WITHIN):
            while self.comments == seen:
                self._data += await self.response.content.readany()
                block, found, rest = self._data.partition(b"\n\n")
                if found:
                    assert self._event(block.decode()) is None
                    self._data = rest

    def leave(self) -> None:
        """Go away, as a closed browser does."""
        self.response.close()


@dataclass(kw_only=True)
class Copy:
    """What a client has: the text of each turn, how each ended, and the last id.

    Every event must be new and in order; a `reset` replaces the text of its turn.
    """

    texts: dict[str, str] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)
    last_id: str = ""
    resets: int = 0
    _place: dict[str, tuple[int, int]] = field(default_factory=dict)
    _newest: str = ""

    def take_fields(self, fields: Mapping[str, str]) -> None:
        """One more event, as it stands in its block."""
        self.take(Event(fields["id"], fields.get("event", ""), fields["data"]))

    def take(self, event: Event) -> None:
        """One more event."""
        turn, *place = event.place
        assert turn not in self.ends, event
        assert tuple(place) > self._place.get(turn, (0, 0)), (event, self._place)
        self._place[turn] = (place[0], place[1])
        self.last_id = event.id
        if event.name == "reset":
            self.resets += 1
            self.texts[turn] = json.loads(event.data)["text"]
        elif event.name == "error":
            self.ends[turn] = json.loads(event.data)["error"]["code"]
        elif event.data == "[DONE]":
            self.ends[turn] = "done"
        else:
            assert event.name == "", event
            chunk = json.loads(event.data)["chunk"]
            self._newest = self._newest[-100:] + chunk
            self.texts[turn] = self.texts.get(turn, "") + chunk

    async def read(self, line: Line, *, text: str | None = None, turns: int | None = None) -> "Copy":
        """Take what comes: until this text has come, or so many turns are over, or the body is."""
        while True:
            if text is not None and text in self._newest:
                return self
            if turns is not None and len(self.ends) >= turns:
                return self
            event = await line.next()
            if event is None:
                self.last_id = line.last_id or self.last_id
                return self
            self.take(event)
