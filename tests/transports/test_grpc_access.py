"""Who reaches gRPC, and where: tokens, a Jupyter server's authorizer, TLS, health, reflection, and the processes that serve it."""

import asyncio
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from jupyter_server.auth.authorizer import Authorizer

from hector_nb.config.loader import LoadedConfig, load_config
from hector_nb.errors import ConfigError, StoreError, Unavailable
from hector_nb.extension import start_grpc
from hector_nb.transports import grpc_server
from hector_nb.transports.grpc_server import GrpcServer
from hector_nb.transports.listen import GrpcListen, where_grpc
from hector_nb.wire import hector_pb2 as pb
from hector_nb.wire.hector_pb2_grpc import A2AServiceStub
from tests.transports.conftest import AGENTS, TOKEN, USERS
from tests.transports.grpc_site import LONGEST, GrpcSite, chunks, failure, open_grpc_site, text
from tests.transports.test_jupyter import TOKEN as JUPYTER_TOKEN
from tests.transports.test_jupyter import jupyter
from tests.transports.test_serve import CONFIG, SCRIPT, failing, serving

pytestmark = pytest.mark.anyio
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
async def site() -> AsyncIterator[GrpcSite]:
    async for each in open_grpc_site(AGENTS, USERS):
        yield each


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hector.yaml").write_text(CONFIG)
    (tmp_path / "script.yaml").write_text(SCRIPT)
    return tmp_path


def certified(folder: Path) -> Path:
    """A certificate for loopback in this folder."""
    subprocess.run(
        shlex.split("openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost "
                    "-addext subjectAltName=IP:127.0.0.1,DNS:localhost"),
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    return folder


async def answer(address: str, token: str | None, trust: bytes | None = None) -> str:
    """What the assistant says to a client that comes in."""
    secure = trust and grpc.ssl_channel_credentials(trust)
    channel = grpc.aio.secure_channel(address, secure) if secure else grpc.aio.insecure_channel(address)
    async with channel:
        stub: Any = A2AServiceStub(channel)
        shown = (("authorization", f"Bearer {token}"),) if token else ()
        request = pb.SendMessageRequest(agent="assistant", message="Explain quantum computing")
        call = stub.StreamMessage(request, metadata=shown, timeout=LONGEST, wait_for_ready=trust is None)
        return text(await chunks(call))


# --- who


async def test_without_tokens_everybody_is_the_local_user() -> None:
    async for open_door in open_grpc_site(AGENTS, {}):
        made = await open_door.call("CreateSession", token=None, agent="assistant")
        assert made.user == "local"


async def test_the_servers_authorizer_is_asked_as_over_http(site: GrpcSite) -> None:
    asked: list[tuple[str, str, str]] = []

    class Watcher(Authorizer):
        def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
            asked.append((user.username, action, resource))
            return action != "execute"

    session_id = await site.new_session()
    site.http.web_app.settings["authorizer"] = Watcher()
    await site.call("GetSession", agent="assistant", session_id=session_id)
    code, told = await failure(site.call("SendMessage", agent="assistant", message="Hi"))
    assert (code, told.code) == ("PERMISSION_DENIED", "forbidden")
    await site.call("EndSession", agent="assistant", session_id=session_id)
    assert asked == [("local", action, "hector") for action in ("read", "execute", "write")]


# --- health and reflection


async def test_health_is_open_to_all_and_tells_when_the_engine_cannot_work(
    site: GrpcSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub: Any = health_pb2_grpc.HealthStub(site.channel)  # type: ignore[no-untyped-call]
    for service in ("", "hector.v1.A2AService"):
        found = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=LONGEST)
        assert found.status == SERVING
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Check(health_pb2.HealthCheckRequest(service="other"), timeout=LONGEST)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    watch = stub.Watch(health_pb2.HealthCheckRequest(service="hector.v1.A2AService"), timeout=LONGEST)
    assert (await watch.read()).status == SERVING
    site.world.fails_with = StoreError("no disk")
    assert (await watch.read()).status == NOT_SERVING
    site.world.fails_with = None
    assert (await watch.read()).status == SERVING
    monkeypatch.setattr(grpc_server, "_STOP_WITHIN", 600.0)
    async with asyncio.timeout(LONGEST):  # whoever watches does not hold the server up
        await site.server.stop()
    try:
        assert (await watch.read()).status == NOT_SERVING
    except grpc.aio.AioRpcError as error:  # it is hung up on before it can be told
        assert error.code() is grpc.StatusCode.UNAVAILABLE  # noqa: PT017


async def test_reflection_tells_the_services_to_those_who_may_call_them(site: GrpcSite) -> None:
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(site.channel)  # type: ignore[no-untyped-call]
    asked = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="hector.v1.A2AService"),
    ]
    shown = (("authorization", f"Bearer {TOKEN}"),)
    listed, described = [each async for each in stub.ServerReflectionInfo(asked, metadata=shown, timeout=LONGEST)]
    assert {each.name for each in listed.list_services_response.service} == {
        "hector.v1.A2AService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    files = b"".join(described.file_descriptor_response.file_descriptor_proto)
    assert b"StreamMessage" in files
    code, told = await failure(chunks(stub.ServerReflectionInfo([], timeout=LONGEST)))
    assert (code, told.code) == ("UNAUTHENTICATED", "unauthenticated")


# --- where


def loaded(folder: Path, server: str = "") -> LoadedConfig:
    (folder / "hector.yaml").write_text(CONFIG + server)
    return load_config(folder / "hector.yaml")


def test_what_is_asked_for_goes_before_the_configuration(folder: Path) -> None:
    assert where_grpc(loaded(folder)) is None
    assert where_grpc(loaded(folder, "  grpc_port: 5\n")) == GrpcListen(host="127.0.0.1", port=5)
    assert where_grpc(loaded(folder, "  grpc_port: 5\n"), host="::1", port=0) == GrpcListen(host="::1", port=0)
    assert GrpcListen(host="::1", port=0).address(7) == "[::1]:7"
    assert GrpcListen(host="", port=7).address() == "[::]:7"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "example.org"])
