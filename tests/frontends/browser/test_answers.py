"""What is asked and answered in a chat, in JupyterLab."""

import re

import pytest
from playwright.sync_api import expect

from tests.frontends.browser.chats import TOOK, Notebook
from tests.frontends.browser.conductor import Conductor

pytestmark = pytest.mark.browser


def test_an_answer_grows_as_the_model_speaks(notebook: Notebook, conductor: Conductor) -> None:
    chat, answer = notebook.chat("analyst"), conductor.next()
    chat.send("Which region leads?")
    answer.asked()
    expect(chat.foot).to_contain_text("Waiting for live-1")
    expect(chat.draft).to_be_focused()
    answer.say("**North** leads, ")
    expect(chat.answer()).to_have_text("North leads,")
    expect(chat.answer().locator("strong")).to_have_text("North")
    answer.say("by far.\n\n| Region | Sales |\n| --- | --- |\n| North | 1,421 |\n\n```python\nsum(s")
    expect(chat.answer().locator("td").last).to_have_css("text-align", "right")
    expect(chat.answer().locator("pre")).to_have_text("sum(s")
    expect(chat.answer().locator("pre .caret")).to_have_count(1)
    expect(chat.foot).to_have_text(re.compile(rf"Writing · ~\d+ tokens · {TOOK}"))
    answer.say("ales)\n```\n")
    expect(chat.answer().locator("pre")).to_have_text("sum(sales)")
    before = chat.frame.bounding_box()
    answer.end()
    expect(chat.foot).to_have_text(re.compile(rf"20 tokens · {TOOK}"))
    expect(chat.root.locator(".caret")).to_have_count(0)
    assert chat.frame.bounding_box() == before
    expect(chat.draft).to_be_focused()


def test_code_is_copied_and_put_into_a_new_cell(notebook: Notebook, conductor: Conductor) -> None:
    chat = notebook.chat("analyst")
    conductor.next().say("```python\nx = 6 * 7\nx\n```").end()
    chat.send("How?")
    expect(chat.foot).to_contain_text("20 tokens")
    copied = chat.look_out("Copied")
    chat.button("Copy").click()
    chat.seen(copied)
    assert notebook.page.evaluate("() => navigator.clipboard.readText()") == "x = 6 * 7\nx"
    cells = notebook.cells.count()
    chat.button("Insert").click()
    expect(notebook.cells).to_have_count(cells + 1)
    expect(notebook.cells.last.locator(".cm-content")).to_have_text("x = 6 * 7x")


def test_a_stopped_answer_is_kept_and_can_be_given_again(notebook: Notebook, conductor: Conductor) -> None:
    chat, answer = notebook.chat("analyst"), conductor.next()
    chat.send("Which region leads?")
    answer.say("North, I th")
    expect(chat.answer()).to_have_text("North, I th")
    chat.button("Stop").click()
    expect(chat.foot).to_have_text(re.compile(rf"Stopped · ~?\d+ tokens · {TOOK}"))
    answer.left()
    expect(chat.answer()).to_have_text("North, I th")
    conductor.next().say("It is South.").end()
    chat.button("Answer again").click()
    expect(chat.answer()).to_have_text("It is South.")
    expect(chat.turns).to_have_count(1)


def test_a_reader_who_scrolls_up_a_little_stays_there_until_they_come_back(
    notebook: Notebook, conductor: Conductor
) -> None:
    chat = notebook.chat("analyst", ", height=320")
    answer = conductor.next().say(paragraphs(0, 30))
    chat.send("Tell me all")
    expect(chat.answer()).to_contain_text("Paragraph 29.")
    chat.until("left < 1")
    chat.root.locator(".transcript").hover()
    notebook.page.mouse.wheel(0, -20)
    chat.until("left > 15")
    answer.say(paragraphs(30, 40))
    expect(chat.answer()).to_contain_text("Paragraph 39.")
    chat.until("left > 200")
    notebook.page.mouse.wheel(0, 5000)
    chat.until("left < 1")
    answer.say(paragraphs(40, 50)).end()
    expect(chat.answer()).to_contain_text("Paragraph 49.")
    expect(chat.foot).to_contain_text("tokens")
    chat.until("left < 1")


def paragraphs(first: int, end: int) -> str:
    return "".join(f"Paragraph {number}.\n\n" for number in range(first, end))


def test_a_question_is_sent_again_in_its_place_or_in_a_fork(notebook: Notebook, conductor: Conductor) -> None:
    chat = notebook.chat("analyst")
    for question, reply in (("One of three?", "First."), ("Two?", "Second."), ("Three?", "Third.")):
        conductor.next().say(reply).end()
        chat.send(question)
        expect(chat.answer()).to_have_text(reply)
        expect(chat.button("Send")).to_be_visible()
    chat.turns.nth(1).hover()
    chat.turns.nth(1).get_by_role("button", name="Edit this question").click()
    expect(chat.turns.nth(1)).to_contain_text("Sending this replaces the turn after it.")
    conductor.next().say("Other.").end()
    chat.turns.nth(1).locator("textarea").fill("Two or three?")
    chat.turns.nth(1).locator("textarea").press("Enter")
    expect(chat.answer()).to_have_text("Other.")
    expect(chat.turns).to_have_count(2)
    expect(chat.button("Send")).to_be_visible()
    chat.draft.press("ArrowUp")
    expect(chat.root.get_by_label("Edit the question")).to_be_focused()
    conductor.next().say("Forked.").end()
    chat.root.get_by_label("Edit the question").fill("Four?")
    chat.button("Fork instead").click()
    expect(chat.answer()).to_have_text("Forked.")
    expect(chat.turns).to_have_count(2)
    chat.root.locator(".session-button").click()
    expect(chat.popover.get_by_role("option", name="One of three?")).to_have_count(2)
    notebook.page.keyboard.press("Escape")


def test_messages_wait_for_the_answer_under_way_and_can_be_taken_back(notebook: Notebook, conductor: Conductor) -> None:
    chat, first, second = notebook.chat("analyst"), conductor.next(), conductor.next()
    chat.send("One")
    first.say("First")
    expect(chat.answer()).to_have_text("First")
    chat.send("never")
    chat.draft.fill("Two")
    chat.button("Queue").click()
    chips = chat.root.locator(".queue-chips li")
    expect(chips).to_have_text(["never", "Two"])
    chat.button("Remove from the queue: never").click()
    expect(chips).to_have_text(["Two"])
    first.end()
    assert [message["content"] for message in second.asked()["messages"][-3:]] == ["One", "First", "Two"]
    second.say("Second").end()
    expect(chat.answer()).to_have_text("Second")
    expect(chips).to_have_count(0)


def test_shift_and_enter_make_a_new_line_and_run_no_cell(notebook: Notebook, conductor: Conductor) -> None:
    chat, answer = notebook.chat("analyst"), conductor.next()
    prompts = notebook.page.locator(".jp-CodeCell .jp-InputPrompt").all_inner_texts()
    chat.draft.press_sequentially("a")
    for key in ("Shift+Enter", "b", "Shift+Enter", "d", "d"):
        chat.draft.press(key)
    expect(chat.draft).to_have_value("a\nb\ndd")
    expect(chat.turns).to_have_count(0)
    chat.draft.press("Control+Enter")
    assert answer.asked()["messages"][-1]["content"] == "a\nb\ndd"
    answer.say("Yes.").end()
    expect(chat.answer()).to_have_text("Yes.")
    assert notebook.page.locator(".jp-CodeCell .jp-InputPrompt").all_inner_texts() == prompts
