"""Model text in a chat is read and never acts, in JupyterLab."""

import pytest
from playwright.sync_api import expect

from tests.frontends.browser.chats import Chat, Notebook
from tests.frontends.browser.conductor import Conductor
from tests.frontends.hostile_markdown import HOSTILE

pytestmark = pytest.mark.browser

_ACTIVE = """root => {
    const found = [];
    for (const text of root.querySelectorAll('.markdown, .question-text, pre, .memory-text, .session-title, .session-name, .approval-what'))
        for (const element of text.querySelectorAll('*')) {
            const own = element.closest('.code-box figcaption');
            const bad = /^(script|iframe|style|link|object|embed|form|img|video|audio|source|svg|math|base|meta)$/i.test(element.tagName) && !own
                || [...element.attributes].some(({name, value}) => /^on/i.test(name)
                    || /^(href|src|srcset|action|formaction|xlink:href|srcdoc|poster|background)$/i.test(name)
                        && !/^(https?:|mailto:|#)/i.test(value)
                    || name === 'style' && /url|expression/i.test(value)
                    || /^data-command/i.test(name));
            if (bad) found.push(element.outerHTML.slice(0, 300));
        }
    return found;
}"""
_TOUCH = """root => {
    for (const element of root.querySelectorAll('.markdown *, .question-text *'))
        for (const kind of ['mouseover', 'mouseenter', 'focus', 'toggle', 'load', 'error'])
            element.dispatchEvent(new Event(kind, {bubbles: true}));
    for (const link of root.querySelectorAll('.markdown a'))
        if (!link.href) link.click();
}"""


def _harmless(notebook: Notebook, chat: Chat) -> None:
    chat.root.evaluate(_TOUCH)
    assert chat.root.evaluate(_ACTIVE) == []
    assert notebook.page.evaluate("() => window.ran === undefined")
    assert notebook.requests == []
    assert notebook.dialogs == []


def test_hostile_markdown_neither_runs_nor_asks_for_anything(notebook: Notebook, conductor: Conductor) -> None:
    chat, answer = notebook.chat("analyst"), conductor.next()
    chat.send(HOSTILE[0] + HOSTILE[4])
    for text in HOSTILE:
        for at in range(0, len(text), 7):
            answer.say(text[at : at + 7])
        answer.say("\n\n***\n\n")
    answer.say("The end.").end()
    expect(chat.answer()).to_contain_text("The end.")
    expect(chat.button("Send")).to_be_visible()
    _harmless(notebook, chat)


def test_neither_do_the_answers_of_a_session_that_is_opened(notebook: Notebook) -> None:
    """Each text by itself, as nothing before it can have spoiled it."""
    notebook.run(
        "hector = hector_nb.connect()\nsession = hector.session('hostile', 'hostile-chat')\n"
        f"for _ in range({len(HOSTILE)}):\n    session.send('<img src=x onerror=window.ran=1>')"
    )
    chat = notebook.chat("hostile", ", session='hostile-chat'")
    earlier = chat.button("Show earlier turns")
    while chat.turns.count() < len(HOSTILE) - 2:
        count = chat.turns.count()
        earlier.click()
        notebook.page.wait_for_function(
            "([root, count]) => root.querySelectorAll('.turn').length > count",
            arg=[chat.root.element_handle(), count],
        )
    chat.button("Memory").click()
    chat.side.get_by_role("tab", name="Long-term").click()
    expect(chat.side.locator(".memory").first).to_be_visible()
    chat.root.locator(".session-button").click()
    expect(chat.popover.get_by_role("option").first).to_be_visible()
    _harmless(notebook, chat)
    notebook.page.keyboard.press("Escape")


def test_a_hostile_call_is_shown_as_it_is(notebook: Notebook, conductor: Conductor) -> None:
    chat, evil = notebook.chat("hands"), "<img src=x onerror=window.ran=1>"
    conductor.next().call("execute_command", command=f"echo '{evil}'")
    chat.send("Go")
    expect(chat.approval.locator(".approval-subject")).to_have_text(f"echo '{evil}'")
    conductor.next().say(evil).end()
    chat.button("Approve").click()
    expect(chat.foot).to_contain_text("tokens")
    chat.last.locator(".tool-row").click()
    expect(chat.last.locator(".tool-body")).to_contain_text(evil)
    _harmless(notebook, chat)


def test_a_handler_would_have_run(notebook: Notebook) -> None:
    """Otherwise the tests above would prove nothing."""
    chat = notebook.chat("analyst")
    chat.root.evaluate(
        "root => { const box = document.createElement('div'); box.className = 'markdown'; root.append(box);"
        "box.innerHTML = '<img src=x onerror=window.proof=1>'; }"
    )
    notebook.page.wait_for_function("() => window.proof === 1")
    assert chat.root.evaluate(_ACTIVE) != []
