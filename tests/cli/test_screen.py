"""What stands on a terminal after an answer was drawn live, and what goes into a pipe."""

import asyncio
import io
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from hector_nb.events import NestedDelta, ToolCalled, ToolReturned
from hector_nb.frontends.cli import live_screen as live_screen_module
from hector_nb.frontends.cli.console import THEME
from hector_nb.frontends.cli.live_screen import LiveScreen
from hector_nb.frontends.cli.screen import StreamScreen
from hector_nb.messages import INVALID_ARGUMENTS
from tests.cli.terminal import Terminal
from tests.cli.test_flow import ANSWER, draw

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def standing_clock(monkeypatch):
    """Seconds are shown as well; however long a drawing takes here, none passes."""
    monkeypatch.setattr(live_screen_module, "time", SimpleNamespace(monotonic=lambda: 1000.0))


def live_screen(*, height=24, width=60, no_color=False):
    terminal = Terminal(height=height)
    console = Console(
        file=terminal,
        width=width,
        height=height,
        theme=THEME,
        force_terminal=True,
        no_color=no_color,
        highlight=False,
        markup=False,
        emoji=False,
        _environ={},
    )
    return terminal, LiveScreen(console, waiting_for="some model")


async def show(pieces, *, height):
    terminal, screen = live_screen(height=height)
    async with screen:
        for piece in pieces:
            screen.text(piece)
            screen.draw()
    return terminal.text()


@pytest.mark.parametrize("height", [4, 10, 60])
async def test_a_finished_answer_stands_once_and_whole_in_the_scrollback(height):
    pieces = [ANSWER[i : i + 5] for i in range(0, len(ANSWER), 5)]
    assert await show(pieces, height=height) == draw(pieces).rstrip("\n")


async def test_an_answer_longer_than_the_terminal_is_not_lost():
    pieces = [f"{number}. item\n" for number in range(1, 300)]
    assert (await show(pieces, height=12)).split() == " ".join(pieces).split()
    paragraph = [f"word{number} " for number in range(500)]
    assert (await show(paragraph, height=12)).split() == "".join(paragraph).split()


@given(
    st.lists(
        st.sampled_from(["text ", "\n", "\n\n", "- a\n", "```\n", "| a |\n|---|\n", "# h\n", "漢字 "]), max_size=20
    )
)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_answer_stands_once_in_the_scrollback(pieces):
    assert asyncio.run(show(pieces, height=6)) == draw(pieces).rstrip("\n")


async def test_waiting_is_shown_and_goes_away():
    terminal, screen = live_screen()
    async with screen:
        screen.draw()
        assert terminal.text() == "Waiting for some model"
        screen.stopping()
        screen.draw()
        assert terminal.text() == "Stopping…"
    assert terminal.text() == ""


async def test_notes_and_reasoning_stand_on_lines_of_their_own():
    terminal, screen = live_screen()
    async with screen:
        screen.thinking("Let me ")
        screen.thinking("see.")
        screen.text("The answer ")
        screen.note('[Tool: write_file("a")]')
        screen.text("is **42**.")
    assert terminal.text() == 'Let me see.\n\nThe answer\n[Tool: write_file("a")]\nis 42.'


def call(name, call_id="call_1", **arguments):
    return ToolCalled(call_id=call_id, name=name, arguments=arguments)


def result(name, output, call_id="call_1", *, is_error=False):
    return ToolReturned(call_id=call_id, name=name, output=output, is_error=is_error)


async def test_tools_are_rows_apart_from_what_is_said():
    terminal, screen = live_screen()
    async with screen:
        screen.text("Let me look.")
        screen.called(call("search", query="sales"))
        screen.draw()
        assert "◌ Searching for" in terminal.text()
        screen.returned(result("search", "a.md:3\n3 sales\n\nb.md:9\n9 sales\n\n[Left out: 1 files]"))
        screen.called(call("lookup", "call_2", city="Rome", days=2))
        screen.returned(result("lookup", "Rome is not known.", "call_2", is_error=True))
        screen.called(call("execute_command", "call_3", command="make"))
        screen.returned(
            result("execute_command", "\n".join(map(str, range(40))) + "\n[exit code 2]", "call_3", is_error=True)
        )
        screen.text("Done.")
    lines = terminal.text().split("\n")
    assert lines[:5] == [
        "Let me look.",
        "",
        '✓ Searched for "sales"  2 places · 0.0 s',
        '✗ Could not use lookup city="Ro…  Rome is not known. · 0.0 s',
        "✗ Ran make  exit code 2 · 0.0 s",
    ]
    assert lines[5:7] == ["  … 29 lines before", "  29"]
    assert lines[-3:] == ["  [exit code 2]", "", "Done."]


