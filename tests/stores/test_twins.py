"""The stores are twins: whatever is asked of them, in whatever order, all give the same answers."""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hector_nb.approvals import Approval
from hector_nb.errors import HectorError
from hector_nb.events import TextDelta, ThinkingDelta
from hector_nb.messages import Message
from hector_nb.sessions import Lifetime, Session
from hector_nb.stores import holder_locks, postgres_signs
from hector_nb.stores.base_approvals import ToolOutput
from hector_nb.stores.base_sessions import Idempotency, Window
from hector_nb.stores.base_turns import NewTurn, TurnOutcome
from hector_nb.stores.in_memory import InMemoryStore
from hector_nb.stores.postgres import PostgresStore
from hector_nb.stores.sqlite import SQLiteStore
from tests.postgres import databases

from .remembering import MOMENT, agents, call, first_memories, ledgers, remembering, sessions, turns, users

holders = st.sampled_from(["a", "b"])
texts = st.text(max_size=5)
limits = st.integers(1, 4)
calls = st.sampled_from(["c", "d"])
keys = st.none() | st.builds(Idempotency, key=st.sampled_from("kl"), fingerprint=st.sampled_from("12"))


def made_session(session_id, agent, user, title, expired, listed):
    expires = MOMENT if expired else None
    return Session(
        session_id=session_id, agent=agent, user=user, title=title, metadata={title: [title]}, created_at=MOMENT,
        last_active_at=MOMENT, expires_at=expires, listed=listed,
    )  # fmt: skip


def made_message(turn_id, role, content, tokens):
    return Message(
        message_id=f"msg_{turn_id}_{role}",
        turn_id=turn_id,
        role=role,
        content=content,
        created_at=MOMENT,
        tokens=tokens,
    )


def made_turn(turn_id, agent, user, session_id, holder, if_busy, text, tokens, idempotency):
    return NewTurn(
        turn_id=turn_id, agent=agent, user=user, session_id=session_id, holder=holder, if_busy=if_busy,
        idempotency=idempotency, message=made_message(turn_id, "user", text, tokens),
    )  # fmt: skip


def made_approval(call_id, text, late):
    return Approval(
        call_id=call_id, turn_id="", session_id="", name=text, arguments={text: [text]}, created_at=MOMENT,
        deadline=MOMENT if late else MOMENT.replace(year=9999),
    )  # fmt: skip


new_sessions = st.builds(
    made_session, sessions, agents, users, texts, st.integers(0, 5).map(lambda n: n == 0), st.booleans()
)
new_turns = st.builds(
    made_turn, turns, agents, users, sessions, holders, st.sampled_from(["queue", "queue", "reject", "interrupt"]),
    texts, st.integers(0, 9), keys,
)  # fmt: skip
windows = st.builds(
    Window,
    max_messages=st.none() | st.integers(0, 5),
    max_tokens=st.none() | st.integers(0, 20),
    after=st.integers(0, 3),
    summarized=st.booleans(),
)
outcomes = st.builds(
    TurnOutcome,
    status=st.sampled_from(["complete", "cancelled", "failed", "interrupted", "waiting", "waiting", "running"]),
    finish_reason=st.none() | st.just("stop"),
    keep_events=st.sampled_from([0.0, 3600.0]),
    take_in=st.booleans(),
)
events = st.lists(st.builds(TextDelta, text=texts) | st.builds(ThinkingDelta, text=texts), max_size=4)
said = st.none() | st.builds("msg_{}_{}".format, turns, st.sampled_from(["user", "assistant"]))
skips = st.sampled_from([0, 0, 3])


def made_transcript(turn_ids, content):
    return [made_message(turn_id, role, content, 1) for turn_id in turn_ids for role in ("user", "assistant")]


transcripts = st.builds(made_transcript, st.lists(turns, max_size=3, unique=True), texts)


def write_of(turn_id):
    """A turn writes messages of its own."""
    said = st.lists(
        st.builds(made_message, st.just(turn_id), st.just("assistant"), texts, st.integers(0, 9)), max_size=2
    )
    return call(
        "write_turn", st.just(turn_id), events=events, messages=said, outcome=st.none() | outcomes, skip=skips,
        approvals=st.lists(asked, max_size=2), outputs=outputs,
    )  # fmt: skip


