"""For tests of what you build on agents: an engine in memory whose models play scripts.

    from hector_nb import testing

    def test_it_greets() -> None:
        with testing.connect(["Hello, Ada."]) as hector:
            assert hector.session().send("I am Ada.").text == "Hello, Ada."
            hector.script.assert_saw("I am Ada.")

Nothing is downloaded, nothing is written to your store, no key is used. Everything but the model is the real engine: turns, memory,
tools, approvals, events. A request that the script has no reply for fails the turn; replies that nobody asked for fail the test.
"""

import json
import shutil
import tempfile
import weakref
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

from hector_nb.bootstrap.engine import open_runtime
from hector_nb.config.loader import LoadedConfig, load_config
from hector_nb.config.schema import AgentConfig, Config, LLMConfig
from hector_nb.errors import AgentNotFound
from hector_nb.frontends.answers import Answer
from hector_nb.frontends.approving import Approver
from hector_nb.frontends.asynchronous import AsyncHector
from hector_nb.frontends.plain import Hector
from hector_nb.messages import ToolCall
from hector_nb.models.base import ModelRequest
from hector_nb.models.scripted import ScriptedModel
from hector_nb.models.scripts import Step, Wait, read_replies
from hector_nb.service import SessionService
from hector_nb.stores.in_memory import InMemoryStore
from hector_nb.tools.base import Tool
from hector_nb.tools.decorator import ToolMark, mark_of
from hector_nb.tools.function import FunctionTool

Replies: TypeAlias = Sequence[str | Sequence[Step | Mapping[str, Any]]]
"""One reply for each request to the model: a text, or a list of steps: texts, `{"tool_call": {"name": …, "arguments": …}}`,
`{"thinking": …}`, `{"expect": …}`, `{"error": code, "message": …}`, `{"wait_ms": …}`, exceptions, `HOLD`."""

HOLD = Wait(1e9)
"""A step at which the model says nothing more until its turn is stopped."""


class Script(ScriptedModel):
    """The model of one agent. `requests` are all that it was asked."""

    def last(self, request: int = -1) -> ModelRequest:
        """What the model was shown, in its last request or in that of another number.

        Raises:
            AssertionError: it was not asked so often.
        """
        try:
            return self.requests[request]
        except IndexError:
            raise AssertionError(f"{self.name} was asked {len(self.requests)} times.") from None

    def assert_saw(self, text: str, *, request: int = -1) -> None:
        """Check that a text stood in what the model was shown: system prompt, memories, messages, results of tools.

        Raises:
            AssertionError: it did not.
        """
        shown = _shown(self.last(request))
        if text not in shown:
            raise AssertionError(f"{self.name} did not see {text!r}, but:\n{shown}")

    def assert_did_not_see(self, text: str, *, request: int = -1) -> None:
        """Check that a text was kept from the model.

        Raises:
            AssertionError: it saw it.
        """
        shown = _shown(self.last(request))
        if text in shown:
            raise AssertionError(f"{self.name} saw {text!r}:\n{shown}")

    def assert_offered(self, *names: str, request: int = -1) -> None:
        """Check that the model could call just these tools.

        Raises:
            AssertionError: it could call others.
        """
        offered = sorted(tool.name for tool in self.last(request).tools)
        if offered != sorted(names):
            raise AssertionError(f"{self.name} was offered {offered}, not {sorted(names)}.")

    def assert_finished(self) -> None:
        """Check that the script was played to its end, and no more was asked.

        Raises:
            AssertionError: replies are left, or some were missing.
        """
        super().assert_finished()
        missing = 0 if self._repeat else len(self.requests) - len(self._replies)
        if missing > 0:
            raise AssertionError(f"{self.name} was asked {missing} times more than its script has replies.")


def assert_called(answer: Answer, name: str, **arguments: Any) -> ToolCall:
    """Check that an answer's turn called a tool, with these arguments at least.

    Returns:
        The first such call.

    Raises:
        AssertionError: there is none.
    """
    for call in answer.tool_calls:
        if call.name == name and arguments.items() <= call.arguments.items():
            return call
    calls = [f"{call.name}({dict(call.arguments)})" for call in answer.tool_calls]
    raise AssertionError(f"{name}({arguments}) was not called; called were: {', '.join(calls) or 'no tools'}.")


class AsyncScriptedHector(AsyncHector):
    """What `aconnect` gives: an `AsyncHector` over an engine of its own. `scripts` are the models by agent."""

    def __init__(
        self,
        script: Replies | Mapping[str, Replies],
        config: Mapping[str, Any] | str | Path | None,
        *,
        repeat: bool,
        tools: Sequence[Callable[..., Any]],
        folder: Path | None,
        user: str,
        approve: Approver,
        plain: bool = False,
    ) -> None:
        super().__init__(user=user, approve=approve, plain=plain)
        temporary = Path(tempfile.mkdtemp(prefix="hector_nb-"))
        self._clean = weakref.finalize(self, shutil.rmtree, temporary, ignore_errors=True)
        self._loaded = _loaded(config, folder, temporary)
        self._tools = {_named(each).name: each for each in tools}
        names = list(self._loaded.config.agents)
        replies = script if isinstance(script, Mapping) else {names[0]: script}
        if unknown := set(replies) - set(names):
            raise AgentNotFound(f"A script is for {sorted(unknown)}.", hint=f"Configured agents: {', '.join(names)}.")
        self.scripts = {name: _script(name, replies.get(name, ()), repeat, self._loaded.config) for name in names}

    @property
    def folder(self) -> Path:
        """Where tools work."""
        return self._loaded.folder

    @property
    def script(self) -> Script:
        """The model of the first agent."""
        return next(iter(self.scripts.values()))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, traceback)
        if error is None:
            self.assert_finished()

    async def aclose(self) -> None:
        """See `AsyncHector.aclose`."""
        await super().aclose()
        self._clean()

    def assert_finished(self) -> None:
        """See `Script.assert_finished`; of all agents."""
        for script in self.scripts.values():
            script.assert_finished()

    def _opening(self) -> AbstractAsyncContextManager[SessionService]:
        return self._engine()

    @asynccontextmanager
    async def _engine(self) -> AsyncIterator[SessionService]:
        agents = {name: _scripted(agent, name, self._tools) for name, agent in self._loaded.config.agents.items()}
        llms = {name: LLMConfig(provider="scripted", model=name) for name in agents}
        config = self._loaded.config.model_copy(update={"agents": agents, "llms": llms})
        runtime = await open_runtime(
            replace(self._loaded, config=config),
            store=InMemoryStore(),
            make=lambda llm, **_: self.scripts[str(llm.model)],
            given={name: _Function(function) for name, function in self._tools.items()},
        )
        try:
            yield runtime.for_user(self._user or "tester")
        finally:
            await runtime.aclose()


