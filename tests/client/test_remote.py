"""What only a client over a wire can meet: lines that break, servers that are away or are none of ours. The rest is in `tests/runtime`."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from hector_nb.client import connection, streams
from hector_nb.client.address import Address
from hector_nb.client.connection import Connection
from hector_nb.client.sessions import RemoteSessions, open_sessions
from hector_nb.errors import HectorError, NotFound, Unauthenticated, Unavailable
from hector_nb.events import TextDelta, TurnDone
from hector_nb.service import SendMessage, SessionService
from hector_nb.transports.listen import Listen
from hector_nb.transports.standalone import HectorServer
from tests.models.requests import PORT_OF_NOBODY
from tests.proof.cutting_proxy import CuttingProxy
from tests.runtime.served import USERS, ServedEngine
from tests.runtime.world import World, events_of, first_text, opened, text_of
from tests.transports.test_grpc_access import certified

pytestmark = pytest.mark.anyio
TOKEN = "token-of-ada"


@asynccontextmanager
async def served(world: World) -> AsyncIterator[int]:
    """The world's engine on a port."""
    server = HectorServer.start_listening(Listen(host="127.0.0.1", port=0, users=USERS), ServedEngine(world.runtime))
    try:
        yield server.port
    finally:
        await server.stop_listening()


@asynccontextmanager
async def client(port: int) -> AsyncIterator[SessionService]:
    line = Connection(Address.parse(f"http://127.0.0.1:{port}", TOKEN))
    try:
        yield RemoteSessions(line)
    finally:
        await line.aclose()


