"""The protobuf service: what the page promises, and generated modules that are those of the .proto."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from hector_nb.messages import Message, ToolCall
from hector_nb.sessions import Page, Session
from hector_nb.wire import hector_pb2 as pb
from hector_nb.wire.proto import messages_message, session_message
from tests.wire.compile_proto import GENERATED, ROOT, compile_into

NOW = datetime(2026, 11, 22, 19, 15, 22, 250000, tzinfo=UTC)
PAGE = {
    "CreateSession": ("CreateSessionRequest", "Session", False),
    "SendMessage": ("SendMessageRequest", "MessageResponse", False),
    "StreamMessage": ("SendMessageRequest", "MessageChunk", True),
    "ListSessions": ("ListSessionsRequest", "ListSessionsResponse", False),
    "DeleteSession": ("DeleteSessionRequest", "DeleteSessionResponse", False),
}


def test_the_generated_modules_are_those_of_the_proto(tmp_path: Path) -> None:
    compile_into(tmp_path)
    for name in GENERATED:
        assert (tmp_path / name).read_text() == (ROOT / name).read_text(), "python -m tests.wire.compile_proto"


def test_the_pages_methods_have_the_pages_messages() -> None:
    service = pb.DESCRIPTOR.services_by_name["A2AService"]
    assert service.full_name == "hector.v1.A2AService"
    found = {
        method.name: (method.input_type.name, method.output_type.name, method.server_streaming)
        for method in service.methods
    }
    assert {name: found[name] for name in PAGE} == PAGE
    assert set(found) > {*PAGE, "GetSession", "EndSession", "ListMessages", "CancelTurn", "ResumeTurn"}
    assert {"agent", "message", "session_id"} <= set(pb.SendMessageRequest.DESCRIPTOR.fields_by_name)
    assert "content" in pb.MessageChunk.DESCRIPTOR.fields_by_name


def test_what_utf8_cannot_hold_is_replaced() -> None:
    session = Session(
        session_id="s", agent="a", user="u", title="\ud800é", metadata={"\udfff": 2**70}, created_at=NOW, last_active_at=NOW
    )  # fmt: skip
    message = session_message(session)
    assert (message.title, message.metadata) == ("\ufffdé", f'{{"\ufffd": {2**70}}}')
    assert message.created_at.ToJsonString() == "2026-11-22T19:15:22.250Z"
    assert not message.HasField("expires_at")


def test_a_messages_parts_are_all_there() -> None:
    call = ToolCall(call_id="call_1", name="write_file", arguments={"path": "日本.py", "n": 1})
    said = Message(
        message_id="m", turn_id="t", role="assistant", content="c", created_at=NOW, tool_calls=(call,), thinking="hm", tokens=7
    )  # fmt: skip
    told = Message(
        message_id="n", turn_id="t", role="tool", content="d", created_at=NOW, call_id="call_1", is_error=True, status="failed"
    )  # fmt: skip
    page = messages_message(Page(items=[said, told], next_cursor="next"))
    assert page.next_cursor == "next"
    assert page.messages[0].tool_calls[0].arguments == '{"path": "日本.py", "n": 1}'
    assert (page.messages[0].thinking, page.messages[0].tokens) == ("hm", 7)
    assert (page.messages[1].call_id, page.messages[1].is_error, page.messages[1].status) == ("call_1", True, "failed")


def test_nobody_imports_grpc_who_does_not_serve_it() -> None:
    program = (
        "import sys, hector_nb, hector_nb.serve, hector_nb.extension, hector_nb.transports.standalone\n"
        "import hector_nb.frontends.cli.serve\n"
        "assert not {'grpc', 'google.protobuf'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
