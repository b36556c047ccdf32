"""The chat as a widget, without a kernel, and the plain one."""

import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import ipywidgets
import pytest

import hector_nb
from hector_nb.config.home import SERVED_STORE, store_mark
from hector_nb.config.loader import load_config
from hector_nb.errors import InvalidRequest, SessionNotFound, Unavailable
from hector_nb.frontends.connect import is_served_by_jupyter, open_service
from hector_nb.frontends.notebook_service import NotebookService
from hector_nb.frontends.widget import basic, bundle, open_chat, opening, outputs
from hector_nb.frontends.widget.basic import BasicChat
from hector_nb.frontends.widget.front import Chat
from hector_nb.messages import ToolCall
from tests.frontends.hostile_markdown import HOSTILE
from tests.frontends.scripts import write_scripts
from tests.frontends.widget.world import PATIENCE, World

COMMAND = ToolCall(call_id="c", name="execute_command", arguments={"command": "echo '<b>hi</b>'"})


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """What was displayed; a bundle is there."""
    monkeypatch.setattr(bundle, "PLACE", tmp_path / "chat.js")
    bundle.PLACE.write_text("export default {}")
    displayed: list[tuple[dict[str, Any], dict[str, Any]]] = []
    monkeypatch.setattr(outputs, "display", lambda data, **options: displayed.append((data, options)))
    return displayed


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    ipywidgets.Widget.close_all()


def opened(world: World, **options: Any) -> Any:
    service, loop = world.service.attach()
    return open_chat(service, loop, **options)


def wait_for(true: Any) -> None:
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until
        threading.Event().wait(0.01)


def wait(chat: Any) -> None:
    """Until what was sent is answered."""
    wait_for(
        lambda: (turns := chat._controller.state["turns"]) and turns[-1]["status"] in {"done", "approval", "failed"}
    )


def test_the_jupyter_server_can_stop_only_what_is_in_the_store_that_it_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def can(config: str | Path, user: str | None = None) -> bool:
        service = NotebookService(partial(open_service, config, user=user))
        try:
            return is_served_by_jupyter(service.attach()[0])
        finally:
            service.close()

    monkeypatch.setenv("HECTOR_HOME", str(tmp_path))
    monkeypatch.delenv(SERVED_STORE, raising=False)
    here = write_scripts(tmp_path)
    (tmp_path / "other").mkdir()
    other = write_scripts(tmp_path / "other", {"storage": {"url": "sqlite:///other.db"}})
    assert not can(here)
    loaded = load_config(here)
    monkeypatch.setenv(SERVED_STORE, store_mark(loaded.config, "local", folder=loaded.folder))
    assert can(here)
    assert not can(other)
    assert not can(here, "ada")


def test_the_models_state_holds_a_fresh_snapshot(world: World, shown: Any) -> None:
    world.agent("assistant", ["Hello"])
    chat = opened(world)
    assert isinstance(chat, Chat)
    assert chat.get_state()["_esm"] == "export default {}"
    assert chat.get_state()["snapshot"]["state"]["turns"] == []
    chat.send("Hi")
    wait(chat)
    snapshot = chat.get_state("snapshot")["snapshot"]
    assert snapshot["protocol"] == 1
    assert snapshot["state"]["turns"][0]["question"]["text"] == "Hi"
    assert "snapshot" not in chat.get_state(["height"])
    chat.set_state({"snapshot": {}, "_esm": "evil()", "height": 500})
    assert (chat.height, chat.get_state()["_esm"]) == (500, "export default {}")
    chat.close()


def test_people_who_write_code_have_the_same_chat(world: World, shown: Any) -> None:
    world.agent("assistant", ["Hello *you*"])
    chat = opened(world)
    assert chat.session is None
    with pytest.raises(SessionNotFound):
        _ = chat.memory
    assert repr(chat) == "Chat with assistant · nothing was said yet"
    chat.send("Hi")
    wait(chat)
    assert chat.session.message_count in (0, 1, 2)
    assert "Hello *you*" in chat.to_markdown()
    assert chat.memory.tokens > 0
    with pytest.raises(InvalidRequest):
        chat.send(" ")
    chat.close()


def test_a_frozen_chat_is_the_conversation_in_its_place(world: World, shown: Any) -> None:
    world.agent("assistant", ["Hello"])
    chat = opened(world)
    chat._ipython_display_()
    chat.send("Hi")
    wait(chat)
    chat.freeze()
    (_, first), (data, then) = shown
    assert then["update"] is True
    assert then["display_id"] == first["display_id"]
    assert "Hello" in data["text/markdown"]
    chat.close()


def test_without_the_bundle_the_plain_chat_comes_by_itself(world: World, shown: Any) -> None:
    bundle.PLACE.unlink()
    world.agent("assistant")
    chat = opened(world)
    assert isinstance(chat, BasicChat)
    chat.close()
    with pytest.raises(Unavailable, match="not installed"):
        opened(world, frontend="full")
    with pytest.raises(InvalidRequest):
        opened(world, frontend="pretty")
    with pytest.raises(SessionNotFound):
        opened(world, session_id="sess_gone")


def test_the_plain_chat_talks_asks_and_stops(world: World, shown: Any) -> None:
    world.agent("assistant", [COMMAND], ["Done **now**"], ["More"], tools=["execute_command"])
    chat = opened(world, frontend="basic")
    chat._box.value = "Run it"
    chat._send.click()
    wait(chat)
    chat._draw()
    assert chat._approval.layout.display == ""
    assert "&lt;b&gt;hi&lt;/b&gt;" in chat._question.value
    approve = chat._approval.children[1].children[0]
    approve.click()
    wait_for(lambda: chat._controller.state["turns"][-1]["status"] == "done")
    chat._draw()
    assert chat._approval.layout.display == "none"
    assert "<strong>now</strong>" in chat._transcript.children[-1].value
    assert (chat._stop.disabled, chat._again.disabled, chat._send.description) == (True, False, "Send")
    session = chat.session.session_id
    wait_for(lambda: chat._sessions.value == session)
    chat._sessions.value = ""
    wait_for(lambda: chat.session is None)
    chat.close()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text_in_the_plain_chat(text: str) -> None:
    turn = {
        "question": {"text": text},
        "parts": [{"kind": "text", "text": text}],
        "problem": None,
        "status": "done",
    }
    page = basic._turn_html(turn).lower()
    assert "<script" not in page
    assert "<img" not in page
    assert "<iframe" not in page
    assert 'href="javascript' not in page
    assert "<svg" not in page


def test_a_chat_is_one_call_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shown: Any) -> None:
    monkeypatch.setenv("HECTOR_HOME", str(tmp_path / "home"))
    chat = hector_nb.chat("assistant", config=write_scripts(tmp_path), height=10)
    assert isinstance(chat, Chat)
    assert chat.height == 320
    chat.send("Hi")
    wait(chat)
    again = hector_nb.chat(session=chat.session.session_id, config=tmp_path / "hector.yaml", frontend="basic")
    assert "Hello" in again.to_markdown()
    for each in (chat, again):
        each.close()
    for service in opening._services.values():
        service.close()
    opening._services.clear()


def test_the_front_end_is_small() -> None:
    """Every saved widget state and every page that shows a chat carries it."""
    assert bundle.PLACE.stat().st_size <= 150_000
