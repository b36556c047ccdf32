"""The chat of plain ipywidgets, which takes over where the custom front end is missing, in JupyterLab."""

import pytest
from playwright.sync_api import expect

from tests.frontends.browser.chats import Notebook
from tests.frontends.browser.conductor import Conductor

pytestmark = pytest.mark.browser

_MISSING = """
from pathlib import Path
from hector_nb.frontends.widget import bundle
there, bundle.PLACE = bundle.PLACE, Path("missing.js")
chat = hector_nb.chat({agent!r})
bundle.PLACE = there
chat"""


def test_it_answers_stops_and_asks_before_a_tool(notebook: Notebook, conductor: Conductor) -> None:
    cell = notebook.run(_MISSING.format(agent="hands").strip())
    area, answer = cell.locator("textarea"), conductor.next()
    expect(cell.locator(".chat")).to_have_count(0)
    area.fill("Go\non")
    cell.get_by_role("button", name="Send").click()
    answer.say("**One** ")
    expect(cell.locator(".widget-html strong", has_text="One")).to_be_visible()
    cell.get_by_role("button", name="Stop").click()
    answer.left()
    expect(cell).to_contain_text("Stopped")
    conductor.next().call("execute_command", command="echo '<b>'")
    area.fill("Again")
    cell.get_by_role("button", name="Send").click()
    expect(cell).to_contain_text("Run this command?")
    expect(cell.locator("pre")).to_have_text("echo '<b>'")
    conductor.next().say("Done.").end()
    cell.get_by_role("button", name="Approve").click()
    expect(cell).to_contain_text("Done.")
    expect(cell.get_by_role("button", name="Stop")).to_be_disabled()