async def test_what_was_refused_is_not_said_to_have_been_done():
    terminal, screen = live_screen()
    async with screen:
        screen.called(call("execute_command", command="ls; rm x"))
        screen.returned(result("execute_command", "There is no program ls;.", is_error=True))
        screen.called(call("search", "call_2", **{INVALID_ARGUMENTS: '{"query": '}))
        screen.returned(result("search", "No JSON.", "call_2", is_error=True))
    assert terminal.text().split("\n") == [
        "✗ Could not run ls; rm x  There is no program ls;. · 0.0 s",
        '✗ Could not search for {"query":  No JSON. · 0.0 s',
    ]


@pytest.mark.parametrize("name", ["execute_command", "write_file", "some_tool"])
async def test_a_row_fits_its_line_and_is_safe(name):
    terminal, screen = live_screen(width=40, no_color=True)
    hostile = "a\nb \x1b[2J\u202e" + "漢字" * 50
    async with screen:
        screen.called(call(name, command=hostile, path=hostile))
        screen.draw()
        screen.returned(result(name, hostile))
    row = terminal.text().split("\n")[0]
    assert cell_len(row) <= 40
    assert row.endswith(" s")
    assert not {"\x1b", "\u202e"} & set(terminal.text())
    assert "\x1b[2J" not in terminal.written


async def test_the_answer_of_a_called_agent_stands_beside_a_rule_under_its_name():
    terminal, screen = live_screen(width=20)
    async with screen:
        screen.called(call("agent_call", agent="researcher", message="find"))
        for piece in ("The first line is lo", "ng.\nThe second"):
            screen.nested(NestedDelta(call_id="call_1", agent="researcher", session_id="s", turn_id="t", text=piece))
            screen.draw()
        screen.returned(result("agent_call", "The first line is long.\nThe second"))
        screen.text("So.")
    assert terminal.text().split("\n") == [
        "  researcher",
        "  │ The first line",
        "  │ is long.",
        "  │ The second",
        "✓ Asked rese…  0.0 s",
        "",
        "So.",
    ]


async def test_a_paused_screen_draws_nothing_and_goes_on_afterwards():
    terminal, screen = live_screen()
    async with screen:
        screen.text("Before.")
        with screen.paused():
            shown = terminal.text()
            assert shown == "Before."
            await asyncio.sleep(0.2)
            assert terminal.text() == shown
            terminal.write("A question?\n")
        screen.text("After.")
    assert terminal.text() == "Before.\nA question?\n\nAfter."


async def test_hostile_text_cannot_control_the_terminal_even_in_pieces():
    terminal, screen = live_screen(no_color=True)
    async with screen:
        for piece in ["safe \x1b", "[2J\x1b]0;ow", "ned\x07 text \u202e", "&#27;[31m ![x](http://a\u001b.example)"]:
            screen.text(piece)
            screen.draw()
    assert "safe" in terminal.text()
    assert not {"\u202e", "\x1b", "\x07"} & set("".join(terminal.rows))
    assert "owned" not in terminal.text()
    assert "\x1b[2J" not in terminal.written
    assert "\x1b[31m" not in terminal.written


class Pipe(io.StringIO):
    def __init__(self):
        super().__init__()
        self.flushed = []

    def flush(self):
        self.flushed.append(self.getvalue())


async def test_a_pipe_gets_exactly_the_answer_and_a_newline_piece_by_piece():
    out, notes = Pipe(), Pipe()
    async with StreamScreen(out, notes) as screen:
        screen.note("[Message: 1]")
        screen.thinking("hm")
        screen.text("**a**\x1b[31m")
        screen.text("\ud800 b")
        screen.note("[Response: 2 tokens, stop]")
    assert out.flushed == ["**a**\x1b[31m", "**a**\x1b[31m\ufffd b", "**a**\x1b[31m\ufffd b\n"]
    assert notes.getvalue() == "[Message: 1]\nhm[Response: 2 tokens, stop]\n"


async def test_a_terminal_without_cursor_control_gets_safe_text():
    terminal = Terminal()
    async with StreamScreen(terminal, terminal) as screen:
        screen.text("**a**\x1b[3")
        screen.text("1m b")
        screen.note("[Response: 2 tokens, stop]")
    assert terminal.text() == "**a** b\n[Response: 2 tokens, stop]"
