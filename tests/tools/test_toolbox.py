"""Whatever a model or a tool does wrong is told to the model; nothing of it is an exception."""

import asyncio
import logging
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from hector_nb.errors import ToolUnavailable
from hector_nb.messages import INVALID_ARGUMENTS, Message
from hector_nb.tools.base import ToolError
from hector_nb.tools.toolbox import CheckedCall, ToolOutcome
from tests.tools.calling import FakeTool, box, call, context, outcome

pytestmark = pytest.mark.anyio


async def refusal(toolbox, wanted) -> str:
    refused = await toolbox.check(wanted)
    assert isinstance(refused, ToolOutcome)
    assert refused.is_error
    return refused.text


async def checked(toolbox, wanted) -> CheckedCall:
    found = await toolbox.check(wanted)
    assert isinstance(found, CheckedCall), found
    return found


async def test_a_call_runs_and_its_output_is_told():
    done = await outcome(box(FakeTool("4 files")), call("fake", place="here"))
    assert done == ToolOutcome(text="4 files")


async def test_an_unknown_tool_is_answered_with_the_nearest_name():
    assert await refusal(box(FakeTool()), call("fkae")) == "There is no tool 'fkae'; did you mean 'fake'?"


async def test_an_unknown_tool_like_no_other_is_answered_with_all_names():
    text = await refusal(box(FakeTool(), FakeTool(name="other")), call("zzz"))
    assert text == "There is no tool 'zzz'; known tools: fake, other"


async def test_an_endless_name_is_cut_and_cleaned():
    text = await refusal(box(FakeTool()), call("\x1b[31m" + "x" * 100_000))
    assert len(text) < 500
    assert "\x1b" not in text


async def test_a_box_without_tools_has_no_schemas_and_knows_no_tool():
    assert list(await box().schemas()) == []
    assert await refusal(box(), call("fake")) == "There is no tool 'fake'"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({}, "'place' is a required property"),
        ({"place": 5}, "place: 5 is not of type 'string'"),
        ({"place": "x", "count": "2"}, "count: '2' is not of type 'integer'"),
        ({"place": "x", "more": 1}, "'more' was unexpected"),
        ({INVALID_ARGUMENTS: '{"place": '}, """must be one JSON object, not '{"place": '"""),
        ({INVALID_ARGUMENTS: "[" * 10_000}, "must be one JSON object"),
        ({"place": ["x" * 100_000]}, "is not of type 'string'"),
    ],
    ids=["missing", "wrong type", "text for a number", "unknown", "no JSON", "endless JSON", "endless value"],
)
async def test_arguments_that_do_not_fit_are_explained_to_the_model(arguments, complaint):
    text = await refusal(box(FakeTool()), call("fake", **arguments))
    assert complaint in text or (complaint == "is not of type 'string'" and "…" in text)
    assert "fake" in text
    assert len(text) < 1000


async def test_arguments_come_in_the_order_of_the_schema_and_nothing_is_filled_in():
    toolbox = box(FakeTool())
    assert list((await checked(toolbox, call("fake", count=2, place="x"))).call.arguments) == ["place", "count"]
    assert dict((await checked(toolbox, call("fake", place="x"))).call.arguments) == {"place": "x"}


async def test_a_broken_schema_is_the_tools_fault_and_says_so(caplog):
    tool = FakeTool(schema={"type": "object", "properties": {"place": {"type": "nonsense"}}})
    text = await refusal(box(tool), call("fake", place="x"))
    assert text == "The arguments of fake cannot be checked: its schema is broken. Do without this tool."
    assert "broken" in caplog.text


async def test_a_reference_in_a_schema_is_never_fetched(caplog):
    tool = FakeTool(schema={"properties": {"place": {"$ref": "http://127.0.0.1:9/schema.json"}}})
    assert "its schema is broken" in await refusal(box(tool), call("fake", place="x"))
    assert "Unresolvable" in caplog.text


async def test_two_tools_of_one_name_are_an_error_that_names_it():
    with pytest.raises(ToolUnavailable, match="Two tools of this agent are called 'fake'"):
        await box(FakeTool(), FakeTool()).schemas()


class BrokenSource:
    def __init__(self) -> None:
        self.closed = 0

    async def tools(self):
        raise ToolUnavailable("The server does not start.")

    async def aclose(self):
        self.closed += 1
        raise OSError("gone")


