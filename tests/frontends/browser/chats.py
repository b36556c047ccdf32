"""Chats in a notebook's page, in JupyterLab or Notebook 7."""

import re

from playwright.sync_api import BrowserContext, Dialog, JSHandle, Locator, Page, Request, WebSocket, expect

from tests.frontends.browser.conductor import PATIENCE
from tests.frontends.lab import Lab

_DONE = re.compile(r"\[\d+\]")
_READY = """() => {
    const context = globalThis.jupyterapp?.shell.currentWidget?.sessionContext;
    return context?.isReady && context.session?.kernel?.connectionStatus === 'connected' && context.session.kernel.status === 'idle';
}"""
_INSIDE = "([cells, at]) => document.querySelectorAll(cells)[at]?.contains(document.activeElement)"
_LOOK_OUT = """(root, label) => {
    const found = {seen: false};
    new MutationObserver(() => {
        found.seen ||= [...root.querySelectorAll('button')].some(button => button.textContent.trim() === label);
    }).observe(root, {subtree: true, childList: true, characterData: true});
    return found;
}"""
_CELLS = ".jp-Notebook .jp-CodeCell"
TOOK = r"(\d\.\d s|\d+ s|\d+ min( \d+ s)?)"
"""How long something took, in the words of the chat, however slow the machine is."""
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

    def look_out(self, label: str) -> JSHandle:
        """Look out from now on for a button that has this label only for a moment; `seen` waits until it had."""
        return self.root.evaluate_handle(_LOOK_OUT, label)

    def seen(self, looked_for: JSHandle) -> None:
        self.page.wait_for_function("found => found.seen", arg=looked_for)

    def until(self, condition: str) -> None:
        """Wait until this is true of `at`, the transcript; `left` is how much of it is below the view, in px."""
        self.page.wait_for_function(
            f"""root => {{ const at = root.querySelector('.transcript');
                const left = at.scrollHeight - at.scrollTop - at.clientHeight;
                return {condition}; }}""",
            arg=self.root.element_handle(),
        )

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
        sockets: Websockets of kernels.
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
        self.sockets: list[WebSocket] = []
        self.page.on("websocket", lambda socket: "/channels" in socket.url and self.sockets.append(socket))
        self.open(f"{self.url}&reset" if app == "lab" else self.url)
        self._begin()

    def open(self, url: str) -> None:
        """Go to an address and wait until the notebook and its kernel are there."""
        self.page.goto(url)
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell")
        self.ready()

    def ready(self) -> None:
        """Wait for the notebook and its kernel."""
        self.page.wait_for_function(_READY)

    def _begin(self) -> None:
        self.cells.first.locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")
        expect(self.cells.first.locator(".jp-InputPrompt")).to_have_text(_DONE)

    @property
    def cells(self) -> Locator:
        return self.page.locator(_CELLS)

    def start(self, code: str) -> Locator:
        """Run code in a new last cell."""
        at = self.cells.count()
        self.page.locator(".jp-Notebook-footer").click()
        expect(self.cells).to_have_count(at + 1)
        self.page.wait_for_function(
            _INSIDE, arg=[_CELLS, at]
        )  # the notebook gives a new cell the focus when it is made
        cell = self.cells.nth(at)
        editor = cell.locator(".cm-content")
        editor.click()
        expect(editor).to_be_focused()
        self.page.keyboard.insert_text(code)
        expect(editor).to_contain_text(code.split("\n")[0])
        self.page.keyboard.press("Control+Enter")
        return cell

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
        with self.page.expect_response(
            lambda answer: "/api/contents/" in answer.url and answer.request.method == "PUT"
        ):
            self.page.keyboard.press("ControlOrMeta+s")

    def dress(self, *, dark: bool) -> None:
        """Take one of the host's themes."""
        theme = "JupyterLab Dark" if dark else "JupyterLab Light"
        self.page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
        self.page.wait_for_selector(f'body[data-jp-theme-name="{theme}"]', state="attached")

    def _requested(self, request: Request) -> None:
        if not request.url.startswith(("data:", "blob:")) and self._home not in request.url:
            self.requests.append(request.url)

    def _asked(self, dialog: Dialog) -> None:
        if dialog.type == "beforeunload":
            dialog.accept()
        else:
            self.dialogs.append(dialog.message)
            dialog.dismiss()
