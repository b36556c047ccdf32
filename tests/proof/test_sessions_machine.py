"""Sessions over HTTP against two server processes that die and come back, compared with a model of twenty lines."""

import asyncio
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from tests.fakes.upstream import DONE, Exchange, FakeUpstream, chunk
from tests.proof.serving import WITHIN, Server

_EXAMPLES = 7
_STEPS = 25
_HOLD = "hold"
"""A message that begins so is answered with `so far`, and then with silence."""
AGENTS = [f"agent-{number}" for number in range(200)]
CONFIG = """
llms: {{default: {{provider: openai-compatible, model: fake, base_url: "{url}", max_retries: 0}}}}
agents: {{{agents}}}
"""


async def echo(exchange: Exchange) -> None:
    """The provider: it says again what was said last."""
    said = exchange.request.body["messages"][-1]["content"].split("\n\n")[-1]
    await exchange.head()
    if said.startswith(_HOLD):
        await exchange.send(chunk({"content": "so far"}))
        await asyncio.Event().wait()
    await exchange.send(chunk({"content": "you said "}))
    await exchange.send(chunk({"content": said}) + chunk({}, "stop") + DONE)
    await exchange.end()


class Farm:
    """The provider and two servers over one store; a server that is ended is started again at once."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.numbers = count()
        self.agents = iter(AGENTS)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._upstream = FakeUpstream(echo)
        self._await(self._upstream.__aenter__())
        listed = ", ".join(f"{name}: {{}}" for name in AGENTS)
        (home / "hector.yaml").write_text(CONFIG.format(url=self._upstream.url, agents=listed))
        self.servers = [self.new_server() for _ in "12"]
        for server in self.servers:
            server.ready()

    def new_server(self) -> Server:
        return Server(self.home, next(self.numbers))

    def close(self) -> None:
        for server in self.servers:
            server.kill()
        self._await(self._upstream.__aexit__())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _await(self, coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(WITHIN)


@dataclass
class Known:
    """What the model knows of a session: `messages` are role, text and status. `held` is the running turn's stream and server."""

    session_id: str
    messages: list[tuple[str, str, str]] = field(default_factory=list)
    status: str = "active"
    held: tuple[HTTPResponse, int] | None = None

    def settle(self, status: str) -> None:
        """The held turn is over."""
        assert self.held is not None
        self.messages.append(("assistant", "so far", status))
        self.held = None