@asynccontextmanager
async def answering(status: int, body: str, kind: str = "application/json") -> AsyncIterator[str]:
    """A server that is none of ours."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body, content_type=kind)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_line_that_breaks_again_and_again_loses_and_repeats_nothing() -> None:
    gates = [asyncio.Event() for _ in range(4)]
    steps = [step for number, gate in enumerate(gates) for step in (f"a{number} ", gate, f"b{number} ")]
    async with (
        opened([steps]) as world,
        served(world) as port,
        CuttingProxy(port) as proxy,
        client(proxy.port) as service,
    ):
        session, _ = await service.create_session("assistant")
        request = SendMessage(message="go", session_id=session.session_id)
        stream = await service.stream_message("assistant", request)
        got = []
        for number, gate in enumerate(gates):
            while not any(getattr(each.event, "text", "") == f"a{number} " for each in got):
                got += await stream.read()
            await proxy.cut()
            gate.set()
        while batch := await stream.read():
            got += batch
        whole = await events_of(await world.service.follow_turn("assistant", stream.turn_id))
        assert got == whole
        assert isinstance(got[-1].event, TurnDone)
        assert proxy.accepted > len(gates)
        await stream.__aexit__(None, None, None)


async def test_a_message_whose_line_breaks_before_the_answer_is_stored_once() -> None:
    async with opened([["Hi."]]) as world, served(world) as port, CuttingProxy(port) as proxy:
        session = await world.session()
        async with client(proxy.port) as service:
            sending = asyncio.create_task(
                service.stream_message("assistant", SendMessage(message="go", session_id=session))
            )
            while not world.runtime.runs and not await world.messages(session):
                await asyncio.sleep(0)
            await proxy.cut()
            assert await text_of(await sending) == "Hi."
        assert [each.content for each in await world.messages(session)] == ["go", "Hi."]


async def test_leaving_a_stream_is_leaving_its_turn() -> None:
    never = asyncio.Event()
    async with (
        opened([["so far", never]], streaming={"resume_grace": 0}) as world,
        served(world) as port,
        client(port) as service,
    ):
        session, _ = await service.create_session("assistant")
        request = SendMessage(message="go", session_id=session.session_id)
        async with await service.stream_message("assistant", request) as stream:
            await first_text(stream)
            run = world.runtime.runs[stream.turn_id]
        await run.finished.wait()
        assert [each.status for each in await world.messages(session.session_id)] == ["complete", "cancelled"]


async def test_a_program_that_governs_its_turn_itself_may_leave_it() -> None:
    gate = asyncio.Event()
    async with (
        opened([["so far", gate, "."]], streaming={"resume_grace": 0}) as world,
        served(world) as port,
        client(port) as service,
    ):
        session, _ = await service.create_session("assistant")
        request = SendMessage(message="go", session_id=session.session_id, on_disconnect="continue")
        async with await service.stream_message("assistant", request) as stream:
            await first_text(stream)
        gate.set()
        again = await service.follow_turn("assistant", stream.turn_id)
        assert await text_of(again) == "so far."


async def test_a_server_that_stays_away_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PATIENCE", 0.2)
    never = asyncio.Event()
    async with (
        opened([["so far", never]]) as world,
        served(world) as port,
        CuttingProxy(port) as proxy,
        client(proxy.port) as service,
    ):
        session, _ = await service.create_session("assistant")
        request = SendMessage(message="go", session_id=session.session_id)
        async with await service.stream_message("assistant", request) as stream:
            await first_text(stream)
            proxy._server.close()
            await proxy.cut()
            with pytest.raises(Unavailable):
                await stream.read()


async def test_pages_are_put_together_where_the_servers_are_shorter() -> None:
    async with opened([]) as world, served(world) as port, client(port) as service:
        made = {await world.session() for _ in range(205)}
        page = await service.list_sessions("assistant", limit=203)
        assert len(page.items) == 203
        rest = await service.list_sessions(limit=203, cursor=page.next_cursor)
        assert {each.session_id for each in (*page.items, *rest.items)} == made
        assert rest.next_cursor is None


async def test_a_search_may_ask_for_more_than_a_server_gives() -> None:
    async with opened([], memory={"longterm": {}}) as world, served(world) as port, client(port) as service:
        assert await service.search_memory("assistant", await world.session(), "bees", limit=1000) == []


@pytest.mark.parametrize("session_id", ["..", ".", "import", "-"])
async def test_a_session_may_be_called_what_a_path_may_not(session_id: str) -> None:
    async with opened([["Hi."]]) as world, served(world) as port, client(port) as service:
        await service.create_session("assistant", session_id=session_id)
        assert (await service.get_session("assistant", session_id)).session_id == session_id
        stream = await service.stream_message("assistant", SendMessage(message="go", session_id=session_id))
        assert await text_of(stream) == "Hi."


async def test_a_wrong_token_or_none_is_told_so() -> None:
    async with opened([]) as world, served(world) as port:
        for token in (None, "wrong"):
            with pytest.raises(Unauthenticated, match=r"does not let us in.\nIt wants .*HECTOR_TOKEN"):
                async with open_sessions(f"http://127.0.0.1:{port}", token=token):
                    pass
        async with open_sessions(f"http://127.0.0.1:{port}/agents?token={TOKEN}") as service:
            assert [each.name for each in await service.list_agents()] == ["assistant"]


async def test_nobody_there_is_told_at_once() -> None:
    with pytest.raises(Unavailable, match="cannot be reached"):
        async with open_sessions(f"http://127.0.0.1:{PORT_OF_NOBODY}"):
            pass


async def test_http_to_a_server_that_speaks_tls_is_told_what_to_change(tmp_path: Path) -> None:
    folder = certified(tmp_path)
    listen = Listen(
        host="127.0.0.1",
        port=0,
        users=USERS,
        certfile=str(folder / "cert.pem"),
        keyfile=str(folder / "key.pem"),
    )
    async with opened([]) as world:
        server = HectorServer.start_listening(listen, ServedEngine(world.runtime))
        try:
            with pytest.raises(Unavailable, match="hangs up") as caught:
                async with open_sessions(f"http://127.0.0.1:{server.port}", token=TOKEN):
                    pass
        finally:
            await server.stop_listening()
    assert caught.value.hint == "Is its address https instead of http?"


async def test_https_to_a_server_that_speaks_none_is_told_what_to_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_CONNECT_WITHIN", 0.2)
    async with opened([]) as world, served(world) as port:
        with pytest.raises(Unavailable, match="did not answer within") as caught:
            async with open_sessions(f"https://127.0.0.1:{port}", token=TOKEN):
                pass
    assert caught.value.hint == "Is its address http instead of https?"


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        ("http://ada:secret@127.0.0.1:{port}", "cannot be reached through the environment's proxy"),
        ("127.0.0.1:{port}", "cannot be reached through the environment's proxy"),
        ("socks5://ada:secret@127.0.0.1:{port}", "is a socks5 one, which is not supported"),
    ],
)
async def test_a_proxy_that_does_not_help_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, proxy: str, said: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy.format(port=PORT_OF_NOBODY))
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(Unavailable, match=said) as caught:
        async with open_sessions("http://hector.example"):
            pass
    assert "secret" not in str(caught.value)
    assert "NO_PROXY" in str(caught.value)


async def test_a_script_that_never_closes_its_connection_ends_without_a_word() -> None:
    script = (
        "import hector_nb, sys; hector = hector_nb.connect(sys.argv[1]); print(hector.session().send('Hello').text)"
    )
    async with opened([["Hi."]]) as world, served(world) as port:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-W",
            "default",
            "-c",
            script,
            f"http://127.0.0.1:{port}?token={TOKEN}",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            said, complained = await process.communicate()
    assert (said.decode().strip(), complained.decode(), process.returncode) == ("Hi.", "", 0)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, "{}", HectorError),
        (200, '{"agents": [{"name": "x"}]}', HectorError),
        (200, "<html>", HectorError),
        (302, "", Unauthenticated),
        (401, "{}", Unauthenticated),
        (404, '{"message": "Not Found"}', NotFound),
        (418, "tea", HectorError),
        (502, "<html>Bad gateway</html>", Unavailable),
    ],
)
async def test_a_server_that_is_none_of_ours_is_named(status: int, body: str, error: type[HectorError]) -> None:
    async with answering(status, body) as url:
        with pytest.raises(error) as caught:
            async with open_sessions(url, token="the-secret"):
                pass
        assert type(caught.value) is error
        assert url in caught.value.message
        assert "the-secret" not in str(caught.value)


async def test_a_closed_connection_says_so() -> None:
    async with opened([]) as world, served(world) as port:
        async with open_sessions(f"http://127.0.0.1:{port}", token=TOKEN) as service:
            pass
        with pytest.raises(HectorError, match="closed"):
            await service.list_agents()


async def test_the_texts_of_a_session_that_is_followed_come_in_order() -> None:
    async with opened([["one"], ["two"]]) as world, served(world) as port, client(port) as service:
        session, _ = await service.create_session("assistant")
        feed = await service.follow_session("assistant", session.session_id)
        assert feed.position == "start"
        for text in ("one", "two"):
            await text_of(
                await service.stream_message("assistant", SendMessage(message=text, session_id=session.session_id))
            )
            turn = await feed.next_turn()
            assert turn is not None
            assert [e.event.text for e in await events_of(turn) if isinstance(e.event, TextDelta)] == [text]
        await service.end_session("assistant", session.session_id)
        assert await feed.next_turn() is None
