"""The whole chat without a mouse, in JupyterLab."""

import pytest
from playwright.sync_api import expect

from tests.frontends.browser.chats import Chat, Notebook
from tests.frontends.browser.conductor import Conductor

pytestmark = pytest.mark.browser


@pytest.fixture
def chat(notebook: Notebook, conductor: Conductor) -> Chat:
    """A chat with two turns, whose composer has the focus."""
    chat = notebook.chat("analyst")
    for question, reply in (("One?", "First."), ("Two?", "Second, `code`.\n\n```python\n1\n```")):
        conductor.next().say(reply).end()
        chat.send(question)
        expect(chat.last.locator(".question-text")).to_have_text(question)
        expect(chat.foot).to_contain_text("20 tokens")
    expect(chat.button("Send")).to_be_visible()
    return chat


def test_tab_leads_through_everything_in_its_order_and_out(chat: Chat, conductor: Conductor) -> None:
    chat.button("Session: One?").focus()
    seen = [chat.focused()]
    for _ in range(20):
        chat.page.keyboard.press("Tab")
        if not chat.focused():
            break
        seen.append(chat.focused())
    assert seen == [
        *("Session: One?", "text-button meter", "Memory", "More"),
        *("Turn: Two?", "Edit this question", "Insert", "Copy", "Code, python"),
        *("Copy the answer", "Answer again", "Fork from here"),
        *("Message to analyst", "Height of the chat"),
    ]
    chat.page.keyboard.press("Shift+Tab")
    chat.page.keyboard.press("Shift+Tab")
    assert chat.focused() == "Message to analyst"


def test_the_keys_of_the_transcript(chat: Chat, conductor: Conductor) -> None:
    press = chat.page.keyboard.press
    chat.turns.last.focus()
    press("ArrowUp")
    assert chat.focused() == "Turn: One?"
    press("c")
    chat.page.wait_for_function("async () => await navigator.clipboard.readText() === 'First.'")
    press("e")
    expect(chat.root.get_by_label("Edit the question")).to_be_focused()
    press("Escape")
    expect(chat.draft).to_be_focused()
    chat.turns.first.focus()
    press("m")
    expect(chat.side.locator(".account-question")).to_have_text("One?")
    expect(chat.side.locator(".pager")).to_contain_text("1 of 2")
    chat.turns.first.focus()
    press("End")
    assert chat.focused() == "Turn: Two?"
    conductor.next().say("Third.").end()
    press("r")
    expect(chat.answer()).to_have_text("Third.")
    expect(chat.button("Send")).to_be_visible()
    chat.turns.last.focus()
    press("/")
    expect(chat.draft).to_be_focused()
    press("/")
    expect(chat.draft).to_have_value("/")
    chat.turns.first.focus()
    press("f")
    expect(chat.turns).to_have_count(1)


def test_popovers_are_opened_walked_and_closed(chat: Chat) -> None:
    press = chat.page.keyboard.press
    chat.button("Session: One?").focus()
    press("Enter")
    expect(chat.root.get_by_label("Search sessions")).to_be_focused()
    expect(chat.popover.get_by_role("option", name="One?").first).to_be_visible()
    press("ArrowDown")
    expect(chat.popover.locator("[aria-selected=true]")).to_have_count(1)
    press("Escape")
    expect(chat.popover).to_have_count(0)
    assert chat.focused() == "Session: One?"
    chat.button("More").focus()
    press("Enter")
    assert chat.focused().startswith("Rename") or "Rename" in chat.popover.locator(":focus").inner_text()
    press("End")
    expect(chat.popover.locator(":focus")).to_contain_text("Delete session")
    press("Escape")
    assert chat.focused() == "More"
    chat.button("Memory").focus()
    press("Enter")
    tab = chat.side.get_by_role("tab", name="This turn")
    tab.focus()
    press("ArrowRight")
    expect(chat.side.get_by_role("tab", name="Long-term")).to_be_focused()
    expect(chat.side).to_contain_text("Long-term memory is off for analyst.")


def test_escape_stops_and_then_leaves_to_the_cell(chat: Chat, conductor: Conductor) -> None:
    answer = conductor.next()
    chat.send("Go")
    answer.say("Half")
    expect(chat.answer()).to_have_text("Half")
    chat.page.keyboard.press("Escape")
    answer.left()
    expect(chat.foot).to_contain_text("Stopped")
    expect(chat.draft).to_be_focused()
    chat.page.keyboard.press("Escape")
    expect(chat.draft).not_to_be_focused()
    cells = chat.page.locator(".jp-CodeCell").count()
    chat.page.keyboard.press("b")
    expect(chat.page.locator(".jp-CodeCell")).to_have_count(cells + 1)


def test_keys_reach_no_shortcut_of_the_notebook(chat: Chat) -> None:
    cells = chat.page.locator(".jp-CodeCell").count()
    chat.turns.first.focus()
    for key in ("d", "d", "b", "a", "x", "i", "i", "0", "0"):
        chat.page.keyboard.press(key)
    chat.draft.press_sequentially("ddbax00")
    expect(chat.draft).to_have_value("ddbax00")
    assert chat.page.locator(".jp-CodeCell").count() == cells
    expect(chat.page.locator(".jp-Dialog")).to_have_count(0)
