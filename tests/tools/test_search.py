"""Search finds what files say, shows where, keeps up with changes, and leaves alone what it should not see."""

import asyncio
import json
import math
import os
import stat
import struct
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from hector_nb.config.schema import ToolConfig
from hector_nb.errors import ModelUnavailable
from hector_nb.tools import search as search_module
from hector_nb.tools import search_files, search_update
from hector_nb.tools.search import Search
from hector_nb.tools.toolbox import Toolbox
from tests.tools.calling import box, call, context, outcome

pytestmark = pytest.mark.anyio

_MEANINGS = ({"car", "vehicle", "automobile"}, {"dog", "puppy", "hound"}, {"pay", "invoice", "money"})


class Meanings:
    """An embedder that knows three meanings. `texts` are all that it was given."""

    name = "meanings/4"

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def embed(self, texts: Sequence[str]) -> Sequence[bytes]:
        self.texts += texts
        return [self._vector(set(text.lower().split())) for text in texts]

    def _vector(self, words: set[str]) -> bytes:
        values = [float(len(words & meaning)) for meaning in _MEANINGS]
        values.append(0.0 if any(values) else 1.0)
        length = math.hypot(*values)
        return struct.pack("<4f", *(value / length for value in values))


class NotInstalled(Meanings):
    async def embed(self, texts: Sequence[str]) -> Sequence[bytes]:
        raise ModelUnavailable("There is no embedder.")


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
async def tool(root, tmp_path):
    made = Search.from_config(ToolConfig(), folder=root, cache=tmp_path / "cache")
    yield made
    await made.aclose()