def test_beyond_loopback_it_needs_tls(folder: Path, host: str) -> None:
    with pytest.raises(ConfigError, match="over the network as they are"):
        where_grpc(loaded(folder), host=host, port=0)
    certified(folder)
    server = "  certfile: cert.pem\n  keyfile: key.pem\n"
    listen = where_grpc(loaded(folder, server), host=host, port=0)
    assert listen == GrpcListen(host=host, port=0, certfile=str(folder / "cert.pem"), keyfile=str(folder / "key.pem"))


async def test_with_a_certificate_it_speaks_tls_and_nothing_else(site: GrpcSite, folder: Path) -> None:
    certified(folder)
    listen = GrpcListen(host="127.0.0.1", port=0, certfile=str(folder / "cert.pem"), keyfile=str(folder / "key.pem"))
    server = await GrpcServer.start(site.http.web_app, listen)
    site.world.will_say("Privately")
    assert await answer(f"localhost:{server.port}", TOKEN, (folder / "cert.pem").read_bytes()) == "Privately"
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub: Any = A2AServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.ListSessions(pb.ListSessionsRequest(), timeout=LONGEST)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    await server.stop()


@pytest.mark.parametrize("broken", ["cert.pem", "key.pem"])
async def test_a_certificate_that_cannot_be_used_is_said(site: GrpcSite, folder: Path, broken: str) -> None:
    certified(folder)
    (folder / broken).write_text("nonsense")
    listen = GrpcListen(host="127.0.0.1", port=0, certfile=str(folder / "cert.pem"), keyfile=str(folder / "key.pem"))
    with pytest.raises(ConfigError, match="cannot be used"):
        await GrpcServer.start(site.http.web_app, listen)


async def test_a_port_in_use_is_said_also_where_another_grpc_server_has_it(site: GrpcSite) -> None:
    with pytest.raises(Unavailable, match=r"Cannot listen for gRPC on 127\.0\.0\.1"):
        await GrpcServer.start(site.http.web_app, GrpcListen(host="127.0.0.1", port=site.server.port))


