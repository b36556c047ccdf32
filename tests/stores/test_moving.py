"""`hector migrate`: the store that everything was moved to gives the same answers as the one that it came from."""

import pytest
from typer.testing import CliRunner

from hector_nb.bootstrap.stores import move_store, store_at
from hector_nb.errors import StoreError, StoreUnavailable
from hector_nb.events import TextDelta, ThinkingDelta
from hector_nb.frontends.cli.app import app
from hector_nb.messages import ToolCall
from hector_nb.stores.base_approvals import ToolOutput
from hector_nb.stores.base_sessions import Idempotency, Window
from hector_nb.stores.base_turns import RepeatedTurn
from tests.postgres import databases

from .making import (
    AGENT,
    USER,
    WAITING,
    begin,
    exchange,
    finish,
    make_approval,
    make_message,
    make_session,
    one_off,
    wait,
)
from .making_memories import WORDS, give, make_ledger, make_summary, messages_of, partition, remembered, vector

pytestmark = pytest.mark.anyio
KEY = Idempotency(key="once", fingerprint="f")
PARTITIONS = [partition(), partition("session", session_id="private"), partition("all")]
SESSIONS = ["s", "r", "private", "waiting", "fork", "ended"]
TURNS = ["t1", "t2", "asked", "waits", "queued", "once"]


async def fill(store):
    """Something of everything."""
    await store.create_session(make_session("s", title="Tea\0 \ufdd0 🍵", metadata={"a": ["\ud800", None, 1.5]}))
    await exchange(store, "t1", "Café and cake?", "Certainly", idempotency=KEY)
    await begin(store, "t2", "more\0")
    await store.write_turn("t2", events=[TextDelta(text="half"), TextDelta(text=" an")])
    await store.write_turn("t2", skip=3, events=[ThinkingDelta(text="hm")])
    said = make_message("", "t2", "assistant", tool_calls=[ToolCall(call_id="c", name="read", arguments={"x": 1})])
    result = make_message("short", "t2", "tool", call_id="c")
    await store.write_turn("t2", messages=[said, result], outputs=[ToolOutput(call_id="c", text="long" * 1000)])
    await finish(store, "t2", "answer")
    tea, _ = await give(store, ("I like tea", vector(1, 0)), ("and cakes", vector(0, 1)), session_id="r")
    await give(store, "mine alone", session_id="private", scope="session")
    await give(store, ("everybody's", vector(0, 0, 1)), session_id="r", scope="all", embedder="other")
    await store.correct_memory(partition(), tea, text="I like coffee", tokens=3, vector=vector(0, 1), embedder=WORDS)
    past = await messages_of(store, "r")
    await store.store_summary(USER, "r", make_summary(past[1], 2), after=0)
    await begin(store, "asked", session_id="r")
    await store.write_turn("asked", ledger=make_ledger(tea, tools="[]", summary_position=2))
    await finish(store, "asked")
    await store.create_session(make_session("waiting"))
    await begin(store, "waits", session_id="waiting")
    await wait(store, "waits", "one", session_id="waiting")
    await begin(store, "queued", session_id="waiting")
    await store.write_turn("waits", approvals=[make_approval("two", "waits")], outcome=WAITING)
    await store.fork_session("r", make_session("fork"))
    await store.create_session(make_session("ended", user="bob"))
    await store.end_session("bob", "ended")
    await one_off(store, "once")


async def answers(store):
    """What a store says of all that."""
    found = [await store.list_sessions(user, query=query) for user in (USER, "bob") for query in (None, "caf", "re")]
    for session_id in SESSIONS:
        found += [await store.get_session(user, session_id) for user in (USER, "bob")]
        found += [await store.approvals(USER, session_id), await store.untaken_of(USER, session_id)]
        found.append(await store.summary_memory_of(USER, session_id))
        if session_id != "ended":
            found.append(await store.list_messages(USER, session_id, limit=1000))
            found.append(await store.read_window(USER, session_id, window=Window(summarized=True)))
    for turn_id in TURNS:
        found += [await store.read_turn(USER, turn_id), await store.get_ledger(USER, turn_id)]
    for where in PARTITIONS:
        found.append(await store.list_memories(where))
        for embedder in (WORDS, "other"):
            asked = {"vector": vector(0, 1), "embedder": embedder, "limit": 10}
            found.append(await store.recall(where, query="coffee cake alone", **asked))
    found += [await store.get_output(USER, "s", "c"), await store.unembedded(WORDS), await store.untaken([AGENT])]
    return found


