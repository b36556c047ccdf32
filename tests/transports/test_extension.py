"""The engine behind the extension: opened once, at the first need; tried again after a failure; busy while turns run."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_server.auth import IdentityProvider
from tornado.web import Application

from hector_nb import extension
from hector_nb.bootstrap import engine as bootstrap
from hector_nb.config.home import SERVED_STORE, store_mark
from hector_nb.config.loader import LoadedConfig, load_config
from hector_nb.errors import ConfigError, Unavailable
from hector_nb.extension import EngineOnDemand, HectorExtension
from hector_nb.runtime.runtime import Runtime
from hector_nb.service import SendMessage
from tests.transports.test_serve import CONFIG

pytestmark = pytest.mark.anyio


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HECTOR_HOME", str(tmp_path / "home"))
    (tmp_path / "script.yaml").write_text('- ["So far", {wait_ms: 60000}]')
    (tmp_path / "hector.yaml").write_text(CONFIG)
    return tmp_path / "hector.yaml"


def rewrite(config: Path, text: str) -> None:
    config.write_text(text)


async def test_it_is_opened_once_however_many_need_it(config: Path) -> None:
    loads: list[LoadedConfig] = []

    def load() -> LoadedConfig:
        loads.append(load_config(config))
        return loads[-1]

    engine = EngineOnDemand(load)
    assert engine.healthy
    assert not loads
    runtimes = await asyncio.gather(*(engine.runtime() for _ in range(5)))
    assert len({id(each) for each in runtimes}) == 1
    assert len(loads) == 1
    assert await engine.allowed_origins() == ("https://app.example",)
    await engine.aclose()
    with pytest.raises(Unavailable):
        await engine.service("ada")


async def test_kernels_are_told_whose_sessions_are_served(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SERVED_STORE, "of another server")
    monkeypatch.setenv("HECTOR_USER", "ada")
    loaded = load_config(config)
    served = HectorExtension(config_path=str(config))
    for provider, user in ((IdentityProvider(), "local"), (Hub(), "ada")):
        served.settings = {"identity_provider": provider}
        await served._serve_grpc(Application())
        assert os.environ[SERVED_STORE] == store_mark(loaded.config, user, folder=loaded.folder)


class Hub(IdentityProvider):
    """Knows names."""


async def test_an_engine_that_opens_while_the_server_stops_leaves_nothing_behind(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, stopped = asyncio.Event(), asyncio.Event()
    open_runtime = bootstrap.open_runtime

    async def open_slowly(*what: Any, **more: Any) -> Runtime:
        asked.set()
        await stopped.wait()
        return await open_runtime(*what, **more)

    monkeypatch.setattr(bootstrap, "open_runtime", open_slowly)
    engine = EngineOnDemand(lambda: load_config(config))
    before = asyncio.all_tasks()
    opening = asyncio.create_task(engine.runtime())
    await asked.wait()
    stopping = asyncio.create_task(engine.aclose())
    asyncio.get_running_loop().call_soon(stopped.set)
    await asyncio.gather(opening, stopping)
    async with asyncio.timeout(30):
        while left := asyncio.all_tasks() - before:
            await asyncio.wait(left)


async def test_a_failure_is_remembered_for_a_while_and_then_tried_again(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite(config, "agents: 5")
    monkeypatch.setattr(extension, "_TRY_AGAIN_AFTER", 600.0)
    engine = EngineOnDemand(lambda: load_config(config))
    with pytest.raises(ConfigError):
        await engine.service("ada")
    assert not engine.healthy
    assert await engine.allowed_origins() == ()
    rewrite(config, CONFIG)
    with pytest.raises(ConfigError):
        await engine.service("ada")
    monkeypatch.setattr(extension, "_TRY_AGAIN_AFTER", 0.0)
    assert await (await engine.service("ada")).list_agents()
    assert engine.healthy
    await engine.aclose()


async def test_a_caller_that_gives_up_does_not_stop_the_opening(config: Path) -> None:
    engine = EngineOnDemand(lambda: load_config(config))
    impatient = asyncio.create_task(engine.runtime())
    await asyncio.sleep(0)
    impatient.cancel()
    assert await engine.runtime()
    await engine.aclose()


async def test_it_says_that_it_is_busy_while_turns_run(config: Path) -> None:
    busy = asyncio.Event()
    engine = EngineOnDemand(lambda: load_config(config), while_busy=busy.set, busy_every=0.01)
    service = await engine.service("ada")
    assert engine.turns == 0
    stream = await service.stream_message("assistant", SendMessage(message="Hi"))
    async with asyncio.timeout(30):
        await busy.wait()
    assert engine.turns == 1
    await engine.aclose()
    async with stream:
        pass
    assert engine.turns == 0


async def test_closing_what_never_opened_is_quiet(config: Path) -> None:
    await EngineOnDemand(lambda: load_config(config)).aclose()
    rewrite(config, "agents: 5")
    broken = EngineOnDemand(lambda: load_config(config))
    with pytest.raises(ConfigError):
        await broken.runtime()
    await broken.aclose()


async def test_running_turns_keep_the_jupyter_server_from_being_stopped(config: Path) -> None:
    times: dict[str, datetime] = {}
    server = SimpleNamespace(web_app=SimpleNamespace(settings={"last_activity_times": times}))
    hector = HectorExtension(serverapp=server, config_path=str(config))
    hector.initialize_settings()
    assert hector.current_activity() is None
    service = await hector.engine.service("ada")
    before = datetime.now(UTC)
    stream = await service.stream_message("assistant", SendMessage(message="Hi"))
    assert hector.current_activity() == 1
    hector.say_busy()
    assert times["hector_nb"] >= before
    await hector.stop_extension()
    async with stream:
        pass
