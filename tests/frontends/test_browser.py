"""The magics in JupyterLab: answers appear, can be stopped, and do nothing but be read."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.frontends.hostile_markdown import HOSTILE
from tests.frontends.lab import Lab, NotebookPage, browser
from tests.frontends.scripts import SCRIPTS

pytestmark = pytest.mark.browser

_ACTIVE = """() => {
    const found = [];
    for (const output of document.querySelectorAll('.jp-OutputArea-output')) {
        for (const element of output.querySelectorAll('*')) {
            const bad = /^(script|iframe|style|link|object|embed|form|button|input)$/i.test(element.tagName)
                || element.tagName === 'IMG' && !element.src.startsWith('data:image/svg+xml')
                || [...element.attributes].some(({name, value}) => /^on/i.test(name)
                    || /^(href|src|action|formaction|xlink:href)$/i.test(name)
                        && !/^(https?:|mailto:|#|data:image.svg)/i.test(value)
                    || name === 'style' && /url|expression/i.test(value)
                    || /^data-command/i.test(name));
            if (bad) found.push(element.outerHTML.slice(0, 300));
        }
    }
    return found;
}"""
_TOUCH = """() => document.querySelectorAll('.jp-OutputArea-output *').forEach(element => {
    for (const kind of ['mouseover', 'mouseenter', 'focus', 'toggle', 'load', 'error'])
        element.dispatchEvent(new Event(kind, {bubbles: true}));
})"""
_TYPESET = "() => document.querySelectorAll('mjx-container').length > 5"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as launched:
        yield launched


def test_hostile_markdown_neither_runs_nor_asks_for_anything(lab: Lab, chromium: Browser) -> None:
    count = len(SCRIPTS["hostile"])
    cells = [
        "%load_ext hector_nb",
        f"for _ in range({count}):\n    %hector -a hostile --no-stream go\n",
        "%hector history -n 1000",
        "%hector use hostile",
        "%hector -s named $\\href{javascript:window.ran=1}{a}$ <img src=x onerror=window.ran=1>",
        "%hector memory -s named",
        "%hector memory -s named --query img src window",
        "%hector why -s named",
        "import hector_nb\nhector = hector_nb.connect()\nsession = hector.session('hostile', 'named')\nsession.memory",
        "session.send('<b>go</b>')",
        "session.messages()",
        "hector.sessions()",
        "%hector -s named -f code $\\href{javascript:window.ran=1}{a}$",
        "%hector fork -s named",
        "%hector export out.md",
        "raise ValueError('<img src=x onerror=window.ran=1>')",
        "%hector -s named --err",
    ]
    page = NotebookPage(chromium, lab.write("hostile.ipynb", cells))
    for cell in range(len(cells)):
        page.run(cell)
    page.page.wait_for_function(_TYPESET)
    page.evaluate(_TOUCH)
    assert page.page.locator(".jp-RenderedMarkdown").count() >= len(HOSTILE)
    assert page.evaluate("() => window.ran === undefined")
    assert page.evaluate(_ACTIVE) == []
    assert page.foreign == []


def test_the_same_markdown_does_run_without_the_neutraliser(lab: Lab, chromium: Browser) -> None:
    """Otherwise the test above would prove nothing."""
    code = f"for text in {HOSTILE[:3]!r}:\n    display({{'text/markdown': text}}, raw=True)"
    page = NotebookPage(chromium, lab.write("raw.ipynb", [code]))
    page.run(0)
    page.page.wait_for_function("() => window.ran === 1")
    assert page.evaluate(_ACTIVE) != []


def test_an_answer_grows_in_its_cell_and_can_be_stopped(lab: Lab, chromium: Browser) -> None:
    page = NotebookPage(
        chromium, lab.write("stop.ipynb", ["%load_ext hector_nb", "%%hector halting\nHi", "%hector Hi"])
    )
    page.run(0)
    page.start(1)
    page.page.wait_for_selector("text=Half of it")
    page.interrupt()
    page.page.wait_for_selector("text=■ stopped")
    page.shows(1, "KeyboardInterrupt")
    page.done(1)  # what is sent before is not run after an error
    page.run(2)
    page.shows(2, "Hello there.")


def test_a_cell_that_runs_again_replaces_its_turn_and_names_what_followed(lab: Lab, chromium: Browser) -> None:
    cells = ["%load_ext hector_nb", "%%hector\nOne", "%%hector\nTwo", "%hector history"]
    page = NotebookPage(chromium, lab.write("again.ipynb", cells))
    for cell in (0, 1, 2, 1):
        page.run(cell)
    page.page.wait_for_selector("text=What followed is kept: %hector use assistant -s sess_")
    page.run(3)
    page.shows(3, re.compile("One.*Hello there\\.", re.DOTALL))
    assert "Two" not in page.outputs(3)


def test_the_code_of_an_answer_is_in_a_new_cell_below(lab: Lab, chromium: Browser) -> None:
    page = NotebookPage(chromium, lab.write("code.ipynb", ["%load_ext hector_nb", "%%hector coder -f code\nHow?", "1"]))
    page.run(0)
    page.run(1)
    page.page.wait_for_function("() => document.querySelectorAll('.jp-Cell').length === 4")
    code = page.page.locator(".jp-Cell .jp-InputArea-editor .cm-content").nth(2)
    expect(code).to_have_text(re.compile(r"^x = 41\s*print\(x \+ 1\)$"))
    assert page.outputs(2).strip() == ""


def test_silence_says_who_is_waited_for(lab: Lab, chromium: Browser) -> None:
    page = NotebookPage(chromium, lab.write("silent.ipynb", ["%load_ext hector_nb", "%%hector silent\nHi"]))
    page.run(0)
    page.start(1)
    page.page.wait_for_selector("text=Waiting for scripted silent.json in this process … ■ stops it.")
    page.interrupt()
    page.page.wait_for_selector("text=■ stopped")


def test_a_tool_call_is_shown_whole_and_made_after_a_yes(lab: Lab, chromium: Browser) -> None:
    page = NotebookPage(chromium, lab.write("ask.ipynb", ["%load_ext hector_nb", "%%hector writer\nWrite"]))
    page.run(0)
    page.start(1)
    page.page.wait_for_selector("text=Write this file?")
    page.shows(1, "content: hi \\u202e there")
    page.page.locator(".jp-Stdin-input").fill("y")
    page.page.keyboard.press("Enter")
    page.shows(1, re.compile("Approved.*Used write_file.*It is done\\.", re.DOTALL))
    assert (lab.notebooks.parent / "a.txt").exists()