async def test_a_source_that_fails_before_the_turn_fails_the_turn_and_later_is_told_to_the_model():
    toolbox = box()
    toolbox._sources = [BrokenSource()]
    with pytest.raises(ToolUnavailable):
        await toolbox.schemas()
    assert await refusal(toolbox, call("fake")) == "The tool 'fake' cannot be used now: The server does not start."


async def test_closing_closes_every_source_even_where_one_fails(caplog):
    toolbox = box()
    toolbox._sources = sources = [BrokenSource(), BrokenSource()]
    await toolbox.aclose()
    assert [source.closed for source in sources] == [1, 1]
    assert "could not be closed" in caplog.text


@pytest.mark.parametrize(
    ("of_tool", "of_agent", "permitted", "asked"),
    [
        ("always", None, True, True),
        ("never", None, False, False),
        ("rules", None, True, False),
        ("rules", None, False, True),
        ("always", "never", False, False),
        ("never", "always", True, True),
        ("never", "rules", False, True),
        ("always", "rules", True, False),
    ],
)
async def test_a_person_is_asked_as_the_agent_says_or_else_the_tool(of_tool, of_agent, permitted, asked):
    toolbox = box(FakeTool(require_approval=of_tool, permitted=permitted), require_approval=of_agent)
    assert toolbox.needs_approval(await checked(toolbox, call("fake", place="x"))) is asked


async def test_a_call_that_the_tools_rules_forbid_is_refused_before_anybody_is_asked():
    class Strict(FakeTool):
        def permits(self, arguments):
            raise ToolError("Not there.")

    assert await refusal(box(Strict(require_approval="always")), call("fake", place="x")) == "Not there."


async def test_rules_that_fail_leave_the_word_to_a_person(caplog):
    class Broken(FakeTool):
        def permits(self, arguments):
            raise KeyError("oh")

    toolbox = box(Broken(require_approval="rules"))
    assert toolbox.needs_approval(await checked(toolbox, call("fake", place="x")))
    assert "rules" in caplog.text


async def raising(error):
    async def work(arguments):
        raise error

    return await outcome(box(FakeTool(work)), call("fake", place="x"))


async def test_a_tools_own_error_is_told_as_it_is():
    assert await raising(ToolError("No such place.")) == ToolOutcome(text="No such place.", is_error=True)


@pytest.mark.parametrize(
    "error", [ValueError("odd"), SystemExit("odd"), TimeoutError("odd"), ExceptionGroup("odd", [ValueError()])]
)
async def test_any_other_exception_is_told_with_its_type_and_logged(error, caplog):
    with caplog.at_level(logging.ERROR):
        done = await raising(error)
    assert done.is_error
    assert done.text.startswith(f"{type(error).__name__}: odd")
    assert "Traceback" not in done.text
    assert "Traceback" in caplog.text


async def test_a_tool_that_cancels_itself_does_not_cancel_the_turn():
    done = await raising(asyncio.CancelledError())
    assert done == ToolOutcome(text="The tool was cancelled from inside.", is_error=True)


async def test_a_tool_that_takes_too_long_is_stopped():
    stopped = asyncio.Event()

    async def work(arguments):
        try:
            return await asyncio.get_running_loop().create_future()
        finally:
            stopped.set()

    done = await outcome(box(FakeTool(work, timeout=0.01)), call("fake", place="x"))
    assert done == ToolOutcome(text="The tool took longer than 0.01 s and was stopped.", is_error=True)
    assert stopped.is_set()


async def test_cancelling_a_run_cancels_the_tool():
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def work(arguments):
        begun.set()
        try:
            return await asyncio.get_running_loop().create_future()
        finally:
            stopped.set()

    toolbox = box(FakeTool(work))
    async with asyncio.timeout(30):
        task = asyncio.create_task(outcome(toolbox, call("fake", place="x")))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert stopped.is_set()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("\x1b[31mred\x1b[0m\r\nnext", "red\nnext"),
        ("\x1b]0;title\x07text \x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "text link"),
        ("50%\r100%", "50%\n100%"),
        ("a\x00b\x07c\td\x9b", "abc\td"),
        ("half \ud83d", "half \ufffd"),
        ("grüße 🦉", "grüße 🦉"),
        ("\x1b]never ended", ""),
    ],
)
async def test_output_is_cleaned_of_what_only_terminals_understand(said, told):
    assert (await outcome(box(FakeTool(said)), call("fake", place="x"))).text == told


