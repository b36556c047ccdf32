"""What axe finds in the chat's main states, light and dark, in JupyterLab."""

import json

import pytest
from playwright.sync_api import expect

from tests.frontends.browser.chats import Chat, Notebook
from tests.frontends.browser.conductor import Conductor
from tests.frontends.scripts import ROOT

pytestmark = pytest.mark.browser

_AXE = ROOT / "jupyter_extension" / "node_modules" / "axe-core" / "axe.min.js"
_RUN = """async (root, dark) => {
    const host = root.getRootNode().host;
    host.dataset.looked = '';
    const {violations} = await axe.run({include: [[['[data-looked]', '.chat']]]}, {
        runOnly: dark ? ['color-contrast', 'link-in-text-block'] : ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
        rules: {region: {enabled: false}, 'heading-order': {enabled: false}, 'page-has-heading-one': {enabled: false}},
    });
    delete host.dataset.looked;
    return violations.map(({id, nodes}) => [id, nodes.map(({html, failureSummary}) => [html.slice(0, 200), failureSummary])]);
}"""
"""In the dark only the colours are another matter. Regions and the order of headings are of the whole page, which is the host's."""


@pytest.fixture
def axe(notebook: Notebook) -> Notebook:
    load_axe(notebook)
    return notebook


def load_axe(notebook: Notebook) -> None:
    """Have axe in the page, in which nothing is on its way from one colour to another when axe looks."""
    assert _AXE.is_file(), "axe is missing: run `npm ci` in jupyter_extension/."
    notebook.page.emulate_media(reduced_motion="reduce")
    if notebook.page.evaluate("() => !window.axe"):
        notebook.page.evaluate(f"() => {{ const define = undefined, module = undefined; {_AXE.read_text()} }}")


def accessible(notebook: Notebook, chat: Chat) -> None:
    """Nothing is found in either theme."""
    for dark in (False, True):
        notebook.dress(dark=dark)
        found = chat.root.evaluate(_RUN, dark)
        assert found == [], json.dumps(found, indent=1)
    notebook.dress(dark=False)


def test_an_empty_chat_and_an_answer_under_way(axe: Notebook, conductor: Conductor) -> None:
    chat, answer, second = axe.chat("hands"), conductor.next(), conductor.next()
    accessible(axe, chat)
    chat.send("Which region leads?")
    answer.say(
        "# North\n\n**North** [leads](https://example.org), `code`:\n\n| Region | Sales |\n| --- | --- |\n| N | 1 |\n\n"
        "- one\n- two\n\n> quoted\n\n```python\ndef f(x):  # why\n    return 'text', 12\n"
    )
    expect(chat.answer().locator("pre")).to_contain_text("text")
    chat.send("And then?")
    chat.draft.fill("a draft")
    expect(chat.button("Queue")).to_be_visible()
    accessible(axe, chat)
    chat.button("Stop").click()
    expect(chat.turns.first).to_contain_text("Stopped")
    second.say("South.").end()
    expect(chat.foot).to_contain_text("20 tokens")
    accessible(axe, chat)


def test_tools_and_approvals(axe: Notebook, conductor: Conductor) -> None:
    chat = axe.chat("hands")
    conductor.next().call("execute_command", command="echo one")
    conductor.next().call("write_file", path="a11y.txt", content="one\n")
    chat.send("Go")
    chat.button("Approve").click()
    expect(chat.approval).to_contain_text("Write this file?")
    chat.last.locator(".tool-row").first.click()
    accessible(axe, chat)
    conductor.next().say("Done.").end()
    chat.button("Deny").click()
    expect(chat.foot).to_contain_text("tokens")
    chat.button("Edit this question").click()
    accessible(axe, chat)


def test_the_inspector_and_what_floats(axe: Notebook, conductor: Conductor) -> None:
    chat = axe.chat("noter")
    conductor.next().say("Noted.").end()
    chat.send("My cat is called Tom.")
    expect(chat.foot).to_contain_text("20 tokens")
    chat.root.locator(".session-button").click()
    expect(chat.popover.get_by_role("option").first).to_be_visible()
    accessible(axe, chat)
    axe.page.keyboard.press("Escape")
    chat.button("More").click()
    accessible(axe, chat)
    axe.page.keyboard.press("Escape")
    chat.button("Memory").click()
    chat.side.get_by_role("button", name="Older turn").click()
    chat.side.get_by_role("button", name="Messages").click()
    expect(chat.side.locator(".message-line")).to_have_count(1)
    accessible(axe, chat)
    chat.side.get_by_role("tab", name="Long-term").click()
    expect(chat.side.get_by_label("Search memories")).to_be_visible()
    accessible(axe, chat)


def test_a_chat_without_its_model(axe: Notebook) -> None:
    chat = axe.chat("broken")
    chat.send("Hi")
    expect(chat.button("Try again")).to_be_visible()
    accessible(axe, chat)
