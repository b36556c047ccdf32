"""A real server on loopback, in the tests' process, with agents whose models play scripts."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hector_nb.bootstrap.agents import make_agent
from hector_nb.config.schema import AgentConfig, Config, LLMConfig
from hector_nb.models.scripted import ScriptedModel, Step
from hector_nb.runtime.runtime import Runtime
from hector_nb.service import SessionService
from hector_nb.stores.base import Store
from hector_nb.stores.in_memory import InMemoryStore
from hector_nb.stores.sqlite import SQLiteStore
from hector_nb.telemetry.base import Telemetry
from hector_nb.transports.engine import Engine
from hector_nb.transports.listen import Listen
from hector_nb.transports.standalone import HectorServer
from tests.transports.contract import check

TOKEN = "the-token"
USERS = {TOKEN: "local", "token-of-ada": "ada", "token-of-bob": "bob"}
ALLOWED_ORIGIN = "https://app.example"


class World(Engine):
    """An engine for `transports.handlers.Engine`, over a runtime in memory."""

    def __init__(
        self, agents: dict[str, dict[str, Any]], replies: list[Sequence[Step]], store: Store | None = None
    ) -> None:
        self.replies = replies
        self.model = ScriptedModel(replies)
        config = Config(agents={name: AgentConfig.model_validate(each) for name, each in agents.items()})
        self.runtime = Runtime(
            store=store or InMemoryStore(),
            agents={
                name: make_agent(name, each, config, LLMConfig(provider="scripted"), self.model)
                for name, each in config.agents.items()
            },
        )
        self.fails_with: Exception | None = None

    async def allowed_origins(self) -> Sequence[str]:
        return [ALLOWED_ORIGIN]

    async def service(self, user: str) -> SessionService:
        if self.fails_with:
            raise self.fails_with
        return self.runtime.for_user(user)

    @property
    def telemetry(self) -> Telemetry:
        return self.runtime.telemetry

    @property
    def turns(self) -> int:
        return len(self.runtime.runs)

    async def aclose(self) -> None:
        await self.runtime.aclose()

    def will_say(self, *steps: Step) -> None:
        """The model's next reply."""
        self.replies.append(steps)

    def forget_replies(self) -> None:
        """The next reply is for the next request, whatever was said or not said before."""
        asked = len(self.model.requests)
        self.replies[:] = [*self.replies[:asked], *[()] * (asked - len(self.replies))]


AGENTS: dict[str, dict[str, Any]] = {
    "assistant": {"streaming": {"resume_grace": 0}},
    "patient": {"streaming": {"heartbeat": 0.05}},
    "chatty": {"reasoning": {"show_thinking": True, "show_debug_info": True}},
    "whole": {"reasoning": {"enable_streaming": False}, "streaming": {"chunk_size": 3}},
    "tiny": {"streaming": {"chunk_size": 4, "heartbeat": 0.05}},
    "brief": {"sessions": {"keep_events": 0}},
    "brief-thinker": {"sessions": {"keep_events": 0}, "reasoning": {"show_thinking": True}},
    "slow": {"streaming": {"chunk_size": 1, "delay_ms": 20}},
    "dripping": {"streaming": {"chunk_size": 4, "delay_ms": 60, "heartbeat": 0.05}},
}


class Site:
    """A server and a client that shows the token."""

    def __init__(self, world: World, server: HectorServer, base: str, http: aiohttp.ClientSession) -> None:
        self.world = world
        self.settings = server.web_app.settings
        self.base = base
        self.http = http

    @property
    def port(self) -> int:
        return int(self.base.split(":")[2].split("/")[0])

    async def call(self, verb: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        """The status and the JSON of the answer, None where there is none."""
        if body is not None:
            more["json"] = body
        async with self.http.request(verb, self.base + path, **more) as response:
            text = await response.text()
            found = json.loads(text) if text else None
            check(verb, path.partition("?")[0], response.status, response.headers.get("Content-Type"), found)
            return response.status, found

    async def is_quiet(self) -> None:
        """Wait until no turn runs: none asks the model any more."""
        async with asyncio.timeout(30):
            while self.world.turns:
                await asyncio.sleep(0.01)

    async def new_session(self, agent: str = "assistant", **body: Any) -> str:
        status, session = await self.call("POST", f"/agents/{agent}/sessions", body or None)
        assert status == 201, session
        found: str = session["session_id"]
        return found

    async def stream(self, verb: str, path: str, body: Any = None, **more: Any) -> "Stream":
        """Everything that a stream sends."""
        if body is not None:
            more["json"] = body
        async with self.http.request(verb, self.base + path, **more) as response:
            check(verb, path.partition("?")[0], response.status, response.headers.get("Content-Type"), "")
            return Stream(response, await response.read())


class Stream:
    """A response of server-sent events, taken apart."""

    def __init__(self, response: aiohttp.ClientResponse, body: bytes) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = body.decode()
        self.blocks = [block_of(text) for text in self.body.split("\n\n") if text]
        self.events = [{k: v for k, v in block.items() if k != "retry"} for block in self.blocks if "data" in block]
        self.turn_id = self.headers.get("Hector-Turn-Id", "")

    @property
    def text(self) -> str:
        return "".join(json.loads(each["data"])["chunk"] for each in self.events if is_chunk(each))

    @property
    def named(self) -> list[tuple[str, Any]]:
        return [(each["event"], json.loads(each["data"])) for each in self.events if "event" in each]

    @property
    def last(self) -> dict[str, str]:
        return self.events[-1]


def is_chunk(block: dict[str, str]) -> bool:
    return "event" not in block and block["data"] != "[DONE]"


def block_of(text: str) -> dict[str, str]:
    """The fields of one block; a comment is the field ``."""
    return dict(line.split(": ", 1) for line in text.split("\n"))


async def open_site(
    agents: dict[str, dict[str, Any]], listen: Listen, token: str | None, store: Store | None = None
) -> AsyncIterator[Site]:
    world = World(agents, [], store)
    await world.runtime.aopen()
    server = HectorServer.start_listening(listen, world)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=60)) as http:
        yield Site(world, server, f"http://127.0.0.1:{server.port}{listen.base_url.rstrip('/')}", http)
    await server.stop_listening()


@pytest.fixture(scope="module")
async def site() -> AsyncIterator[Site]:
    """A server under a `base_url`, with tokens."""
    listen = Listen(host="127.0.0.1", port=0, base_url="/hub/user/", users=USERS)
    async for each in open_site(AGENTS, listen, TOKEN):
        yield each


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two servers share."""
    return tmp_path_factory.mktemp("shared") / "hector.db"


@pytest.fixture(scope="module")
async def here(database: Path) -> AsyncIterator[Site]:
    """One of two servers over one database."""
    async for each in open_site(AGENTS, Listen(host="127.0.0.1", port=0, users=USERS), TOKEN, SQLiteStore(database)):
        yield each


@pytest.fixture(scope="module")
async def there(database: Path) -> AsyncIterator[Site]:
    """The other one, as another process would be."""
    async for each in open_site(AGENTS, Listen(host="127.0.0.1", port=0, users=USERS), TOKEN, SQLiteStore(database)):
        yield each


@pytest.fixture(scope="module")
async def open_door() -> AsyncIterator[Site]:
    """A server without a token."""
    async for each in open_site(AGENTS, Listen(host="127.0.0.1", port=0), None):
        yield each
