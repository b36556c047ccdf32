"""The parts of the remote client that need no server: addresses, events cut anywhere, and the way there and back of every value."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from hector_nb.approvals import Approval
from hector_nb.client.address import Address, is_address
from hector_nb.client.connection import path_of, proxy_for
from hector_nb.client.sse import Block, BlockSplitter
from hector_nb.client.streams import logged_event
from hector_nb.errors import ConfigError, InvalidRequest, error_classes
from hector_nb.events import LoggedEvent, TextDelta, TurnDone, TurnFailed, TurnReset
from hector_nb.memories import Ledger, LedgerPart, RecalledMemory, SessionMemory
from hector_nb.messages import Message, ToolCall, Usage
from hector_nb.service import AgentInfo, ToolInfo
from hector_nb.sessions import Page, Session, Turn
from hector_nb.wire import codec, decoding, memory_codec
from hector_nb.wire.frames import sse_blocks
from hector_nb.wire.log_framer import LogFramer
from hector_nb.wire.status import decode_error, encode_error
from tests.values import make_memory

NOW = datetime(2026, 11, 22, 19, 15, 22, 250000, UTC)
SESSION = Session(session_id="sess_1", agent="a", user="ada", metadata={"k": [1]}, created_at=NOW, last_active_at=NOW)
MEMORY = make_memory(
    agent="a", scope="all", message_ids=("msg_1", "msg_2"), created_at=NOW, corrected_at=NOW, version=2
)
LEDGER = Ledger(
    session_id="sess_1",
    turn_id="turn_1",
    agent="a",
    model="m",
    strategy="summary_buffer",
    budget=100,
    budget_note="cut",
    estimated=True,
    parts=(
        LedgerPart(kind="system", tokens=1, text="Be kind."),
        LedgerPart(kind="message", tokens=2, text=None, role="user", source="msg_1", created_at=NOW, drops_next=True),
        LedgerPart(kind="memory", tokens=3, text="Tea.", source="mem_1", session_id="sess_0", score=0.5, keyword=0.25),
    ),
    left_out=3,
    requests=2,
)


@pytest.mark.parametrize(
    ("url", "base", "token"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", None),
        ("HTTPS://hub.example/user/ada/", "https://hub.example/user/ada", None),
        ("http://127.0.0.1:8080/agents?token=a%2Fb", "http://127.0.0.1:8080", "a/b"),
        ("http://[::1]:8080/agents/", "http://[::1]:8080", None),
    ],
)
def test_an_address_is_taken_as_people_and_servers_write_it(url: str, base: str, token: str | None) -> None:
    assert is_address(url)
    assert (Address.parse(url).base, Address.parse(url).token) == (base, token)


@pytest.mark.parametrize("text", ["", "nonsense", "127.0.0.1:8080", "ftp://x", "http://", "http://x:port", "http://["])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        Address.parse(text)


def test_a_token_that_is_given_goes_before_the_addresss_own_and_is_never_shown() -> None:
    address = Address.parse("http://x/?token=theirs", "mine")
    assert address.token == "mine"
    assert "mine" not in repr(address)


@pytest.mark.parametrize("token", ["a\nb", "a b", "schlüssel"])
def test_a_token_that_no_header_can_hold_is_refused(token: str) -> None:
    with pytest.raises(InvalidRequest):
        Address.parse("http://x", token)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "localhost", "lab.localhost", "[::1]"])
def test_this_machine_needs_no_proxy(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    assert proxy_for(URL(f"http://{host}:8080")) is None
    assert proxy_for(URL("http://hector.example")) == "http://proxy.example:3128"


def test_whatever_is_in_a_name_stays_one_segment_of_the_path() -> None:
    assert path_of("agents", "a/b?c", "..", "é") == "/agents/a%2Fb%3Fc/../%C3%A9"


TEXTS = st.lists(st.text(max_size=8), max_size=6)


@given(texts=TEXTS, sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_events_arrive_whole_and_once_wherever_their_bytes_are_cut(texts: list[str], sizes: list[int]) -> None:
    events = [LoggedEvent(seq, TextDelta(text=text)) for seq, text in enumerate(texts, start=1)]
    events.append(
        LoggedEvent(
            len(events) + 1, TurnDone(turn_id="turn_1", message_id="msg_1", finish_reason="stop", usage=Usage())
        )
    )
    raw = b"retry: 2000\nid: turn_1:0\n\n: ping\n\n" + sse_blocks("turn_1", LogFramer().feed(events))
    splitter, found, at = BlockSplitter(), [], 0
    while at < len(raw):
        size = sizes[at % len(sizes)]
        found += splitter.feed(raw[at : at + size])
        at += size
    assert [logged for block in found if (logged := logged_event(block))] == events


def test_a_log_goes_on_after_an_event_and_tells_of_resets() -> None:
    reset = LoggedEvent(2, TurnReset(turn_id="turn_1", text="all"))
    failed = LoggedEvent(3, TurnFailed(code="interrupted", message="It died.", hint="Again.", retryable=True))
    framer = LogFramer(seq=7)
    assert framer.feed([LoggedEvent(7, TextDelta(text="known"))]) == []
    blocks = BlockSplitter().feed(sse_blocks("turn_1", framer.feed([reset, failed])))
    assert [logged_event(block) for block in blocks] == [reset, failed]
    assert framer.finished


def test_an_event_of_a_later_version_is_passed_over() -> None:
    assert logged_event(Block(id="turn_1:4", name="dream", data='{"type": "dream"}')) is None


def test_values_come_back_as_they_were() -> None:
    message = Message(
        message_id="msg_1",
        turn_id="turn_1",
        role="assistant",
        content="Hi",
        created_at=NOW,
        status="cancelled",
        tokens=3,
        thinking="Hm",
        tool_calls=(ToolCall(call_id="c", name="t", arguments={"a": 1}),),
    )
    turn = Turn(
        turn_id="turn_1",
        session_id="sess_1",
        agent="a",
        user="ada",
        status="complete",
        message_id="msg_1",
        finish_reason="stop",
        usage=Usage(prompt_tokens=1, completion_tokens=2, estimated=True),
        created_at=NOW,
        finished_at=NOW,
    )
    approval = Approval(
        call_id="c", turn_id="t", session_id="s", name="n", arguments={}, created_at=NOW, deadline=NOW, edited={"a": 1}
    )
    agent = AgentInfo(name="a", description="d", model="m", provider="p", host="h", tools=("t",), memory={"working": 1})
    tool = ToolInfo(name="t", description="d", parameters={"type": "object"}, require_approval="rules")
    assert decoding.decode_session(codec.encode_session(SESSION)) == SESSION
    assert decoding.decode_session(codec.encode_session(replace(SESSION, listed=False))).listed is False
    for each in (message, replace(message, estimated=False, role="tool", call_id="c", is_error=True, tool_calls=())):
        assert decoding.decode_message(codec.encode_message(each)) == each
    assert decoding.decode_turn(codec.encode_turn(turn), user="ada") == turn
    assert decoding.decode_approval(codec.encode_approval(approval)) == approval
    assert decoding.decode_agent(codec.encode_agent(agent)) == agent
    assert decoding.decode_tool(codec.encode_tool(tool)) == tool
    page = codec.encode_page(Page(items=(SESSION,), next_cursor="x"), "sessions", codec.encode_session)
    assert decoding.decode_page(page, "sessions", decoding.decode_session) == Page(items=(SESSION,), next_cursor="x")


def test_memories_and_ledgers_come_back_as_they_were() -> None:
    recalled = RecalledMemory(memory=MEMORY, score=0.5, keyword=None, vector=0.75)
    assert decoding.decode_memory(memory_codec.encode_memory(MEMORY), agent="a") == MEMORY
    assert decoding.decode_recalled(memory_codec.encode_recalled(recalled), agent="a") == recalled
    assert decoding.decode_ledger(memory_codec.encode_ledger(LEDGER)) == LEDGER
    for memory in (
        SessionMemory(ledger=LEDGER, scope=None),
        SessionMemory(ledger=LEDGER, scope="all", memories=(MEMORY,), next_cursor="x", pending=4),
    ):
        assert decoding.decode_session_memory(memory_codec.encode_session_memory(memory)) == memory


@pytest.mark.parametrize("code", sorted(error_classes()))
def test_every_error_comes_back_as_the_class_that_it_was(code: str) -> None:
    cls = error_classes()[code]
    error = (
        cls("No.", hint="Do.") if cls is not ConfigError else ConfigError(problems=["one", "two"], hint="Do.")  # type: ignore[call-arg]
    )
    if cls is not ConfigError:
        error.details = {"k": 1}
    again = decode_error(encode_error(error)["error"])
    assert type(again) is cls
    assert again is not None
    assert (again.message, again.hint, again.details) == (error.message, error.hint, error.details)


@pytest.mark.parametrize("error", [None, "no", {}, {"message": 3}])
def test_what_is_no_error_of_ours_is_none(error: object) -> None:
    assert decode_error(error) is None