async def opened(url):
    store = store_at(url)
    await store.aopen()
    return store


async def test_everything_goes_to_postgresql_and_back(tmp_path):
    here, there, back = f"sqlite:///{tmp_path}/here.db", databases.fresh(empty=True), f"sqlite:///{tmp_path}/back.db"
    store = await opened(here)
    await fill(store)
    before = await answers(store)
    await store.aclose()
    for source, target in ((here, there), (there, back)):
        move_store(source, target, replace=False, tell=lambda *_: None)
        store = await opened(target)
        assert await answers(store) == before
        await store.aclose()
    databases.drop(there)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_life_goes_on_where_everything_was_moved_to(tmp_path, kind):
    here, there = f"sqlite:///{tmp_path}/here.db", f"sqlite:///{tmp_path}/there.db"
    if kind == "postgres":
        there = databases.fresh()
    store = await opened(here)
    await fill(store)
    await store.aclose()
    move_store(here, there, replace=False, tell=lambda *_: None)
    store = await opened(there)
    assert isinstance(await begin(store, "again", "Café and cake?", idempotency=KEY), RepeatedTurn)
    assert [turn.turn_id for turn in await store.take_over("new", dead_after=10)] == ["queued"]
    await exchange(store, "t3", "new")
    await give(store, ("new memory", vector(1, 0)), session_id="r")
    assert "new memory" in await remembered(store)
    assert await store.delete_session(USER, "s")
    assert not (await store.list_sessions(USER, query="caf")).items
    await store.aclose()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_a_target_that_is_not_empty_is_left_alone_unless_told(tmp_path, kind):
    here, there = f"sqlite:///{tmp_path}/here.db", f"sqlite:///{tmp_path}/there.db"
    if kind == "postgres":
        there = databases.fresh()
    for url, text in ((here, "from here"), (there, "from there")):
        store = await opened(url)
        await give(store, (text, vector(1, 0)))
        await store.aclose()
    with pytest.raises(StoreError, match="already") as caught:
        move_store(here, there, replace=False, tell=lambda *_: None)
    assert "--replace" in caught.value.hint
    store = await opened(there)
    assert await remembered(store) == ["from there"]
    await store.aclose()
    move_store(here, there, replace=True, tell=lambda *_: None)
    store = await opened(there)
    assert await remembered(store) == ["from here"]
    assert not (await store.list_sessions(USER, query="there")).items
    assert (await store.list_sessions(USER, query="here")).items
    await store.aclose()


async def test_a_move_that_fails_changes_nothing(tmp_path, monkeypatch):
    here, there = f"sqlite:///{tmp_path}/here.db", databases.fresh()
    store = await opened(here)
    await fill(store)
    await store.aclose()

    def fail(*_):
        raise RuntimeError

    monkeypatch.setattr("hector_nb.stores.moving._index", fail)
    with pytest.raises(RuntimeError):
        move_store(here, there, replace=False, tell=lambda *_: None)
    store = await opened(there)
    assert not (await store.list_sessions(USER)).items
    await store.aclose()
    databases.drop(there)


async def test_the_command_says_what_it_moved(tmp_path):
    here, there = f"sqlite:///{tmp_path}/here.db", databases.fresh(empty=True)
    store = await opened(here)
    await fill(store)
    await store.aclose()
    done = CliRunner().invoke(app, ["migrate", here, there])
    assert done.exit_code == 0, done.output
    assert "sessions" in done.output
    assert "storage.url" in done.output
    databases.drop(there)


def test_a_store_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(StoreError, match="no database"):
        move_store(f"sqlite:///{tmp_path}/none.db", f"sqlite:///{tmp_path}/new.db", replace=False, tell=lambda *_: None)
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(StoreUnavailable):
        nowhere = f"postgresql:///x?host={tmp_path}"
        move_store(nowhere, f"sqlite:///{tmp_path}/new.db", replace=False, tell=lambda *_: None)


@pytest.mark.parametrize("address", ["here.db", "mysql://h/db", "sqlite://here.db"])
def test_what_is_no_address_is_refused(address, tmp_path):
    done = CliRunner().invoke(app, ["migrate", address, f"sqlite:///{tmp_path}/new.db"])
    assert done.exit_code != 0
    assert "address of a store" in str(done.exception)
