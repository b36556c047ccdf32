"""The main things that people do with a chat, in Notebook 7."""

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.frontends.browser.chats import Notebook
from tests.frontends.browser.conductor import Conductor
from tests.frontends.browser.test_accessibility import accessible, load_axe
from tests.frontends.lab import Lab

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def notebook(context: BrowserContext, server: Lab) -> Notebook:
    return Notebook(context, server, "seven.ipynb", "notebook")


def test_an_answer_is_asked_for_stopped_and_asked_for_again(notebook: Notebook, conductor: Conductor) -> None:
    chat, answer = notebook.chat("analyst"), conductor.next()
    chat.draft.press_sequentially("a")
    chat.draft.press("Shift+Enter")
    chat.draft.press_sequentially("b")
    chat.draft.press("Enter")
    assert answer.asked()["messages"][-1]["content"] == "a\nb"
    answer.say("**One** ")
    expect(chat.answer().locator("strong")).to_have_text("One")
    answer.say("\n\n```python\n1")
    answer.say("\n```")
    expect(chat.answer().locator("pre")).to_have_text("1")
    chat.draft.press("Escape")
    answer.left()
    expect(chat.foot).to_contain_text("Stopped")
    conductor.next().say("Two").end()
    chat.button("Answer again").click()
    expect(chat.answer()).to_have_text("Two")
    expect(chat.turns).to_have_count(1)
    assert notebook.requests == []


def test_a_tool_waits_for_a_word(notebook: Notebook, conductor: Conductor) -> None:
    chat = notebook.chat("hands")
    conductor.next().call("execute_command", command="echo one")
    chat.send("Go")
    expect(chat.approval.locator(".approval-subject")).to_have_text("echo one")
    conductor.next().say("Done.").end()
    chat.button("Deny").click()
    expect(chat.answer()).to_have_text("Done.")
    expect(chat.last.locator(".tool-row")).to_contain_text("Denied")


def test_memory_and_sessions_are_at_hand_and_accessible(notebook: Notebook, conductor: Conductor) -> None:
    chat = notebook.chat("analyst")
    conductor.next().say("Hello.").end()
    chat.send("Hi from Notebook 7")
    expect(chat.foot).to_contain_text("20 tokens")
    chat.button("Memory").click()
    expect(chat.side.locator(".total")).to_contain_text("of 4,000 tokens")
    load_axe(notebook)
    accessible(notebook, chat)
    chat.root.locator(".session-button").click()
    chat.popover.get_by_role("option", name="New session", exact=True).click()
    expect(chat.turns).to_have_count(0)


def test_a_reload_in_the_midst_of_an_answer_loses_and_doubles_nothing(notebook: Notebook, conductor: Conductor) -> None:
    chat, answer = notebook.chat("analyst"), conductor.next()
    cell = notebook.cells.count() - 1
    chat.send("Go")
    answer.say("one two ")
    expect(chat.answer()).to_have_text("one two")
    notebook.save()
    notebook.page.reload()
    notebook.ready()
    answer.say("three")
    chat = notebook.shown(cell)
    expect(chat.answer()).to_have_text("one two three")
    answer.end()
    expect(chat.foot).to_contain_text("20 tokens")