class Sessions(RuleBasedStateMachine):
    """`which` is the server that is asked."""

    farm: Farm
    known = Bundle("known")
    which = st.sampled_from([0, 1])
    text = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=8)

    @initialize()
    def begin(self) -> None:
        self.agent = f"/agents/{next(self.farm.agents)}"
        self.alive: list[Known] = []
        self.deaths = 0
        self.lines = ExitStack()

    def teardown(self) -> None:
        if hasattr(self, "lines"):
            self.lines.close()

    def call(self, which: int, verb: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if data else {}
        url = self.farm.servers[which].base + self.agent + path
        try:
            with urllib.request.urlopen(
                urllib.request.Request(url, data, headers, method=verb), timeout=WITHIN
            ) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    @rule(target=known, which=which, chosen=st.booleans(), title=text)
    def create(self, which: int, chosen: bool, title: str) -> Known:
        body = {"session_id": f"mine-{len(self.alive)}-{next(self.farm.numbers)}"} if chosen else {}
        status, made = self.call(which, "POST", "/sessions", body | {"title": title})
        assert (status, made["title"]) == (201, title)
        if chosen:
            again, same = self.call(1 - which, "POST", "/sessions", body)
            assert (again, same["session_id"]) == (200, body["session_id"])
        return self.add(Known(made["session_id"]))

    def add(self, known: Known) -> Known:
        self.alive.append(known)
        return known

    @rule(known=known, which=which, text=text)
    def send(self, known: Known, which: int, text: str) -> None:
        path = f"/sessions/{known.session_id}/messages"
        body = {"message": f"-{text}", "if_busy": "interrupt" if known.held else "queue"}
        status, reply = self.call(which, "POST", path, body)
        if known.status != "active":
            assert status == 409, reply
            return
        assert (status, reply["response"]) == (200, f"you said -{text}"), reply
        if known.held:
            known.settle("cancelled")
        known.messages += [("user", f"-{text}", "complete"), ("assistant", f"you said -{text}", "complete")]

    @rule(known=known, which=which)
    def hold(self, known: Known, which: int) -> None:
        """Begin a turn that does not end by itself, and read what it says at first."""
        if known.held or known.status != "active":
            body = {"message": _HOLD, "if_busy": "reject"}
            status, told = self.call(which, "POST", f"/sessions/{known.session_id}/messages", body)
            assert status == 409, told
            return
        line = HTTPConnection("127.0.0.1", self.farm.servers[which].port, timeout=WITHIN)
        self.lines.callback(line.close)
        line.request("GET", quote(f"{self.agent}/sessions/{known.session_id}/messages/stream") + f"?message={_HOLD}")
        answer = line.getresponse()
        assert answer.status == 200
        while b"so far" not in (said := answer.readline()):
            assert said, "the line ended"
        known.messages.append(("user", _HOLD, "complete"))
        known.held = answer, which

    @rule(known=known, which=which)
    def cancel(self, known: Known, which: int) -> None:
        started = monotonic()
        status, told = self.call(which, "POST", f"/sessions/{known.session_id}/cancel")
        assert (status, told["cancelled"]) == (200, known.held is not None)
        assert monotonic() - started < 10
        if known.held:
            line, _ = known.held
            known.settle("cancelled")
            assert b"data: [DONE]" in line.read()

    @rule(target=known, known=known, which=which, at=st.integers(0, 30))
    def fork(self, known: Known, which: int, at: int) -> Known:
        after, kept = self.point(known, which, at)
        status, made = self.call(which, "POST", f"/sessions/{known.session_id}/fork", after)
        assert status == 201, made
        return self.add(Known(made["session_id"], kept))

    @rule(known=known, which=which, at=st.integers(0, 30))
    def rewind(self, known: Known, which: int, at: int) -> None:
        after, kept = self.point(known, which, at)
        if not after:
            kept = []
        status, told = self.call(which, "POST", f"/sessions/{known.session_id}/rewind", after)
        if known.held:
            assert status == 409, told
            return
        assert (status, told["message_count"]) == (200, len(kept)), told
        known.messages = kept

    def point(self, known: Known, which: int, at: int) -> tuple[dict[str, str], list[tuple[str, str, str]]]:
        """A place in the transcript as the API names it, and the messages up to there; sometimes none is named."""
        if at >= len(known.messages):
            return {}, list(known.messages)
        _, page = self.call(which, "GET", f"/sessions/{known.session_id}/messages")
        return {"after": page["messages"][at]["message_id"]}, known.messages[: at + 1]

    @rule(known=known, which=which)
    def end(self, known: Known, which: int) -> None:
        status, told = self.call(which, "POST", f"/sessions/{known.session_id}/end")
        assert (status, told["status"]) == (200, "ended")
        known.status = "ended"
        if known.held:
            known.settle("cancelled")

    @rule(known=consumes(known), which=which)
    def delete(self, known: Known, which: int) -> None:
        assert self.call(which, "DELETE", f"/sessions/{known.session_id}") == (204, None)
        assert self.call(1 - which, "GET", f"/sessions/{known.session_id}")[0] == 404
        self.alive.remove(known)

    @precondition(lambda self: self.deaths < 2)
    @rule(which=which, polite=st.booleans())
    def die(self, which: int, polite: bool) -> None:
        """A server is stopped, or killed, and another takes its place; what it had under way is marked."""
        self.deaths += 1
        server = self.farm.servers[which]
        if polite:
            code, seconds = server.stop()
            assert (code, server.errors.read_text()) == (0, "")
            assert seconds < 15
        else:
            server.kill()
        self.farm.servers[which] = self.farm.new_server().ready()
        for known in self.alive:
            if known.held and known.held[1] == which:
                self.interrupted(known, polite=polite)

    def interrupted(self, known: Known, *, polite: bool) -> None:
        """The stream has ended, with the turn's last frame where the server could say it, and the turn is closed."""
        assert known.held is not None
        try:
            rest = known.held[0].read()
        except (IncompleteRead, ConnectionError):
            rest = b""
        assert (b"event: error" in rest) == polite
        until = monotonic() + WITHIN
        while self.call(0, "GET", f"/sessions/{known.session_id}")[1]["running_turn"]:
            assert monotonic() < until
            sleep(0.02)  # another process is looked at, which announces nothing
        known.settle("interrupted")
        if not polite and self.transcript(1, known)[-1][1] == "":
            known.messages[-1] = ("assistant", "", "interrupted")  # the last tenth of a second may be lost

    def transcript(self, which: int, known: Known) -> list[tuple[str, str, str]]:
        status, page = self.call(which, "GET", f"/sessions/{known.session_id}/messages")
        assert status == 200, page
        return [(each["role"], each["content"], each["status"]) for each in page["messages"]]

    @invariant()
    def both_servers_tell_what_the_model_tells(self) -> None:
        for which in (0, 1):
            _, page = self.call(which, "GET", "/sessions")
            told = {each["session_id"]: (each["status"], each["message_count"]) for each in page["sessions"]}
            assert told == {each.session_id: (each.status, len(each.messages)) for each in self.alive}
        for known in self.alive:
            assert self.transcript(0, known) == known.messages


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    farm = Farm(tmp_path)
    try:
        yield farm
    finally:
        farm.close()
    told = "".join(file.read_text() for file in tmp_path.glob("errors-*.log"))
    assert "Traceback" not in told, told


def test_sessions_are_what_the_model_says(farm: Farm) -> None:
    machine = type("FarmSessions", (Sessions,), {"farm": farm})
    checks = list(HealthCheck)
    run_machine(
        machine,
        settings=settings(
            max_examples=_EXAMPLES, stateful_step_count=_STEPS, deadline=None, suppress_health_check=checks
        ),
    )