class ScriptedHector(Hector):
    """What `connect` gives: a `Hector` over an engine of its own."""

    _inner: AsyncScriptedHector

    def __init__(self, inner: AsyncScriptedHector) -> None:
        self._open(inner)

    @property
    def scripts(self) -> Mapping[str, Script]:
        """The models by agent."""
        return self._inner.scripts

    @property
    def script(self) -> Script:
        """The model of the first agent."""
        return self._inner.script

    @property
    def folder(self) -> Path:
        """Where tools work."""
        return self._inner.folder

    def assert_finished(self) -> None:
        """See `Script.assert_finished`; of all agents."""
        self._inner.assert_finished()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.run(self._inner.__aexit__(kind, error, traceback))


def connect(
    script: Replies | Mapping[str, Replies] = (),
    config: Mapping[str, Any] | str | Path | None = None,
    *,
    repeat: bool = False,
    tools: Sequence[Callable[..., Any]] = (),
    folder: Path | None = None,
    user: str = "tester",
    approve: Approver = None,
) -> ScriptedHector:
    """As `hector_nb.connect`, with an engine in memory whose models play scripts.

    Args:
        script: The replies of the first agent's model, or `{agent: replies}`.
        config: As in `hector.yaml`: an object, the text, or a file's `Path`; None: one agent, `assistant`. Its models are not used.
        repeat: Begin the scripts again after their last reply.
        tools: Functions that every agent can call beside the tools of its configuration.
        folder: Where tools work; None: the file's folder, else a temporary one.
        user: The owner of the sessions.
        approve: As for `hector_nb.connect`.

    Raises:
        AgentNotFound: a script is for an agent that there is not.
        ConfigError: the configuration or a script cannot be used.
    """
    return ScriptedHector(
        AsyncScriptedHector(
            script, config, repeat=repeat, tools=tools, folder=folder, user=user, approve=approve, plain=True
        )
    )


def aconnect(
    script: Replies | Mapping[str, Replies] = (),
    config: Mapping[str, Any] | str | Path | None = None,
    *,
    repeat: bool = False,
    tools: Sequence[Callable[..., Any]] = (),
    folder: Path | None = None,
    user: str = "tester",
    approve: Approver = None,
) -> AsyncScriptedHector:
    """As `hector_nb.aconnect`, with an engine in memory whose models play scripts. The arguments are those of `connect`."""
    return AsyncScriptedHector(script, config, repeat=repeat, tools=tools, folder=folder, user=user, approve=approve)


class _Function:
    """One function, as a source of tools."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._tool = FunctionTool(function, _named(function))

    async def tools(self) -> Sequence[Tool]:
        return [self._tool]

    async def aclose(self) -> None:
        pass


def _named(function: Callable[..., Any]) -> ToolMark:
    return mark_of(function) or ToolMark(function.__name__)


def _loaded(config: Mapping[str, Any] | str | Path | None, folder: Path | None, temporary: Path) -> LoadedConfig:
    if not isinstance(config, Path):
        text = config if isinstance(config, str) else json.dumps(config or {}, default=dict)
        config = temporary / "hector.yaml"
        config.write_text(text, encoding="utf-8")
    loaded = load_config(config)
    return replace(loaded, folder=folder or loaded.folder)


def _script(agent: str, replies: Replies, repeat: bool, config: Config) -> Script:
    if isinstance(replies, str):
        replies = [replies]
    steps = read_replies([[reply] if isinstance(reply, str) else reply for reply in replies], f"script of {agent}: ")
    name = config.llm_name(config.agents[agent])
    llm = config.llms[name] if name else LLMConfig(provider="scripted")
    given = {"context_window": llm.context_window, "max_tokens": llm.max_tokens}
    limits: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    return Script(steps, name=f"the model of {agent}", repeat=repeat, **limits)


def _scripted(agent: AgentConfig, name: str, tools: Mapping[str, Any]) -> AgentConfig:
    """The agent with its script as its only model."""
    memory = agent.memory
    working = memory.working.model_copy(update={"summarizer": None})
    longterm = memory.longterm and memory.longterm.model_copy(update={"embedder": None})
    return agent.model_copy(
        update={
            "llm": name,
            "tools": (*agent.tools, *tools),
            "memory": memory.model_copy(update={"working": working, "longterm": longterm}),
        }
    )


def _shown(request: ModelRequest) -> str:
    said = [f"{message.role}: {message.content}" for message in request.messages]
    return "\n".join([*([f"system: {request.system}"] if request.system else []), *said])
