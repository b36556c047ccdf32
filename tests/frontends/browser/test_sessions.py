"""Sessions and memory behind a chat: list, fork, rename, export, look into, correct and forget, in JupyterLab."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.frontends.browser.chats import Chat, Notebook
from tests.frontends.browser.conductor import PATIENCE, Conductor
from tests.frontends.lab import Lab

pytestmark = pytest.mark.browser

_AGREE = """([chat, before]) => {
    const total = chat.querySelector('.side .total strong').textContent;
    return total !== before && total === chat.querySelector('.meter').innerText.split('/')[0].trim();
}"""
"""The inspector and the meter tell the same number, which is a new one; they do not change at the same moment."""

TAKEN_IN = f"""import time
until = time.monotonic() + {PATIENCE}
while chat.memory.memory.pending:
    assert time.monotonic() < until
    time.sleep(0.02)"""


def _say(chat: Chat, conductor: Conductor, question: str, reply: str) -> None:
    conductor.next().say(reply).end()
    chat.send(question)
    expect(chat.last.locator(".question-text")).to_have_text(question)
    expect(chat.foot).to_contain_text("20 tokens")
    expect(chat.button("Send")).to_be_visible()


def _menu(chat: Chat, item: str) -> None:
    chat.button("More").click()
    chat.popover.get_by_role("menuitem", name=item).click()


def test_a_session_is_renamed_forked_found_again_and_opened(notebook: Notebook, conductor: Conductor) -> None:
    chat = notebook.chat("analyst")
    _say(chat, conductor, "Aardvarks?", "First.")
    _say(chat, conductor, "More?", "Second.")
    _menu(chat, "Rename…")
    chat.popover.get_by_label("Title of this session").fill("All about aardvarks")
    notebook.page.keyboard.press("Enter")
    expect(chat.button("Session: All about aardvarks")).to_be_visible()
    chat.turns.first.get_by_role("button", name="Fork from here").click()
    expect(chat.turns).to_have_count(1)
    _say(chat, conductor, "Otherwise?", "Third.")
    chat.root.locator(".session-button").click()
    chat.root.get_by_label("Search sessions").fill("all about aardvarks")
    expect(chat.popover.get_by_role("option", name="aardvarks")).to_have_count(2)
    chat.popover.get_by_role("option", name="All about aardvarks 4 messages").filter(
        has_not_text="this session"
    ).click()
    expect(chat.answer()).to_have_text("Second.")
    chat.root.locator(".session-button").click()
    chat.popover.get_by_role("option", name="New session", exact=True).click()
    expect(chat.turns).to_have_count(0)
    expect(chat.root).to_contain_text("Answers questions about the sales figures in this folder.")


def test_a_session_is_saved_as_a_file(notebook: Notebook, conductor: Conductor) -> None:
    chat = notebook.chat("analyst")
    _say(chat, conductor, "Save me", "**Saved**.")
    for item, ending in (("Markdown", ".md"), ("Notebook", ".ipynb"), ("JSON", ".json")):
        _menu(chat, "Export…")
        with notebook.page.expect_download() as download:
            chat.popover.get_by_role("menuitem", name=item).click()
        assert download.value.suggested_filename.endswith(ending)
        text = Path(download.value.path()).read_text()
        assert "Save me" in text
        assert "**Saved**." in text
        if ending != ".md":
            json.loads(text)


def test_the_inspector_shows_what_the_model_saw_in_any_turn(notebook: Notebook, conductor: Conductor) -> None:
    chat = notebook.chat("analyst")
    _say(chat, conductor, "One?", "First.")
    _say(chat, conductor, "Two?", "Second.")
    chat.button("Memory").click()
    total, pager = chat.side.locator(".total"), chat.side.locator(".pager")
    expect(pager).to_contain_text("Now")
    before = total.locator("strong").inner_text()
    _say(chat, conductor, "Three?", "Third.")
    chat.page.wait_for_function(_AGREE, arg=[chat.root.element_handle(), before])
    chat.side.get_by_role("button", name="Older turn").click()
    chat.side.get_by_role("button", name="Older turn").click()
    expect(pager).to_contain_text("2 of 3")
    row = chat.side.get_by_role("button", name="Messages")
    expect(row).to_contain_text("3")
    chat.side.get_by_role("button", name="Older turn").click()
    expect(pager).to_contain_text("1 of 3")
    expect(chat.side.locator(".account-question")).to_have_text("One?")
    chat.side.get_by_role("button", name="Messages").click()
    expect(chat.side.locator(".message-line")).to_have_count(1)
    tokens = chat.side.locator(".ledger-tokens").all_inner_texts()
    said = total.locator("strong").inner_text()
    assert sum(int(text.split()[0]) for text in tokens) == int(said.lstrip("~"))
    bar = chat.side.get_by_role("img").first.get_attribute("aria-label") or ""
    assert f"{said.replace('~', 'about ')} of 4,000 tokens" in bar


def test_memories_are_searched_corrected_forgotten_and_put_back(notebook: Notebook, conductor: Conductor) -> None:
    chat = notebook.chat("rememberer")
    _say(chat, conductor, "My dog is called Rex.", "Noted.")
    _say(chat, conductor, "The office is in Lyon.", "Noted, too.")
    _menu(chat, "End session…")
    chat.popover.get_by_role("button", name="End session").click()
    expect(chat.root.locator(".closed")).to_contain_text("This session has ended.")
    notebook.run(TAKEN_IN)  # the session is over before the last of it is remembered
    chat.button("Memory").click()
    chat.side.get_by_role("tab", name="Long-term").click()
    memories = chat.side.locator(".memory")
    expect(memories).to_have_count(2)
    chat.side.get_by_label("Search memories").fill("dog Rex")
    expect(memories.first).to_contain_text("My dog is called Rex.")
    expect(chat.side.locator(".longterm-count")).to_contain_text("best match first")
    expect(memories.first.locator("mark").first).to_be_visible()
    memories.first.get_by_role("button", name="Correct").click()
    chat.side.get_by_label("Correct this memory").fill("My dog is called Max.")
    expect(chat.side.locator(".correction-was")).to_contain_text("Rex")
    chat.side.get_by_label("Correct this memory").press("Control+Enter")
    expect(memories.first).to_contain_text("My dog is called Max.")
    expect(memories.first).to_contain_text("corrected")
    memories.first.get_by_role("button", name="Forget").click()
    expect(memories.first).to_contain_text("Forgotten: “My dog is called Max.”")
    memories.first.get_by_role("button", name="Undo").click()
    expect(memories.first.locator(".memory-text")).to_contain_text("Max")
    chat.side.get_by_label("Search memories").fill("")
    expect(memories).to_have_count(2)
    conductor.next().say("It is Max.").end()
    chat.button("Continue in a fork").click()
    chat.send("What is my dog called?")
    expect(chat.answer()).to_have_text("It is Max.")


def test_an_ended_session_is_read_only(notebook: Notebook, conductor: Conductor) -> None:
    chat = notebook.chat("analyst")
    _say(chat, conductor, "Hi", "Hello.")
    _menu(chat, "End session…")
    chat.popover.get_by_role("button", name="End session").click()
    expect(chat.draft).to_have_count(0)
    expect(chat.button("Answer again")).to_have_count(0)
    expect(chat.button("Edit this question")).to_have_count(0)


def test_the_file_holds_text_where_there_are_no_widgets(notebook: Notebook, conductor: Conductor, server: Lab) -> None:
    chat = notebook.chat("analyst", ", session=None")
    _say(chat, conductor, "Hi", "Hello **there**.")
    cell = notebook.run("chat")
    place = notebook.cells.count() - 1
    notebook.save()
    [output] = _outputs(server, notebook, place)
    assert output["data"]["application/vnd.jupyter.widget-view+json"]
    assert "Chat with analyst · sess_" in "".join(output["data"]["text/plain"])
    assert "Hello **there**." in "".join(output["data"]["text/markdown"])
    chat = Chat(notebook.page, cell)
    _menu(chat, "Freeze as text…")
    chat.popover.get_by_role("button", name="Freeze").click()
    expect(cell.locator(".jp-RenderedMarkdown strong", has_text="there")).to_be_visible()
    expect(cell.locator(".chat")).to_have_count(0)
    cell.locator(".jp-RenderedMarkdown").click()
    notebook.save()
    for at in (place - 1, place):
        [output] = _outputs(server, notebook, at)
        assert "application/vnd.jupyter.widget-view+json" not in output["data"]
        assert "Hello **there**." in "".join(output["data"]["text/markdown"])


def _outputs(server: Lab, notebook: Notebook, place: int) -> list[dict]:
    cells = json.loads((server.notebooks / notebook.name).read_text())["cells"]
    return [output for output in cells[place]["outputs"] if output["output_type"] == "display_data"]