def written(root: Path, name: str, text: str, *, ago: float = 60) -> Path:
    """A file that was changed so many seconds ago."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (time.time() - ago, time.time() - ago))
    return path


async def places(tool: Search, query: str, **more: object) -> list[str]:
    """The places that were found."""
    said = await tool.call({"query": query, **more}, context())
    return [part.split("\n")[0] for part in said.split("\n\n") if not part.startswith(("Nothing", "["))]


def toolbox(tool: Search) -> Toolbox:
    return box(tool)


# what is found


async def test_the_answer_names_file_and_line_and_shows_the_lines(tool, root):
    written(root, "docs/setup.md", "# Setup\n\nInstall it first.\nThen connect the turbine.\nThat is all.\n")
    said = (await outcome(toolbox(tool), call("search", query="turbine"))).text
    assert said == "docs/setup.md:4\n3: Install it first.\n4: Then connect the turbine.\n5: That is all."


async def test_words_are_found_in_other_forms(tool, root):
    written(root, "a.txt", "The servers were connected.")
    assert await places(tool, "connecting server") == ["a.txt:1"]


@pytest.mark.parametrize("query", ["make source", "makeSource", "make_source", "source"])
async def test_names_in_code_are_found_by_their_parts(tool, root, query):
    written(root, "a.ts", "export function makeSource() {}")
    written(root, "b.py", "def make_source(): ...")
    assert sorted(await places(tool, query)) == ["a.ts:1", "b.py:1"]


async def test_a_name_that_is_asked_for_as_it_is_written_comes_first(tool, root):
    written(root, "many.py", "makes_source = make_sources = source_maker = making_source = 1")
    written(root, "the.py", "x = 1\ny = 2\n\ndef make_source():\n    return x + y")
    assert (await places(tool, "make_source"))[0] == "the.py:4"


async def test_a_file_is_found_by_its_name(tool, root):
    written(root, "src/turbine_control.py", "x = 1")
    assert await places(tool, "turbine control") == ["src/turbine_control.py:1"]


async def test_a_file_is_found_by_what_it_means(root, tmp_path):
    tool = Search.from_config(ToolConfig(), folder=root, cache=tmp_path / "cache", embedder=Meanings())
    written(root, "a.txt", "my automobile")
    written(root, "b.txt", "my hound")
    assert await places(tool, "car") == ["a.txt:1"]
    assert await places(tool, "puppy") == ["b.txt:1"]
    await tool.aclose()


async def test_words_and_meaning_together_beat_one_of_them(root, tmp_path):
    tool = Search.from_config(ToolConfig(), folder=root, cache=tmp_path / "cache", embedder=Meanings())
    written(root, "meaning.txt", "the vehicle")
    written(root, "words.txt", "every day a red letter day")
    written(root, "both.txt", "the red vehicle")
    assert (await places(tool, "red car"))[0] == "both.txt:1"
    await tool.aclose()


async def test_without_an_embedder_words_are_enough(root, tmp_path, caplog):
    tool = Search.from_config(ToolConfig(), folder=root, cache=tmp_path / "cache", embedder=NotInstalled())
    written(root, "a.txt", "my automobile")
    assert await places(tool, "automobile") == ["a.txt:1"]
    assert await places(tool, "automobile") == ["a.txt:1"]
    assert caplog.messages == ["Files are searched by their words alone: There is no embedder."]
    await tool.aclose()
    later = Search.from_config(ToolConfig(), folder=root, cache=tmp_path / "cache", embedder=Meanings())
    assert await places(later, "car") == ["a.txt:1"]
    await later.aclose()


async def test_nothing_found_is_said(tool, root):
    written(root, "a.txt", "here")
    said = (await outcome(toolbox(tool), call("search", query="elsewhere"))).text
    assert said == "Nothing was found in 1 files. Other words may help."


@pytest.mark.parametrize(
    "query",
    [
        '"',
        "a* OR b",
        'NEAR("turbine"',
        "text:turbine",
        "-turbine ^turbine",
        "turbine'; DROP TABLE words --",
        "\ud800 turbine",
    ],
)
async def test_nothing_in_a_query_is_an_operator(tool, root, query):
    written(root, "a.txt", "turbine, of")
    assert await places(tool, query) == (["a.txt:1"] if "turbine" in query else [])


async def test_words_that_say_nothing_are_searched_for_where_there_is_nothing_else(tool, root):
    written(root, "a.txt", "to be or not to be")
    written(root, "b.txt", "where is the turbine")
    assert await places(tool, "to be") == ["a.txt:1"]
    assert await places(tool, "where is the engine") == []


async def test_the_limit_is_kept_and_one_file_does_not_fill_the_answer(tool, root):
    for number in range(20):
        written(root, f"{number}.txt", "turbine")
    written(root, "long.md", "".join(f"# Part {number}\n\nturbine turbine {'x' * 500}\n" for number in range(20)))
    assert len(await places(tool, "turbine", limit=5)) == 5
    assert len(await places(tool, "turbine")) == 8
    assert sum(place.startswith("long.md") for place in await places(tool, "turbine", limit=30)) == 3


@pytest.mark.parametrize(
    "arguments", [{}, {"query": ""}, {"query": "x", "limit": 0}, {"query": "x", "limit": 31}, {"query": 1}]
)
async def test_arguments_that_do_not_fit_are_refused(tool, arguments):
    assert (await outcome(toolbox(tool), call("search", **arguments))).is_error


async def test_nobody_is_asked(tool):
    assert tool.require_approval == "never"
    assert tool.permits({"query": "x"})


async def test_a_long_line_is_shown_around_the_word(tool, root):
    written(root, "min.js", "var a=1;" * 5000 + "turbine();" + "var b=2;" * 5000)
    said = await tool.call({"query": "turbine"}, context())
    assert "turbine();" in said
    assert len(said) < 300


# notebooks


def notebook(*cells: dict) -> str:
    return json.dumps({"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


async def test_a_notebook_is_found_by_its_cells_with_the_lines_that_read_file_shows(tool, root):
    from hector_nb.tools.read_file import ReadFile

    printed = {"output_type": "stream", "name": "stdout", "text": ["total 42\n"]}
    text = notebook(
        {"cell_type": "markdown", "source": ["# Sales\n", "of turbines"]},
        {"cell_type": "code", "source": "import pandas\nframe = pandas.read_csv('sales.csv')\n", "outputs": [printed]},
    )
    written(root, "a.ipynb", text)
    assert await places(tool, "turbine") == ["a.ipynb:3 (cell 1)"]
    assert await places(tool, "read_csv") == ["a.ipynb:7 (cell 2)"]
    assert await places(tool, "total") == ["a.ipynb:10 (cell 2)"]
    lines = (await ReadFile.from_config(ToolConfig(), folder=root).call({"path": "a.ipynb"}, context())).splitlines()
    assert (lines[2], lines[6], lines[9]) == ("of turbines", "frame = pandas.read_csv('sales.csv')", "total 42")


async def test_only_the_beginning_of_an_output_is_found_and_pictures_are_not(tool, root):
    printed = {"output_type": "stream", "name": "stdout", "text": "".join(f"line{n}\n" for n in range(200))}
    picture = {"output_type": "display_data", "data": {"image/png": "turbine"}}
    written(root, "a.ipynb", notebook({"cell_type": "code", "source": "run()", "outputs": [printed, picture]}))
    assert await places(tool, "line5") == ["a.ipynb:9 (cell 1)"]
    assert await places(tool, "line150") == []
    assert await places(tool, "turbine") == []


async def test_a_broken_notebook_is_text(tool, root):
    written(root, "a.ipynb", '{"cells": [turbine')
    assert await places(tool, "turbine") == ["a.ipynb:1"]


# what is looked into


@pytest.mark.parametrize(
    "name",
    [
        ".env", ".hidden/a.txt", ".git/config.txt", "node_modules/x/a.js", "venv/a.py", "__pycache__/a.py", "prod.env",
        "server.pem", "tls/server.key", "id_rsa", "id_ed25519.pub", "credentials.json", "client_secret_1.json", "secrets.yaml",
        "db-passwords.txt", "service-account.json", ".ipynb_checkpoints/a.ipynb", "store.kdbx",
    ],
)  # fmt: skip
async def test_hidden_files_and_secrets_are_left_out(tool, root, name):
    written(root, name, "turbine")
    written(root, "secrets.py", "turbine")
    assert await places(tool, "turbine") == ["secrets.py:1"]


async def test_links_lead_nowhere(tool, root, tmp_path):
    outside = tmp_path / "outside"
    written(outside, "a.txt", "turbine")
    (root / "folder").symlink_to(outside)
    (root / "file.txt").symlink_to(outside / "a.txt")
    (root / "here").symlink_to(root)
    assert await places(tool, "turbine") == []


async def test_binary_and_large_files_are_left_out_and_large_ones_are_named(tool, root):
    (root / "a.dat").write_bytes(b"turbine\0\1\2")
    (root / "b.png").write_bytes(b"turbine")
    written(root, "large.txt", "turbine " * 200_000)
    os.mkfifo(root / "pipe")
    said = await tool.call({"query": "turbine"}, context())
    assert said == "Nothing was found in 1 files. Other words may help.\n\n[Left out: 1 files that are too large.]"


async def test_other_encodings_are_read(tool, root):
    (root / "a.txt").write_bytes("Größe der Turbine".encode("utf-16"))
    (root / "b.txt").write_bytes("Größe der Turbine".encode("latin-1"))
    assert sorted(await places(tool, "grosse größe")) == ["a.txt:1", "b.txt:1"]


async def test_beyond_the_limits_the_nearest_files_are_searched(tool, root, monkeypatch):
    monkeypatch.setattr(search_files, "_MOST_FILES", 2)
    for name in ("deep/er/c.txt", "a.txt", "b.txt"):
        written(root, name, "turbine")
    said = await tool.call({"query": "turbine"}, context())
    assert sorted(part.split("\n")[0] for part in said.split("\n\n")) == [
        "[There are too many files; only 2 are searched.]", "a.txt:1", "b.txt:1",
    ]  # fmt: skip


async def test_the_bytes_of_all_files_together_are_limited(tool, root, monkeypatch):
    monkeypatch.setattr(search_files, "_MOST_BYTES", 10)
    for name in ("a.txt", "sub/b.txt", "sub/sub/c.txt"):
        written(root, name, "turbine")
    assert "[There are too many files; only 2 are searched.]" in await tool.call({"query": "x"}, context())


async def test_only_the_configured_folders_are_searched(root, tmp_path):
    for name in ("docs/a.md", "src/b.py", "c.txt"):
        written(root, name, "turbine")
    written(tmp_path, "notes/d.md", "turbine")
    config = ToolConfig(folders=("docs", str(tmp_path / "notes"), "missing"))
    tool = Search.from_config(config, folder=root, cache=tmp_path / "cache")
    said = await tool.call({"query": "turbine"}, context())
    assert sorted(part.split("\n")[0] for part in said.split("\n\n")) == sorted(
        [(tmp_path / "notes/d.md").as_posix() + ":1", f"[The folder {root / 'missing'} does not exist.]", "docs/a.md:1"]
    )
    await tool.aclose()


async def test_a_file_in_two_folders_is_found_once(root, tmp_path):
    for name in ("docs/a.md", "b.txt", ".notes/c.txt"):
        written(root, name, "turbine")
    config = ToolConfig(folders=(".", "docs", ".notes", "./docs/"))
    tool = Search.from_config(config, folder=root, cache=tmp_path / "cache")
    assert sorted(await places(tool, "turbine")) == [".notes/c.txt:1", "b.txt:1", "docs/a.md:1"]
    await tool.aclose()


# the index


async def test_what_was_changed_or_erased_is_gone(tool, root):
    path = written(root, "a.txt", "turbine")
    written(root, "b.txt", "turbine")
    assert sorted(await places(tool, "turbine")) == ["a.txt:1", "b.txt:1"]
    written(root, "a.txt", "engine", ago=30)
    assert await places(tool, "turbine") == ["b.txt:1"]
    assert await places(tool, "engine") == ["a.txt:1"]
    path.unlink()
    assert await places(tool, "engine") == []


async def test_a_change_within_the_same_moment_is_noticed(tool, root):
    path = root / "a.txt"
    path.write_text("turbine")
    now = path.stat()
    assert await places(tool, "turbine") == ["a.txt:1"]
    path.write_text("engines")
    os.utime(path, ns=(now.st_atime_ns, now.st_mtime_ns))
    assert await places(tool, "engines") == ["a.txt:1"]
    assert await places(tool, "turbine") == []


async def test_a_place_that_is_gone_since_the_index_was_brought_up_to_date_is_left_out(tool, root, monkeypatch):
    written(root, "a.txt", "\n" * 50 + "turbine")
    written(root, "b.txt", "turbine")
    await places(tool, "turbine")
    read = search_module.read
    monkeypatch.setattr(search_module, "read", lambda fence, path: "short" if path == "a.txt" else read(fence, path))
    assert await places(tool, "turbine") == ["b.txt:1"]
    monkeypatch.setattr(search_module, "read", lambda fence, path: None)
    assert await places(tool, "turbine") == []


async def test_only_what_has_changed_is_read_again(tool, root, monkeypatch):
    looked_at: list[str] = []
    read = search_update.read
    monkeypatch.setattr(search_update, "read", lambda fence, path: looked_at.append(path) or read(fence, path))
    written(root, "a.txt", "turbine")
    written(root, "b.txt", "turbine")
    await places(tool, "engine")
    assert sorted(looked_at) == ["a.txt", "b.txt"]
    written(root, "b.txt", "turbines", ago=30)
    await places(tool, "engine")
    await places(tool, "engine")
    assert looked_at[2:] == ["b.txt"]


async def test_the_index_outlives_its_process_and_holds_no_text(root, tmp_path):
    written(root, "a.txt", "my automobile")
    config, cache, embedder = ToolConfig(), tmp_path / "cache", Meanings()
    first = Search.from_config(config, folder=root, cache=cache, embedder=embedder)
    assert await places(first, "car") == ["a.txt:1"]
    await first.aclose()
    await first.aclose()
    (file,) = cache.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert b"my automobile" not in file.read_bytes()
    given = len(embedder.texts)
    second = Search.from_config(config, folder=root, cache=cache, embedder=embedder)
    assert await places(second, "vehicle") == ["a.txt:1"]
    assert embedder.texts[given:] == ["vehicle"]
    (root / "a.txt").unlink()
    assert await places(second, "vehicle") == []
    await second.aclose()
    assert b"automobil" not in file.read_bytes()


async def test_several_share_an_index(root, tmp_path):
    for number in range(50):
        written(root, f"{number}.txt", f"turbine number{number}")
    tools = [
        Search.from_config(ToolConfig(), folder=root, cache=tmp_path / "cache", embedder=Meanings()) for _ in range(4)
    ]
    found = await asyncio.gather(*(places(tool, f"number{number}") for number, tool in enumerate(tools)))
    assert [each[0] for each in found] == ["0.txt:1", "1.txt:1", "2.txt:1", "3.txt:1"]
    for tool in tools:
        await tool.aclose()


@pytest.mark.parametrize("content", [b"this is no database, and long enough to be one" * 100, b""])
async def test_a_broken_index_is_made_again(tool, root, content):
    written(root, "a.txt", "turbine")
    assert await places(tool, "turbine") == ["a.txt:1"]
    await tool.aclose()
    (file,) = tool._cache.iterdir()
    file.write_bytes(content)
    assert await places(tool, "turbine") == ["a.txt:1"]


async def test_an_index_that_cannot_be_written_is_explained(root, tmp_path):
    (tmp_path / "cache").write_text("a file")
    tool = Search.from_config(ToolConfig(), folder=root, cache=tmp_path / "cache")
    answer = await outcome(toolbox(tool), call("search", query="x"))
    assert answer.is_error
    assert "File exists" in answer.text


async def test_an_index_that_nobody_uses_any_more_is_thrown_away(tool, root, tmp_path):
    old = tmp_path / "cache" / "old.db"
    old.parent.mkdir()
    old.write_text("")
    os.utime(old, (0, 0))
    await places(tool, "x")
    assert not old.exists()


# time


async def test_a_first_search_that_has_not_the_time_says_how_far_it_came_and_the_next_goes_on(tool, root, monkeypatch):
    monkeypatch.setattr(search_update, "_BATCH_FILES", 2)
    monkeypatch.setattr(search_module, "_WORDS_WITHIN", -1)
    for number in range(5):
        written(root, f"{number}.txt", "turbine")
    said = await tool.call({"query": "turbine"}, context())
    assert said.endswith("[Indexed 2 of 5 files so far; search again for the rest.]")
    said = await tool.call({"query": "turbine"}, context())
    assert said.endswith("[Indexed 4 of 5 files so far; search again for the rest.]")
    assert "[" not in await tool.call({"query": "turbine"}, context())


async def test_words_come_before_meaning(root, tmp_path, monkeypatch):
    embedder = Meanings()
    tool = Search.from_config(ToolConfig(), folder=root, cache=tmp_path / "cache", embedder=embedder)
    monkeypatch.setattr(search_module, "_MEANING_WITHIN", -1)
    written(root, "a.txt", "my automobile")
    said = await tool.call({"query": "automobile"}, context())
    assert said == "a.txt:1\n1: my automobile\n\n[0 of 1 files can be found by meaning so far, all by their words.]"
    monkeypatch.undo()
    assert await places(tool, "vehicle") == ["a.txt:1"]
    await tool.aclose()


async def test_a_cancelled_search_leaves_an_index_that_works(tool, root, monkeypatch):
    for number in range(3):
        written(root, f"{number}.txt", "turbine")
    begun, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    read = search_update.read

    def slow(fence, path):
        loop.call_soon_threadsafe(begun.set)
        assert go_on.wait(30)
        return read(fence, path)

    monkeypatch.setattr(search_update, "read", slow)
    task = asyncio.create_task(places(tool, "turbine"))
    async with asyncio.timeout(30):
        await begun.wait()
        task.cancel()
        loop.call_later(0, go_on.set)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert sorted(await places(tool, "turbine")) == ["0.txt:1", "1.txt:1", "2.txt:1"]
