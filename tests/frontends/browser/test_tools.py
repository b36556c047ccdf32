"""Tools that ask first, in JupyterLab."""

import json
import re
import time
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.frontends.browser.chats import Chat, Notebook
from tests.frontends.browser.conductor import PATIENCE, Conductor
from tests.frontends.lab import Lab

pytestmark = pytest.mark.browser


def _press_until_heard(chat: Chat, key: str) -> None:
    """A card is deaf for a moment to what may have been meant for the composer."""
    until = time.monotonic() + PATIENCE
    while chat.root.evaluate("root => root.querySelector('.approval button:enabled') !== null"):
        assert time.monotonic() < until, "The card stays deaf."
        assert chat.focused() == "approval"
        chat.page.keyboard.press(key)
        chat.page.wait_for_timeout(50)
    expect(chat.approval).to_have_count(0)


def test_a_command_is_shown_whole_and_runs_after_a_yes(notebook: Notebook, conductor: Conductor) -> None:
    chat, command = notebook.chat("hands"), f"printf '%s' {'long ' * 80}end\u202e"
    conductor.next().call("execute_command", command=command)
    chat.send("Go")
    expect(chat.approval).to_contain_text("Run this command?")
    expect(chat.approval).to_contain_text(re.compile(r"No answer in [45]:\d\d means no"))
    subject = chat.approval.locator(".approval-subject")
    expect(subject).to_have_text(command.replace("\u202e", "\\u202e"))
    assert subject.evaluate("element => element.scrollWidth <= element.clientWidth")
    assert chat.focused() == "approval"
    conductor.next().say("It ran.").end()
    _press_until_heard(chat, "a")
    expect(chat.answer()).to_have_text("It ran.")
    row = chat.last.locator(".tool-row")
    expect(row).to_contain_text("printf")
    row.click()
    expect(chat.last.locator(".tool-body")).to_contain_text("long end")


def test_a_file_is_not_written_after_a_no(notebook: Notebook, conductor: Conductor, server: Lab) -> None:
    chat = notebook.chat("hands")
    conductor.next().call("write_file", path="no.txt", content="one\ntwo\n")
    chat.send("Go")
    expect(chat.approval).to_contain_text("Write this file?")
    expect(chat.approval).to_contain_text("no.txt")
    expect(chat.approval.locator(".approval-content")).to_contain_text("two")
    answer = conductor.next()
    _press_until_heard(chat, "d")
    assert answer.asked()["messages"][-1]["content"] == "The user did not allow this call."
    answer.say("Then not.").end()
    expect(chat.answer()).to_have_text("Then not.")
    expect(chat.last.locator(".tool-row")).to_contain_text("Denied")
    assert not Path(server.notebooks.parent, "no.txt").exists()


def test_an_approval_out_of_view_is_announced_and_found(notebook: Notebook, conductor: Conductor) -> None:
    chat = notebook.chat("hands", ", height=320")
    answer = conductor.next().say("\n\n".join(f"Paragraph {number}." for number in range(30)))
    chat.send("Go")
    expect(chat.answer()).to_contain_text("Paragraph 29.")
    chat.draft.fill("something typed")
    chat.last.hover()
    notebook.page.mouse.wheel(0, -5000)
    chat.until("at.scrollTop === 0")
    answer.call("execute_command", command="true")
    strip = chat.root.locator(".strip")
    expect(strip).to_contain_text("Approval needed")
    expect(chat.draft).to_be_focused()
    strip.get_by_role("button", name="Review").click()
    expect(chat.approval).to_be_in_viewport()
    assert chat.focused() == "approval"
    expect(strip).to_have_count(0)
    conductor.next().say("Done.").end()
    chat.button("Approve").click()
    expect(chat.answer().last).to_have_text("Done.")


def test_a_word_given_elsewhere_closes_the_card(notebook: Notebook, conductor: Conductor, server: Lab) -> None:
    chat = notebook.chat("hands")
    conductor.next().call("execute_command", command="true")
    chat.send("Elsewhere")
    call_id = chat.approval.get_attribute("data-call")
    session = _call(server, "GET", "agents/hands/sessions?q=Elsewhere")["sessions"][0]["session_id"]
    conductor.next().say("Done.").end()
    _call(server, "POST", f"agents/hands/sessions/{session}/approvals/{call_id}", {"decision": "approve"})
    expect(chat.answer()).to_have_text("Done.")
    expect(chat.approval).to_have_count(0)


def test_a_stopped_turn_takes_its_card_with_it(notebook: Notebook, conductor: Conductor) -> None:
    chat = notebook.chat("hands")
    conductor.next().call("execute_command", command="true")
    chat.send("Go")
    expect(chat.approval).to_be_visible()
    chat.button("Stop").click()
    expect(chat.approval).to_have_count(0)
    expect(chat.foot).to_contain_text("Stopped")


def _call(server: Lab, method: str, path: str, body: object = None) -> dict:
    headers = {"Authorization": "token secret", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(server.url + path, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.loads(answer.read())