asked = st.builds(made_approval, calls, texts, st.booleans())
outputs = st.lists(st.builds(ToolOutput, call_id=calls, text=texts), max_size=1)
talk = st.one_of(
    call("begin_turn", new_turns, window=windows, lifetime=st.just(Lifetime())),
    turns.flatmap(write_of),
    turns.flatmap(write_of),
    call("answer", users, turns),
    call("approvals", users, sessions),
    call("decide", users, sessions, calls, st.sampled_from(["approve", "deny"]), edited=st.none() | st.just({"x": 1})),
    call("resume_turn", turns, holders, window=windows),
    call("get_output", users, sessions, calls),
    call("request_cancel", turns),
    call("read_turn", users, turns, after=st.integers(0, 5), limit=limits),
    call("join_turn", turns, holders),
    call("has_readers", turns, besides=holders, dead_after=st.sampled_from([0.0, 3600.0])),
    call("take_over", holders, dead_after=st.sampled_from([0.0, 3600.0])),
)
steps = talk | st.one_of(
    call("create_session", new_sessions, idempotency=keys),
    call("import_session", new_sessions, transcripts, take_in=st.booleans()),
    call("fork_session", sessions, new_sessions, after=said, take_in=st.booleans()),
    call("rewind_session", users, sessions, after=said),
    call("next_turn", users, sessions, after=st.none() | turns),
    call("last_turn", users, sessions),
    call("expire_sessions"),
    call("leave_turn", turns, holders),
    call("heartbeat", holders),
    call("begin_turn", new_turns, window=windows, lifetime=st.just(Lifetime(timeout=3600))),
    call("write_turn", turns, outcome=outcomes),
    call("get_session", users, sessions),
    call("list_sessions", users, limit=limits, query=st.none() | texts),
    call("list_sessions", users, agent=agents, status=st.sampled_from(["active", "ended", "expired"])),
    call("list_messages", users, sessions, limit=limits),
    call("update_session", users, sessions, title=texts),
    call("end_session", users, sessions),
    call("delete_session", users, sessions, forget=st.booleans()),
    call("read_window", users, sessions, window=windows),
    call("unfinished_turns", users, sessions),
    call("cancel_requests", holders),
    call("goodbye", holders),
    call("sweep"),
)


def plain(answer):
    """The answer without the moments at which it was given."""
    match answer:
        case datetime():
            return answer if answer == MOMENT else "some time"
        case Sequence() if not isinstance(answer, str):
            return [plain(each) for each in answer]
        case HectorError():
            return type(answer), answer.message, plain(answer.details)
        case _ if is_dataclass(answer):
            values = {field.name: plain(getattr(answer, field.name)) for field in fields(answer)}
            if "next_cursor" in values:
                values["next_cursor"] = values["next_cursor"] is not None
            return type(answer), values
        case _:
            return answer


async def answer(store, method, arguments, named):
    try:
        return plain(await getattr(store, method)(*arguments, **named))
    except HectorError as error:
        return plain(error)


async def compare(path, calls):
    await compared([InMemoryStore(), SQLiteStore(path)], calls)


async def compare_databases(path, calls):
    with databases.clean() as url:
        await compared([SQLiteStore(path), PostgresStore(url)], calls)


async def compared(twins, calls):
    for store in twins:
        await store.aopen()
        for user in ("ann", "bob"):
            await store.create_session(made_session("s", "assistant", user, "Title", False, True))
    try:
        for method, arguments, named in calls:
            one, other = [await answer(store, method, arguments, named) for store in twins]
            assert one == other, method
    finally:
        for store in twins:
            await store.aclose()


@pytest.fixture(scope="module")
def without_locks():
    """Holders are told dead by their heartbeats alone, as where the system has no locks, and no server was away."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(holder_locks, "fcntl", None)
        patch.setattr(postgres_signs, "STEADY_SECONDS", 0.0)
        yield


def remembered_turn(turn_id, ledger):
    """Two calls: a turn, with what its model saw, that is to be remembered."""
    turn = made_turn(turn_id, "assistant", "ann", "s", "a", "queue", "tea", 1, None)
    said = [made_message(turn_id, "assistant", "cake", 1)]
    outcome = TurnOutcome(status="complete", take_in=True)
    return [
        ("begin_turn", (turn,), {"window": Window(), "lifetime": Lifetime()}),
        ("write_turn", (turn_id,), {"messages": said, "outcome": outcome, "ledger": ledger}),
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ledgers, ledgers, st.lists(remembering, min_size=5, max_size=15), st.lists(remembering | steps, max_size=30))
def test_both_stores_remember_the_same(without_locks, one, other, first, then):
    past = [*remembered_turn("t0", one), *remembered_turn("t1", other), *first_memories()]
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(compare(Path(folder) / "hector.db", [*past, *first, *then]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(talk, min_size=5, max_size=15), st.lists(steps, max_size=45))
def test_both_stores_give_the_same_answers(without_locks, first, then):
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(compare(Path(folder) / "hector.db", [*first, *then]))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ledgers, ledgers, st.lists(remembering, min_size=5, max_size=15), st.lists(remembering | steps, max_size=30))
def test_both_databases_remember_the_same(without_locks, one, other, first, then):
    past = [*remembered_turn("t0", one), *remembered_turn("t1", other), *first_memories()]
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(compare_databases(Path(folder) / "hector.db", [*past, *first, *then]))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(talk, min_size=5, max_size=15), st.lists(steps, max_size=45))
def test_both_databases_give_the_same_answers(without_locks, first, then):
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(compare_databases(Path(folder) / "hector.db", [*first, *then]))
