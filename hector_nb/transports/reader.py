"""How a reader of a turn is set up, the same for every wire that takes frames."""

import asyncio
from collections.abc import Callable
from typing import Self

from hector_nb.config.schema import StreamingConfig
from hector_nb.service import AgentInfo, SessionService, TurnStream
from hector_nb.wire.framer import Framer, reset_frames
from hector_nb.wire.frames import Cursor, Frame, View


def make_framer(view: View, agent: AgentInfo, cursor: Cursor | None = None) -> Framer:
    """A framer with the agent's settings, from the cursor on."""
    streaming = agent.streaming
    if not agent.reasoning.enable_streaming:
        streaming = StreamingConfig(buffer_size=streaming.buffer_size)
    return Framer(view, seq=cursor.seq if cursor else 0, offset=cursor.offset if cursor else 0, streaming=streaming)


def is_over(stream: TurnStream, cursor: Cursor) -> bool:
    """Whether the reader has the turn's last frame already."""
    return (cursor.seq, cursor.offset) == (stream.last_seq, 0)


def is_lost(stream: TurnStream, cursor: Cursor) -> bool:
    """Whether the cursor lies behind the end of a finished turn."""
    return stream.last_seq is not None and (cursor.seq, cursor.offset) > (stream.last_seq, 0)


async def read_whole(service: SessionService, agent: AgentInfo, view: View, turn_id: str) -> list[Frame]:
    """What a reader with a lost cursor receives of a finished turn."""
    framer = make_framer(view, agent)
    frames: list[Frame] = []
    async with await service.follow_turn(agent.name, turn_id) as stream:
        while events := await stream.read():
            frames += framer.feed(events)
    return reset_frames(turn_id, frames)


async def open_at(
    service: SessionService, agent: AgentInfo, view: View, session_id: str | None, cursor: Cursor
) -> TurnStream:
    """A stream that holds all that a framer needs to go on at the cursor.

    Raises:
        TurnNotFound: there is no such turn, or its events have expired.
    """
    whole = Framer.needs_history(view) and (view.thinking or bool(agent.tools))
    return await service.follow_turn(
        agent.name, cursor.turn_id, session_id=session_id, after=0 if whole else cursor.seq
    )


class Silence:
    """Calls `act` whenever nothing was sent for `seconds`."""

    def __init__(self, seconds: float, act: Callable[[], None]) -> None:
        self._seconds = seconds
        self._act = act
        self._since = 0.0

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self.broken()
        self._timer = self._loop.call_later(self._seconds, self._look)
        return self

    def broken(self) -> None:
        """Something is sent."""
        self._since = self._loop.time()

    def _look(self) -> None:
        due = self._since + self._seconds
        if self._loop.time() >= due - 0.001:
            self._act()
            self.broken()
            due = self._since + self._seconds
        self._timer = self._loop.call_at(due, self._look)

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
