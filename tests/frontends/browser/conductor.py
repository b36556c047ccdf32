"""A model that says what the test tells it to say, when it tells it."""

import asyncio
import json
import threading
from typing import Any

from tests.fakes.upstream import DONE, Exchange, FakeUpstream, chunk, usage_chunk

PATIENCE = 60.0
"""The longest wait for anything, in seconds."""


class Answer:
    """One answer under way. It is as long as the test wants, and ends with `end`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._parts: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._asked = threading.Event()
        self._left = threading.Event()
        self.request: Any = None

    def say(self, text: str) -> "Answer":
        """The model says something."""
        return self._send(chunk({"content": text}))

    def call(self, name: str, **arguments: Any) -> "Answer":
        """The model calls a tool, which ends its answer."""
        function = {"name": name, "arguments": json.dumps(arguments)}
        call = {"index": 0, "id": f"call_{id(self)}", "type": "function", "function": function}
        self._send(chunk({"role": "assistant", "tool_calls": [call]}))
        return self.end("tool_calls")

    def end(self, reason: str = "stop") -> "Answer":
        """The answer is over."""
        self._send(chunk({}, reason) + usage_chunk(100, 20) + DONE)
        return self._send(None)

    def asked(self) -> Any:
        """The request, once it is there."""
        assert self._asked.wait(PATIENCE), "The model was not asked."
        return self.request

    def left(self) -> None:
        """Wait until nobody listens to the answer any more."""
        assert self._left.wait(PATIENCE), "Somebody still listens."

    def _send(self, part: bytes | None) -> "Answer":
        self._loop.call_soon_threadsafe(self._parts.put_nowait, part)
        return self

    async def play(self, exchange: Exchange) -> None:
        self.request = exchange.request.body
        self._asked.set()
        try:
            await exchange.head()
            while (part := await self._parts.get()) is not None:
                await exchange.send(part)
            await exchange.end()
        finally:
            self._left.set()


class Conductor:
    """The server of such a model, on a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._upstream: FakeUpstream = self._run(self._start())

    @property
    def url(self) -> str:
        return self._upstream.url

    def next(self) -> Answer:
        """The answer to the next request that nothing else was planned for."""
        answer = Answer(self._loop)
        self._loop.call_soon_threadsafe(self._upstream.then, answer.play)
        return answer

    def forget(self) -> None:
        """Plan nothing any more."""
        self._loop.call_soon_threadsafe(self._upstream.forget)

    def close(self) -> None:
        self._run(self._upstream.__aexit__())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    async def _start(self) -> FakeUpstream:
        return await FakeUpstream().__aenter__()

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)
