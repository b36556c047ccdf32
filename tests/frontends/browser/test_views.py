"""A chat that is looked at twice, again, or while its kernel does something else, in JupyterLab."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.frontends.browser.chats import Chat, Notebook
from tests.frontends.browser.conductor import PATIENCE, Conductor
from tests.frontends.lab import Lab

pytestmark = pytest.mark.browser

HOLD = "from pathlib import Path\nimport time\nprint('held', flush=True)\nwhile not Path({gate!r}).exists():\n    time.sleep(0.01)"


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Path]:
    """A file that a cell waits for."""
    path = tmp_path / "open"
    yield path
    path.touch()


def test_a_reload_in_the_midst_of_an_answer_loses_and_doubles_nothing(
    context: BrowserContext, server: Lab, conductor: Conductor
) -> None:
    notebook = Notebook(context, server, "reload.ipynb")
    chat, answer = notebook.chat("analyst"), conductor.next()
    chat.send("Go")
    answer.say("one two ")
    expect(chat.answer()).to_have_text("one two")
    notebook.save()
    notebook.page.reload()
    notebook.ready()
    answer.say("three ")
    chat = notebook.shown(1)
    expect(chat.answer()).to_have_text("one two three")
    expect(chat.button("Stop")).to_be_visible()
    answer.say("four").end()
    expect(chat.answer()).to_have_text("one two three four")
    expect(chat.foot).to_contain_text("20 tokens")
    conductor.next().say("Again.").end()
    chat.send("And?")
    expect(chat.answer()).to_have_text("Again.")
    expect(chat.turns).to_have_count(2)
    notebook.page.close()


def test_two_views_show_the_same_and_share_the_draft(notebook: Notebook, conductor: Conductor) -> None:
    first, answer = notebook.chat("analyst"), conductor.next()
    first.send("Go")
    answer.say("one ")
    expect(first.answer()).to_have_text("one")
    second = Chat(notebook.page, notebook.run("chat"))
    expect(second.answer()).to_have_text("one")
    first.draft.fill("typed here")
    expect(second.draft).to_have_value("typed here")
    answer.say("two").end()
    for chat in (first, second):
        expect(chat.answer()).to_have_text("one two")
        expect(chat.foot).to_contain_text("20 tokens")


def test_a_view_of_its_own_in_jupyterlab_keeps_the_draft(notebook: Notebook, conductor: Conductor) -> None:
    chat = notebook.chat("analyst")
    conductor.next().say("Hello.").end()
    chat.send("Hi")
    expect(chat.answer()).to_have_text("Hello.")
    chat.draft.fill("not sent yet")
    chat.root.locator(".header").click(button="right")
    notebook.page.get_by_text("Create New View for Cell Output").click()
    other = Chat(notebook.page, notebook.page.locator(".jp-LinkedOutputView"))
    expect(other.answer()).to_have_text("Hello.")
    expect(other.draft).to_have_value("not sent yet")
    notebook.page.locator(".lm-TabBar-tab", has_text="Output View").locator(".lm-TabBar-tabCloseIcon").click()
    expect(chat.draft).to_have_value("not sent yet")


def test_a_message_waits_for_a_cell_and_says_so(notebook: Notebook, conductor: Conductor, gate: Path) -> None:
    chat, answer = notebook.chat("analyst"), conductor.next()
    _hold(notebook, gate)
    chat.send("Hi")
    notice = chat.root.locator(".notice")
    expect(notice).to_have_text("The kernel is busy with a cell. Your message goes out when it is done.")
    expect(chat.last).to_contain_text("Waiting for the kernel")
    gate.touch()
    answer.say("Hello.").end()
    expect(chat.answer()).to_have_text("Hello.")
    expect(notice).to_have_count(0)


def test_an_answer_goes_on_and_stops_at_once_while_a_cell_holds_the_kernel(
    notebook: Notebook, conductor: Conductor, gate: Path
) -> None:
    chat, answer = notebook.chat("analyst"), conductor.next()
    chat.send("Hi")
    answer.say("one ")
    expect(chat.answer()).to_have_text("one")
    _hold(notebook, gate)
    expect(chat.root.locator(".notice")).to_have_text("The kernel is busy with a cell.")
    answer.say("two")
    expect(chat.answer()).to_have_text("one two")
    chat.button("Stop").click()
    answer.left()
    expect(chat.foot).to_contain_text("Stopped")
    expect(chat.answer()).to_have_text("one two")
    assert not gate.exists()


def test_a_restarted_kernel_leaves_the_draft_and_takes_no_message(
    context: BrowserContext, server: Lab, conductor: Conductor
) -> None:
    notebook = Notebook(context, server, "restart.ipynb")
    chat = notebook.chat("analyst")
    conductor.next().say("Hello.").end()
    chat.send("Hi")
    expect(chat.answer()).to_have_text("Hello.")
    chat.draft.fill("not sent yet")
    _restart(server, "restart.ipynb")
    notebook.start("1")  # of a restart that it did not ask for, a page may hear nothing before
    expect(chat.root.locator(".notice")).to_have_text("The kernel is gone. Your draft is kept; run the cell to go on.")
    expect(chat.draft).to_have_value("not sent yet")
    expect(chat.button("Send")).to_be_disabled()
    expect(chat.answer()).to_have_text("Hello.")
    notebook.page.close()


def _hold(notebook: Notebook, gate: Path) -> None:
    """Let a cell hold the kernel, which has it when this returns."""
    expect(notebook.start(HOLD.format(gate=str(gate))).locator(".jp-OutputArea-output")).to_have_text("held")


def _restart(server: Lab, name: str) -> None:
    headers = {"Authorization": "token secret"}
    sessions = urllib.request.Request(server.url + "api/sessions", headers=headers)
    with urllib.request.urlopen(sessions, timeout=PATIENCE) as answer:
        [session] = [each for each in json.loads(answer.read()) if each["path"] == name]
    again = urllib.request.Request(
        f"{server.url}api/kernels/{session['kernel']['id']}/restart", b"", headers, method="POST"
    )
    urllib.request.urlopen(again, timeout=PATIENCE).close()