async def test_without_the_extra_the_error_says_what_to_install(
    site: GrpcSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "hector_nb.transports.grpc_server")
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(ConfigError) as caught:
        await start_grpc(site.http.web_app, GrpcListen(host="127.0.0.1", port=0))
    assert caught.value.hint == 'Install it: pip install "hector_nb[grpc]"'


# --- processes


def said_port(line: str) -> int:
    found = re.fullmatch(r"gRPC: 127\.0\.0\.1:(\d+)\n", line)
    assert found, line
    return int(found[1])


@pytest.mark.parametrize(
    ("settings", "server"),
    [("--port 0 --grpc-port 0 --token t", ""), ("--port 0 --token t", "  grpc_port: 0\n")],
    ids=["option", "configuration"],
)
async def test_hector_serve_serves_both(folder: Path, settings: str, server: str) -> None:
    (folder / "hector.yaml").write_text(CONFIG + server)
    with serving(folder, settings) as served:
        assert served.process.stdout is not None
        port = said_port(served.process.stdout.readline())
        assert await answer(f"127.0.0.1:{port}", "t") == "Quantum computing uses quantum mechanics..."
        assert served.get("/agents", Authorization="Bearer t")[0] == 200
        assert served.stop() == (0, "")


async def test_a_signal_ends_streams_and_the_process(folder: Path) -> None:
    (folder / "script.yaml").write_text('- ["So far", {wait_ms: 60000}]')
    with serving(folder, "--port 0 --grpc-port 0 --no-token") as served:
        assert served.process.stdout is not None
        port = said_port(served.process.stdout.readline())
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub: Any = A2AServiceStub(channel)
            call = stub.StreamMessage(pb.SendMessageRequest(agent="assistant", message="Hi"), timeout=LONGEST)
            assert (await call.read()).content == "So far"
            stopping = asyncio.create_task(asyncio.to_thread(served.stop, signal.SIGTERM))
            code, told = await failure(chunks(call))
            assert (code, told.code) == ("UNAVAILABLE", "interrupted")
            assert (await stopping)[0] == 0


def test_a_grpc_port_in_use_or_an_open_address_stops_the_start(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"Cannot listen for gRPC on 127.0.0.1:{port}" in failing(folder, f"--port 0 --grpc-port {port}")
    assert "over the network as they are" in failing(folder, "--port 0 --grpc-port 0 --host 0.0.0.0")


async def test_a_jupyter_server_serves_it_where_the_configuration_says_so(folder: Path) -> None:
    (folder / "hector.yaml").write_text(f"{CONFIG}  grpc_port: 0\n")
    told = re.compile(r"Hector's gRPC: (127\.0\.0\.1:\d+)\n")
    with jupyter(folder):
        await until(lambda: told.search((folder / "log").read_text()) is not None)
        (address,) = told.findall((folder / "log").read_text())
        assert await answer(address, JUPYTER_TOKEN) == "Quantum computing uses quantum mechanics..."
        async with grpc.aio.insecure_channel(address) as channel:
            stub: Any = A2AServiceStub(channel)
            shown = (("authorization", f"token {JUPYTER_TOKEN}"),)
            made = [
                await stub.CreateSession(pb.CreateSessionRequest(agent="assistant"), metadata=shown) for _ in range(2)
            ]
            assert [each.user for each in made] == ["local", "local"]
            found = await stub.ListSessions(pb.ListSessionsRequest(agent="assistant"), metadata=shown)
            assert {each.session_id for each in found.sessions} == {each.session_id for each in made}
            assert (await failure(stub.ListSessions(pb.ListSessionsRequest())))[0] == "UNAUTHENTICATED"


async def test_a_jupyter_server_starts_without_it_where_it_cannot_be_served(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        (folder / "hector.yaml").write_text(f"{CONFIG}  grpc_port: {taken.getsockname()[1]}\n")
        with jupyter(folder):
            await until(lambda: "Hector's gRPC is not served. Cannot listen" in (folder / "log").read_text())


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONGEST):
        while not holds():
            await asyncio.sleep(0.02)
