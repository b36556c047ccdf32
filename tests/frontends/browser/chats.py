"""Chats in a notebook's page, in JupyterLab or Notebook 7."""

import re
from typing import Any

from playwright.sync_api import BrowserContext, Locator, Page, Request, expect

from tests.frontends.browser.conductor import PATIENCE
from tests.frontends.lab import Lab

expect.set_options(timeout=PATIENCE * 1000)
_DONE = re.compile(r"\[\d+\]")
_ADDRESS = {"lab": "lab/tree", "notebook": "notebooks"}


class Chat:
    """One view of a chat."""

    def __init__(self, page: Page, place: Locator) -> None:
        self.page = page
        self.root = place.locator(".chat")
        self.frame = self.root.locator(".frame")
        self.draft = self.root.locator("textarea.draft")
        self.turns = self.root.locator(".turn")
        self.last = self.turns.last
        self.foot = self.last.locator(".foot")
        self.approval = self.root.locator(".approval")
        self.side = self.root.locator(".side")
        self.popover = self.root.locator(".popover")

    def button(self, name: str) -> Locator:
        return self.root.get_by_role("button", name=name, exact=True)

    def send(self, text: str) -> None:
        """Type a message and send it with Enter."""
        self.draft.fill(text)
        self.draft.press("Enter")

    def answer(self) -> Locator:
        """The text of the newest answer."""
        return self.last.locator(".answer .markdown")

    def focused(self) -> str:
        """What has the focus inside: its class, label or text."""
        return str(
            self.root.evaluate(
                """root => { const at = root.getRootNode().activeElement;
                    return at ? at.getAttribute('aria-label') || at.className || at.textContent : ''; }"""
            )
        )


class Notebook:
    """An open notebook whose kernel has the package; each chat has a new cell at the end.

    Attributes:
        requests: Addresses that the page asked for since it was opened, without those of the server.
        dialogs: Texts of dialogs that opened.
    """

    def __init__(self, context: BrowserContext, lab: Lab, name: str, app: str = "lab") -> None:
        self.app, self.name = app, name
        lab.write(name, ["import hector_nb"])
        self.url = f"{lab.url}{_ADDRESS[app]}/{name}?token=secret"
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE * 1000)
        self.requests: list[str] = []
        self.dialogs: list[str] = []
        self._home = lab.url.split("//")[1]
        self.page.on("request", self._requested)
        self.page.on("dialog", self._asked)
        self.open(f"{self.url}&reset" if app == "lab" else self.url)
        self._begin()

    def open(self, url: str) -> None:
        """Go to an address and wait until the notebook and its kernel are there."""
        self.page.goto(url)
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell")
        self.ready()

    def ready(self) -> None:
        self.page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]')

    def _begin(self) -> None:
        """Run the first cell. A page that has just opened may let the first attempts go."""
        prompt = self.cells.first.locator(".jp-InputPrompt")
        while prompt.inner_text().strip() == "[ ]:":
            self.cells.first.locator(".cm-content").click()
            self.page.keyboard.press("Control+Enter")
            self.page.wait_for_timeout(100)
        expect(prompt).to_have_text(_DONE)

    @property
    def cells(self) -> Locator:
        return self.page.locator(".jp-Notebook .jp-CodeCell")

    def start(self, code: str) -> Locator:
        """Run code in a new last cell."""
        self.page.locator(".jp-Notebook-footer").click()
        cell = self.cells.last
        count = self.cells.count()
        cell.locator(".cm-content").click()
        self.page.keyboard.insert_text(code)
        expect(cell.locator(".cm-content")).to_contain_text(code.split("\n")[0])
        self.page.keyboard.press("Control+Enter")
        return self.cells.nth(count - 1)

    def run(self, code: str) -> Locator:
        """Run code and wait for its end."""
        cell = self.start(code)
        expect(cell.locator(".jp-InputArea-prompt").first).to_have_text(_DONE)
        return cell

    def chat(self, agent: str, more: str = "") -> Chat:
        """A new chat in a new cell."""
        cell = self.run(f"chat = hector_nb.chat({agent!r}{more})\nchat")
        chat = Chat(self.page, cell.locator(".jp-OutputArea-output").first)
        expect(chat.draft).to_be_visible()
        return chat

    def shown(self, cell: int) -> Chat:
        """The chat that a cell shows."""
        return Chat(self.page, self.cells.nth(cell).locator(".jp-OutputArea-output").first)

    def save(self) -> None:
        """Save the notebook as a person does."""
        self.page.keyboard.press("ControlOrMeta+s")
        self.page.wait_for_selector(".jp-mod-dirty, .jp-DirtyIndicator", state="detached")

    def _requested(self, request: Request) -> None:
        if not request.url.startswith(("data:", "blob:")) and self._home not in request.url:
            self.requests.append(request.url)

    def _asked(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()
