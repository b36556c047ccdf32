"""The page of notebook 05, as a browser shows it."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import sync_playwright

from tests.frontends.scripts import ROOT

ORIGIN = "http://page.test"
CONFIG = """
llms: {default: {provider: scripted, model: script.yaml}}
agents: {assistant: {}}
server: {allow_origins: ["http://page.test"]}
"""
SCRIPT = "[[Blue, ', <b>for', ' the sea.'], [One, {wait_ms: 600000}]]"
# The page is made by the test, so the browser does not know that it comes from this machine.
FLAGS = ["--no-sandbox", "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "hector.yaml").write_text(CONFIG)
    (tmp_path / "script.yaml").write_text(SCRIPT)
    command = [sys.executable, "-m", "hector_nb.frontends.cli", "serve", "--no-token", "--port", "0"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "HECTOR_HOME": str(tmp_path / "home")}
    environ["HECTOR_CONFIG"] = str(tmp_path / "hector.yaml")
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = re.search(r"http://[\d.:]+", process.stdout.readline())
    assert address is not None
    yield address[0]
    process.terminate()
    process.wait(30)
    process.stdout.close()


def _page(home: str) -> str:
    notebook = nbformat.read(ROOT / "notebooks" / "05_app.ipynb", as_version=4)
    [cell] = [cell for cell in notebook.cells if cell.source.startswith("PAGE = ")]
    return re.fullmatch(r'PAGE = """(.*)"""', cell.source.strip(), re.DOTALL)[1].replace("HOME", home)  # type: ignore[index]


@pytest.mark.browser
def test_the_page_shows_answers_as_text_and_stops_them(server: str) -> None:
    html = _page(server)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page()
        page.set_default_timeout(30_000)
        page.route(f"{ORIGIN}/", lambda route: route.fulfill(body=html, content_type="text/html; charset=utf-8"))
        created = page.request.post(f"{server}/agents/assistant/sessions", data={"session_id": "ID"})
        assert created.status == 201
        page.goto(f"{ORIGIN}/")
        page.click("text=Ask")
        page.wait_for_function("document.body.innerText.includes('Blue, <b>for the sea.')")
        page.click("text=Ask")
        page.wait_for_function("document.body.innerText.includes('One')")
        with page.expect_response("**/cancel") as stopped:
            page.click("text=Stop")
        assert stopped.value.ok
        messages = page.request.get(f"{server}/agents/assistant/sessions/ID/messages").json()["messages"]
        assert [each["status"] for each in messages] == ["complete"] * 3 + ["cancelled"]
        browser.close()
