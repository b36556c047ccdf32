"""Three `hector serve` processes over one PostgreSQL, as three machines have them: each has a folder of its own."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.fakes.upstream import DONE, Behaviour, Exchange, chunk, deltas
from tests.proof.serving import WITHIN, Server, Site, opened

CONFIG = """
storage: {{url: "URL_OF_STORE"}}
llms:
  default: {{provider: openai-compatible, model: fake, base_url: "{url}", max_retries: 0, timeout: 30s}}
agents:
  assistant: {{streaming: {{heartbeat: 200ms, resume_grace: 30s}}}}
  hasty: {{streaming: {{heartbeat: 200ms, resume_grace: 400ms}}}}
  recalling: {{memory: {{longterm: {{storage_scope: session}}}}}}
  coder:
    tools: [write_file]
    streaming: {{heartbeat: 200ms, resume_grace: 30s}}
"""
NODES = 3


async def echo(exchange: Exchange) -> None:
    """A provider that says again what was said last."""
    said = exchange.request.body["messages"][-1]["content"].split("\n\n")[-1]
    await exchange.head()
    await exchange.send(chunk({"content": "you said "}))
    await exchange.send(chunk({"content": said}) + chunk({}, "stop") + DONE)
    await exchange.end()


class Provider:
    """Answers each of the user's messages with what is in `answers` for it, in that order, and then with an echo."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Behaviour]] = {}

    async def __call__(self, exchange: Exchange) -> None:
        messages = exchange.request.body["messages"]
        asked = next(each["content"] for each in reversed(messages) if each["role"] == "user").split("\n\n")[-1]
        answers = self.answers.get(asked)
        await (answers.pop(0) if answers else echo)(exchange)


class Cluster(Site):
    """A site whose servers are machines of their own, and speak gRPC, too. Each call has a connection of its own."""

    keeps_alive = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.url = ""
        """Of the database."""
        self.provider = Provider()
        self.upstream.default = self.provider

    def will_say(self, message: str, *answers: Behaviour) -> None:
        """What the provider answers to the next messages that are this."""
        self.provider.answers.setdefault(message, []).extend(answers)

    def new_server(self) -> Server:
        """See `Site`."""
        number = len(self.servers)
        machine = self.home / f"machine-{number}"
        machine.mkdir(mode=0o700)
        return Server(self.home, number, machine=machine, grpc=True)

    async def nodes(self, count: int = NODES) -> list[Server]:
        """So many more of them, which start at once."""
        servers = []
        for _ in range(count):
            self.servers.append(self.new_server())
            servers.append(self.servers[-1])
        return list(await asyncio.gather(*(asyncio.to_thread(server.ready) for server in servers)))


@asynccontextmanager
async def cluster(home: Path, url: str) -> AsyncIterator[Cluster]:
    """No node yet, over this database."""
    config = CONFIG.replace("URL_OF_STORE", url)
    async with opened(home, config=config, kind=Cluster) as site:
        site.url = url
        yield site


def calling(tool: str, arguments: Mapping[str, Any]) -> Behaviour:
    """A model that wants this tool to be called."""
    function = {"name": tool, "arguments": json.dumps(arguments)}
    call = {"index": 0, "id": "1", "type": "function", "function": function}
    return deltas({"role": "assistant", "content": "", "tool_calls": [call]}, finish_reason="tool_calls")


async def waiting(site: Site, server: Server, path: str) -> str:
    """The call of the session that waits for an approval, once one does."""
    async with asyncio.timeout(WITHIN):
        while not (found := (await site.call(server, "GET", f"{path}/approvals"))[1]["approvals"]):
            await asyncio.sleep(0.02)  # nobody announces it to those who do not follow
    (call,) = found
    return str(call["call_id"])
