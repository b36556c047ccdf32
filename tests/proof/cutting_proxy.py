"""A TCP proxy that a test can let cut every connection, as a network does that goes away for a moment."""

import asyncio
from contextlib import suppress


class CuttingProxy:
    """Listens on a port of its own and passes bytes on to `target`.

    Attributes:
        target: A port of this machine.
        port: Where it listens.
        accepted: How many connections have come.
    """

    def __init__(self, target: int = 0) -> None:
        self.target = target
        self.accepted = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "CuttingProxy":
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self.cut()

    async def cut(self) -> None:
        """Reset every connection."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def onward(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to where the next one is passed on to."""
        return await asyncio.open_connection("127.0.0.1", self.target)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self.accepted += 1
        ends = [writer]
        with suppress(asyncio.CancelledError, ConnectionError):
            there, onward = await self.onward()
            ends.append(onward)
            await asyncio.gather(_pass(reader, onward), _pass(there, writer))
        for end in ends:
            end.transport.abort()
        self._tasks.discard(task)


async def _pass(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Pass bytes on to their end; then the other direction is over, too."""
    while data := await source.read(1 << 16):
        sink.write(data)
        await sink.drain()
    raise ConnectionResetError