async def test_an_output_that_is_no_text_is_an_error_of_the_tool(caplog):
    async def work(arguments):
        return None

    assert (await outcome(box(FakeTool(work)), call("fake", place="x"))).is_error


async def test_a_long_output_keeps_head_and_tail_and_says_what_is_missing():
    said = "".join(f"{number}\n" for number in range(10_000))
    done = await outcome(box(FakeTool(said, max_output=300)), call("fake", place="x"))
    assert done.text.startswith("0\n1\n2\n")
    assert done.text.endswith("9998\n9999\n")
    assert f"[… {len(said) - 300:,} of {len(said):,} characters left out …]" in done.text
    assert len(done.text) < 400
    assert done.full == said


async def test_a_long_error_is_cut_too():
    async def work(arguments):
        raise ToolError("x" * 1000)

    done = await outcome(box(FakeTool(work, max_output=300)), call("fake", place="x"))
    assert done.is_error
    assert len(done.text) < 400
    assert done.full == "x" * 1000


async def test_the_agents_room_bounds_every_tool():
    done = await outcome(box(FakeTool("x" * 1000), max_output=100), call("fake", place="x"))
    assert done.text.count("x") == 100


async def test_an_endless_output_is_not_kept_whole():
    done = await outcome(box(FakeTool("x" * 3_000_000)), call("fake", place="x"))
    assert done.full is not None
    assert 2_000_000 < len(done.full) < 2_000_100


def test_the_validator_is_loaded_when_it_is_first_needed():
    program = "import sys, hector_nb.tools.toolbox; print('jsonschema' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\n"


class Kept:
    """What was kept of session `sess_1` of ada's."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str, str], str] = {}

    async def get(self, user: str, session_id: str, call_id: str) -> str | None:
        return self.kept.get((user, session_id, call_id))


async def cut_one(said: str, **settings):
    """A box in which an output was cut, with the message that the model sees of it."""
    kept = Kept()
    toolbox = box(FakeTool(said, max_output=300), outputs=kept.get, **settings)
    done = await outcome(toolbox, call("fake", place="x"))
    kept.kept["ada", "sess_1", "call_1"] = done.full or ""
    message = Message(
        message_id="msg_1", turn_id="turn_1", role="tool", content=done.text, created_at=datetime.now(UTC)
    )
    return toolbox, done, message


async def test_read_output_is_offered_only_when_a_message_was_cut():
    toolbox, done, message = await cut_one("x" * 1000)
    assert 'read_output(call_id="call_1", offset=200) gives them' in done.text
    assert [schema.name for schema in await toolbox.schemas()] == ["fake"]
    assert [schema.name for schema in await toolbox.schemas([message])] == ["fake", "read_output"]


async def test_read_output_gives_all_of_it_page_by_page_and_is_never_cut_itself():
    said = "".join(f"line {number}\n" for number in range(200))
    toolbox, _, _ = await cut_one(said, require_approval="always")
    read, offset = "", 0
    while offset < len(said):
        wanted = await checked(toolbox, call("read_output", call_id="call_1", offset=offset))
        assert not toolbox.needs_approval(wanted)
        done = await toolbox.run(wanted, context("call_2"))
        assert done.full is None
        page, _, note = done.text.rpartition("\n[characters ")
        read, offset = read + page, offset + len(page)
        assert ("this is the end" in note) == (offset == len(said))
    assert read == said


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"call_id": "call_9"}, "No output of a call with this id was cut."),
        ({"call_id": "call_1", "offset": 5000}, "The output has only 1,000 characters."),
        ({"call_id": "call_1", "offset": -1}, "offset: -1 is less than the minimum of 0"),
    ],
)
async def test_read_output_says_what_cannot_be_read(arguments, told):
    toolbox, _, _ = await cut_one("x" * 1000)
    done = await outcome(toolbox, call("read_output", **arguments))
    assert done.is_error
    assert told in done.text


async def test_people_are_told_of_the_tools_and_of_who_is_asked():
    toolbox = box(FakeTool(), FakeTool(name="other", require_approval="always"))
    told = [(each.name, each.require_approval) for each in await toolbox.infos()]
    assert told == [("fake", "never"), ("other", "always")]
    strict = box(FakeTool(), require_approval="always")
    assert [each.require_approval for each in await strict.infos()] == ["always"]
