"""A real JupyterLab and a real browser."""

import json
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from re import Pattern
from typing import Any

import nbformat
from playwright.sync_api import Browser, Locator, Page, WebSocket, expect, sync_playwright

from tests.frontends.scripts import environment

PATIENCE = 60.0
"""The longest wait for anything, in seconds."""
expect.set_options(timeout=PATIENCE * 1000)
_SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none", "maxNumberOutputs": 5000},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "docmanager-extension/plugin": {
        "autosave": False
    },  # it would answer for, or keep away, a save that a test waits for
}


class Lab:
    """A running JupyterLab, which also serves Notebook 7; notebooks are made in its folder. `more` has other models and agents."""

    def __init__(self, folder: Path, more: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self.notebooks = folder / "notebooks"
        self.notebooks.mkdir()
        settings = folder / "config" / "lab" / "user-settings" / "@jupyterlab"
        for name, values in _SETTINGS.items():
            path = settings / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values))
        runtime = folder / "runtime"
        variables = {
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(runtime),
        }
        self._log = (folder / "lab.log").open("wb")
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.port=0"),
                *("--IdentityProvider.token=secret", f"--ServerApp.root_dir={self.notebooks}"),
                "--KernelManager.transport=ipc",
                "--LabApp.expose_app_in_browser=True",
                "--JupyterNotebookApp.expose_app_in_browser=True",
                "--ServerApp.jpserver_extensions={'hector_nb': True}",
            ],
            env={**environment(folder, more), **variables},
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self.url = self._wait(runtime)

    def write(self, name: str, cells: Sequence[str]) -> str:
        """Make a notebook; the address of its page."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.notebooks / name)
        return f"{self.url}lab/tree/{name}?token=secret&reset"

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=PATIENCE)
        self._log.close()

    def _wait(self, runtime: Path) -> str:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and self._process.poll() is None:
            for file in runtime.glob("jpserver-*.json"):
                try:
                    url = str(json.loads(file.read_text())["url"])
                    with urllib.request.urlopen(f"{url}api?token=secret", timeout=5):
                        return url
                except (OSError, ValueError):
                    pass
            time.sleep(0.05)
        self.close()
        raise AssertionError(Path(self._log.name).read_text())


@contextmanager
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield launched
        launched.close()


class NotebookPage:
    """A notebook in JupyterLab. `foreign` are the addresses that the page asked for outside the server."""

    def __init__(self, browser: Browser, url: str, on_websocket: Callable[[WebSocket], None] | None = None) -> None:
        self.page: Page = browser.new_page(viewport={"width": 1000, "height": 1200})
        if on_websocket is not None:
            self.page.on("websocket", on_websocket)
        self.page.set_default_timeout(PATIENCE * 1000)
        self.foreign: list[str] = []
        home = "/".join(url.split("/")[:3])
        self.page.on("request", lambda request: self._see(request.url, home))
        self.page.goto(url)
        self.page.wait_for_selector(".jp-Notebook .jp-Cell")
        self.page.wait_for_selector("text=Python 3 (ipykernel) | Idle")

    def start(self, cell: int) -> None:
        """Run a cell."""
        self.page.locator(".jp-Cell .jp-InputArea-editor .cm-content").nth(cell).click()
        self.page.keyboard.press("Control+Enter")

    def run(self, cell: int) -> None:
        """Run a cell and wait for its end."""
        self.start(cell)
        self.done(cell)

    def done(self, cell: int) -> None:
        """Wait for the end of a cell that runs for the first time. What it put out may be drawn a little later: see `shows`."""
        self.page.wait_for_function(
            "cell => /\\[\\d+\\]/.test(document.querySelectorAll('.jp-Cell')[cell].querySelector('.jp-InputPrompt').innerText)",
            arg=cell,
        )

    def interrupt(self) -> None:
        """Press ■."""
        self.page.locator('[data-command="notebook:interrupt-kernel"], [title^="Interrupt the kernel"]').first.click()

    def shows(self, cell: int, text: str | Pattern[str]) -> None:
        """Wait until this is in a cell's outputs."""
        expect(self._outputs(cell)).to_contain_text(text)

    def outputs(self, cell: int) -> str:
        """The text of a cell's outputs, as far as it is drawn."""
        return self._outputs(cell).inner_text()

    def _outputs(self, cell: int) -> Locator:
        return self.page.locator(".jp-Cell").nth(cell).locator(".jp-OutputArea").first

    def evaluate(self, script: str) -> Any:
        return self.page.evaluate(script)

    def _see(self, url: str, home: str) -> None:
        if not url.startswith((home, "data:", "blob:", home.replace("http", "ws"))):
            self.foreign.append(url)
