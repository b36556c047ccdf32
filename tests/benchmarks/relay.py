"""The baseline: a bare tornado server that passes the upstream's text on as server-sent events, and does nothing else.

    python -m tests.benchmarks.relay UPSTREAM_PORT

prints its port on the first line.
"""

import asyncio
import json
import sys

import aiohttp
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler


class Relay(RequestHandler):
    """One request upstream, one stream down."""

    async def post(self, _: str) -> None:
        """Relay."""
        self.set_header("Content-Type", "text/event-stream")
        request = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
        session = self.settings["session"]
        async with session.post(self.settings["upstream"], json=request) as response:
            rest = b""
            async for data in response.content.iter_any():
                *lines, rest = (rest + data).split(b"\n")
                out = [self._frame(line) for line in lines if line.startswith(b"data: {")]
                if out:
                    self.write(b"".join(out))
                    await self.flush()
        self.write(b"data: [DONE]\n\n")

    @staticmethod
    def _frame(line: bytes) -> bytes:
        choices = json.loads(line[6:])["choices"]
        text = choices[0]["delta"].get("content") if choices else None
        return b'data: {"chunk": %s}\n\n' % json.dumps(text).encode() if text else b""


async def main(upstream: str) -> None:
    """Serve until killed."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        url = f"http://127.0.0.1:{upstream}/v1/chat/completions"
        server = HTTPServer(Application([(r"/(.*)", Relay)], session=session, upstream=url))
        sockets = bind_sockets(0, "127.0.0.1", backlog=4096)
        server.add_sockets(sockets)
        print(sockets[0].getsockname()[1], flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
