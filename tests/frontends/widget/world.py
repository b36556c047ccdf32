"""A chat over a real engine, and a front end in Python that applies what it is told."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

from hector_nb.bootstrap.agents import make_agent
from hector_nb.bootstrap.tools import make_sources
from hector_nb.config.schema import Config
from hector_nb.frontends.notebook_service import NotebookService
from hector_nb.frontends.widget.controller import Controller
from hector_nb.frontends.widget.state import apply
from hector_nb.models.scripted import ScriptedModel, Step
from hector_nb.runtime.runtime import Runtime
from hector_nb.service import SessionService
from hector_nb.stores.in_memory import InMemoryStore

PATIENCE = 10.0
"""The longest wait for anything, in seconds."""


class View:
    """A front end: it has a snapshot, applies ops, and waits for replies."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._changed = threading.Condition()
        self._ids = count(1)
        self.messages: list[dict[str, Any]] = []
        self.replies: dict[str, list[dict[str, Any]]] = {}
        self.gaps = 0
        controller.on_message = self.take
        snapshot = controller.snapshot()
        self.n, self.state = snapshot["n"], snapshot["state"]

    def close(self) -> None:
        """The state that was told is the kernel's, nothing was missed, and every command has one reply."""
        self.until(lambda: self.state == self._controller.state)
        assert self.gaps == 0
        assert all(len(replies) == 1 for replies in self.replies.values())
        self._controller.close()

    def take(self, message: Mapping[str, Any]) -> None:
        with self._changed:
            self.messages.append(dict(message))
            match message["t"]:
                case "ops" if message["n"] == self.n + 1:
                    for op in message["ops"]:
                        apply(self.state, op)
                    self.n = message["n"]
                case "ops" if message["n"] > self.n:
                    self.gaps += 1
                case "snapshot":
                    self.n, self.state = message["snapshot"]["n"], message["snapshot"]["state"]
                case "reply":
                    self.replies.setdefault(message["id"], []).append(dict(message))
            self._changed.notify_all()

    def begin(self, t: str, **fields: Any) -> str:
        """Send a command; its id."""
        command_id = f"c{next(self._ids)}"
        self._controller.command({"t": t, "id": command_id, **fields})
        return command_id

    def do(self, t: str, **fields: Any) -> dict[str, Any]:
        """Send a command and wait for its reply."""
        command_id = self.begin(t, **fields)
        self.until(lambda: command_id in self.replies)
        return self.replies[command_id][0]

    def ask(self, t: str, **fields: Any) -> Any:
        """What a question is answered with."""
        reply = self.do(t, **fields)
        assert "error" not in reply, reply
        return reply.get("data")

    def until(self, true: Callable[[], Any]) -> Any:
        """Wait until something is so."""
        until = time.monotonic() + PATIENCE
        with self._changed:
            while not (found := true()):
                left = until - time.monotonic()
                if left < 0:
                    raise AssertionError(f"It did not happen. The state is {self.state}")
                self._changed.wait(min(left, 0.5))
            return found

    @property
    def turns(self) -> list[dict[str, Any]]:
        return list(self.state["turns"])

    @property
    def last(self) -> dict[str, Any]:
        return dict(self.state["turns"][-1])

    @property
    def text(self) -> str:
        """What the last turn's answer says."""
        return "".join(part["text"] for part in self.last["parts"] if part["kind"] == "text")

    def until_status(self, *statuses: str, turns: int | None = None) -> dict[str, Any]:
        """Wait until the last turn is in one of these states."""
        self.until(
            lambda: (
                self.state["turns"]
                and (turns is None or len(self.state["turns"]) == turns)
                and self.last["status"] in statuses
            )
        )
        return self.last

    def until_over(self, turns: int | None = None) -> dict[str, Any]:
        return self.until_status("done", "stopped", "failed", "interrupted", turns=turns)


class World:
    """An engine with scripted agents in a folder, and chats over it."""

    def __init__(self, folder: Path) -> None:
        self.models: dict[str, ScriptedModel] = {}
        self.folder = folder
        self.store = InMemoryStore()
        self.service = NotebookService(self._open)
        self.runtime: Runtime
        self.views: list[View] = []
        self._agents: dict[str, dict[str, Any]] = {}

    def agent(self, name: str, *replies: Sequence[Step], repeat: bool = False, **config: Any) -> None:
        self.models[name] = ScriptedModel(replies, name=f"{name}-model", repeat=repeat)
        self._agents[name] = config

    def chat(self, agent: str | None = None, session_id: str | None = None, **options: Any) -> View:
        service, loop = self.service.attach()
        controller = Controller(service, loop, **options)
        controller.start(agent, session_id)
        self.views.append(View(controller))
        return self.views[-1]

    def ask(self, question: Callable[[SessionService], Any]) -> Any:
        return self.service.ask(question)

    def release(self, event: asyncio.Event) -> None:
        """Let a script go on."""

        async def let(_: SessionService) -> None:
            event.set()

        self.service.ask(let)

    def close(self) -> None:
        for view in self.views:
            view.close()
        self.service.close()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[SessionService]:
        agents = {name: {"llm": "it", **config} for name, config in self._agents.items()}
        config = Config.model_validate({"llms": {"it": {"provider": "scripted", "model": "it"}}, "agents": agents})
        sources = make_sources(config, self.folder)
        llm = config.llms["it"]
        made = {
            name: make_agent(
                name, agent, config, llm, self.models[name], sources=sources, writer=(llm, self.models[name])
            )
            for name, agent in config.agents.items()
        }
        self.runtime = Runtime(store=self.store, agents=made)
        await self.runtime.aopen()
        try:
            yield self.runtime.for_user("local")
        finally:
            await self.runtime.aclose()
