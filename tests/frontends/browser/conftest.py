"""One server for all tests of a process, one browser for those of a file; JupyterLab and Notebook 7 are two pages of it, in which each test has its own cell.

A browser is closed with its file, because playwright's event loop runs in the thread of the tests as long as it is open.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.frontends.browser.chats import Notebook
from tests.frontends.browser.conductor import Conductor
from tests.frontends.lab import Lab, browser

VIEW = {"width": 1280, "height": 900}


@pytest.fixture(scope="session")
def model() -> Iterator[Conductor]:
    conductor = Conductor()
    yield conductor
    conductor.close()


@pytest.fixture
def conductor(model: Conductor) -> Conductor:
    """The model, with nothing planned."""
    model.forget()
    return model


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, model: Conductor) -> Iterator[Lab]:
    live = {"provider": "openai-compatible", "model": "live-1", "base_url": model.url, "api_key": "none"}
    remembering = {"longterm": {"storage_scope": "conversational"}}
    agents = {
        "analyst": {"llm": "live", "description": "Answers questions about the sales figures in this folder."},
        "hands": {"llm": "live", "tools": ["write_file", "execute_command"]},
        "rememberer": {"llm": "live", "memory": remembering},
        "noter": {"llm": "live", "memory": remembering},
    }
    lab = Lab(tmp_path_factory.mktemp("lab"), {"llms": {"live": live}, "agents": agents})
    yield lab
    lab.close()


@pytest.fixture(scope="module")
def context(server: Lab) -> Iterator[BrowserContext]:
    with browser() as launched:
        yield context_of(launched)


def context_of(launched: Browser) -> BrowserContext:
    """A window in which the clipboard may be used."""
    return launched.new_context(viewport=VIEW, permissions=["clipboard-read", "clipboard-write"])


@pytest.fixture(scope="module")
def notebook(context: BrowserContext, server: Lab, request: pytest.FixtureRequest) -> Notebook:
    """A notebook in JupyterLab, with a kernel of its own."""
    return Notebook(context, server, f"{request.module.__name__.rpartition('.')[2]}.ipynb")
