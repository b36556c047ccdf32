"""Files are written, read and listed inside the fence, and a call that cannot be done says why."""

import json
import os
import stat

import pytest

from hector_nb.config.schema import ToolConfig
from hector_nb.tools import write_file as write_file_module
from hector_nb.tools.list_files import ListFiles
from hector_nb.tools.read_file import ReadFile
from hector_nb.tools.toolbox import CheckedCall
from hector_nb.tools.write_file import WriteFile
from tests.tools.calling import box, call, outcome

pytestmark = pytest.mark.anyio


@pytest.fixture
def base(tmp_path):
    root = tmp_path / "base"
    root.mkdir()
    (tmp_path / "base2").mkdir()
    return root


@pytest.fixture
def toolbox(base):
    return made(base)


def made(base, **settings):
    config = ToolConfig(**settings)
    return box(*(tool.from_config(config, folder=base) for tool in (WriteFile, ReadFile, ListFiles)))


async def said(toolbox, name, **arguments) -> str:
    done = await outcome(toolbox, call(name, **arguments))
    assert not done.is_error, done.text
    return done.text


async def refused(toolbox, name, **arguments) -> str:
    done = await outcome(toolbox, call(name, **arguments))
    assert done.is_error, done.text
    return done.text


# write_file


async def test_the_page_s_file_is_written(toolbox, base):
    assert await said(toolbox, "write_file", path="hello.py", content="print('Hello')") == "Wrote 14 bytes to hello.py."
    assert (base / "hello.py").read_text() == "print('Hello')"
    assert [entry.name for entry in base.iterdir()] == ["hello.py"]


async def test_bytes_are_counted_and_line_ends_kept(toolbox, base):
    assert await said(toolbox, "write_file", path="a", content="grüße\r\n") == "Wrote 9 bytes to a."
    assert (base / "a").read_bytes() == "grüße\r\n".encode()


async def test_missing_folders_are_made_and_the_place_is_told_from_the_root(toolbox, base):
    text = await said(toolbox, "write_file", path=f"{base}/a/./b/../c/x.txt", content="x")
    assert text == "Wrote 1 bytes to a/c/x.txt."
    assert (base / "a/c/x.txt").read_text() == "x"


async def test_a_file_that_is_replaced_keeps_its_mode_and_its_links(toolbox, base):
    (base / "run.sh").write_text("old")
    (base / "run.sh").chmod(0o754)
    (base / "alias").symlink_to("run.sh")
    await said(toolbox, "write_file", path="alias", content="new")
    assert (base / "run.sh").read_text() == "new"
    assert stat.S_IMODE((base / "run.sh").stat().st_mode) == 0o754
    assert (base / "alias").is_symlink()


async def test_a_new_file_has_the_mode_that_the_user_s_mask_gives(toolbox, base):
    (base / "by_python").touch()
    await said(toolbox, "write_file", path="by_tool", content="x")
    assert (base / "by_tool").stat().st_mode == (base / "by_python").stat().st_mode


async def test_a_second_name_of_the_file_outside_keeps_the_old_content(toolbox, base):
    (base.parent / "base2" / "theirs").write_text("theirs")
    os.link(base.parent / "base2" / "theirs", base / "mine")
    await said(toolbox, "write_file", path="mine", content="mine")
    assert (base.parent / "base2" / "theirs").read_text() == "theirs"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("../base2/x", "outside"),
        ("{base}2/x", "outside"),
        ("out/x", "outside"),
        ("/etc/x", "outside"),
        ("", "empty"),
        ("folder", "folder is a folder"),
        ("folder/", "names a folder"),
        (".", "names a folder"),
        ("file/x", "file is not a folder"),
        ("pipe", "not a regular file"),
        ("/dev/null", "outside"),
        ("a\nb", "control character"),
        ("x" * 300, "too long"),
    ],
)
async def test_a_place_that_cannot_be_written_is_refused_and_nothing_changes(toolbox, base, path, told):
    (base / "folder").mkdir()
    (base / "file").write_text("old")
    (base / "out").symlink_to(base.parent / "base2")
    os.mkfifo(base / "pipe")
    before = sorted(base.iterdir())
    assert told in await refused(toolbox, "write_file", path=path.format(base=base), content="x")
    assert sorted(base.iterdir()) == before
    assert list((base.parent / "base2").iterdir()) == []
    assert (base / "file").read_text() == "old"


async def test_the_size_is_bounded(base):
    small = made(base, max_size=5)
    await said(small, "write_file", path="a", content="12345")
    text = await refused(small, "write_file", path="b", content="123456")
    assert text == "The content has 6 bytes; at most 5 are allowed."
    assert not (base / "b").exists()


async def test_a_mebibyte_may_be_written_where_nothing_else_is_configured(toolbox):
    await said(toolbox, "write_file", path="a", content="x" * 1024 * 1024)
    assert "at most 1,048,576" in await refused(toolbox, "write_file", path="a", content="x" * (1024 * 1024 + 1))


async def test_a_lone_surrogate_is_refused(toolbox):
    assert "surrogate" in await refused(toolbox, "write_file", path="a", content="half \ud83d")


async def test_a_write_that_fails_leaves_the_old_file_and_no_litter(toolbox, base, monkeypatch):
    (base / "a").write_text("old")

    def full(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write_file_module.os, "fsync", full)
    assert "No space left on device" in await refused(toolbox, "write_file", path="a", content="new")
    assert (base / "a").read_text() == "old"
    assert [entry.name for entry in base.iterdir()] == ["a"]


async def test_calls_at_once_leave_one_whole_file(toolbox, base):
    import asyncio

    texts = [letter * 100_000 for letter in "abcdefgh"]
    await asyncio.gather(*(said(toolbox, "write_file", path="x", content=text) for text in texts))
    assert (base / "x").read_text() in texts
    assert [entry.name for entry in base.iterdir()] == ["x"]


async def test_writing_asks_first_unless_a_written_root_is_a_rule(base):
    async def asked(**settings):
        toolbox = made(base, **settings)
        checked = await toolbox.check(call("write_file", path="x", content="x"))
        assert isinstance(checked, CheckedCall)
        return toolbox.needs_approval(checked)

    assert await asked()
    assert await asked(root=".")
    assert await asked(require_approval="rules")
    assert not await asked(require_approval="rules", root=".")
    assert not await asked(require_approval="never")


async def test_nobody_is_asked_about_a_place_outside(toolbox):
    assert not isinstance(await toolbox.check(call("write_file", path="../x", content="x")), CheckedCall)


# read_file


async def test_a_file_is_read_as_it_is(toolbox, base):
    (base / "a.txt").write_text("one\ntwo\n")
    assert await said(toolbox, "read_file", path="a.txt") == "one\ntwo\n"


async def test_lines_are_read_and_named(toolbox, base):
    (base / "a.txt").write_text("".join(f"{number}\n" for number in range(1, 11)))
    assert await said(toolbox, "read_file", path="a.txt", offset=3, limit=2) == "3\n4\n[lines 3 to 4 of 10]"
    assert await said(toolbox, "read_file", path="a.txt", offset=9) == "9\n10\n[lines 9 to 10 of 10]"
    assert await said(toolbox, "read_file", path="a.txt", limit=1) == "1\n[lines 1 to 1 of 10]"
    assert await refused(toolbox, "read_file", path="a.txt", offset=11) == "There are only 10 lines."


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "(The file is empty.)"),
        ("grüße".encode(), "grüße"),
        ("grüße".encode("utf-8-sig"), "grüße"),
        ("grüße".encode("utf-16"), "grüße"),
        ("grüße".encode("latin-1"), "grüße"),
    ],
    ids=["empty", "UTF-8", "UTF-8 with mark", "UTF-16", "Latin-1"],
)
async def test_encodings_are_understood(toolbox, base, content, text):
    (base / "a.txt").write_bytes(content)
    assert await said(toolbox, "read_file", path="a.txt") == text


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\xff\xfe\xff", b"\xff\x01\x02\x03"])
async def test_a_binary_file_is_named_with_its_size(toolbox, base, content):
    (base / "a.png").write_bytes(content)
    text = await refused(toolbox, "read_file", path="a.png")
    assert text == f"a.png is not a text file; it has {len(content)} bytes."


async def test_an_enormous_file_is_named_with_its_size(toolbox, base):
    with (base / "a").open("wb") as file:
        file.truncate(1024**4)
    assert (
        await refused(toolbox, "read_file", path="a")
        == "a has 1,099,511,627,776 bytes; at most 16,777,216 can be read."
    )


async def test_a_notebook_is_read_as_the_text_of_its_cells(toolbox, base):
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Title\n", "text"]},
        {
            "cell_type": "code",
            "source": "print(1)",
            "outputs": [
                {"output_type": "stream", "name": "stdout", "text": ["1\n"]},
                {"output_type": "execute_result", "data": {"text/plain": ["2"], "image/png": "AAAA"}},
                {"output_type": "error", "ename": "KeyError", "evalue": "'x'", "traceback": []},
            ],
        },
    ]
    (base / "a.ipynb").write_text(json.dumps({"cells": cells, "nbformat": 4}))
    assert await said(toolbox, "read_file", path="a.ipynb") == (
        "# %% [markdown]\n# Title\ntext\n\n# %%\nprint(1)\n# Output:\n1\n2\nKeyError: 'x'"
    )


@pytest.mark.parametrize(
    "content", ["no JSON", "[]", '{"cells": 5}', '{"cells": [5]}', '{"cells": [{}]}', "[" * 100_000]
)
async def test_a_notebook_that_is_none_is_read_as_it_is(toolbox, base, content):
    (base / "a.ipynb").write_text(content)
    assert (await said(toolbox, "read_file", path="a.ipynb")).startswith(content[:100])


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("missing", "There is no file missing."),
        ("no/such", "There is no folder no."),
        ("folder", "folder is a folder"),
        (".", "is a folder; list_files"),
        ("../base2/x", "outside"),
        ("secret", "outside"),
        ("pipe", "not a regular file"),
        ("/dev/zero", "outside"),
    ],
)
async def test_what_cannot_be_read_is_refused(toolbox, base, path, told):
    (base / "folder").mkdir()
    (base / "secret").symlink_to("/etc/passwd")
    os.mkfifo(base / "pipe")
    assert told in await refused(toolbox, "read_file", path=path)


# list_files


async def test_files_are_listed_nearest_first_and_tools_folders_only_named(toolbox, base):
    for name in ("b.py", "a.txt", "sub/c.py", "sub/deep/d.py", ".git/config", "node_modules/x/y.js"):
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).touch()
    (base / "empty").mkdir()
    (base / "link").symlink_to("/etc")
    assert (await said(toolbox, "list_files")).splitlines() == [
        "a.txt",
        "b.py",
        "link",
        ".git/",
        "node_modules/",
        "empty/",
        "sub/c.py",
        "sub/deep/d.py",
    ]
    assert await said(toolbox, "list_files", path="sub") == "sub/c.py\nsub/deep/d.py"
    assert await said(toolbox, "list_files", path=".git") == ".git/config"
    assert await said(toolbox, "list_files", pattern="*.py") == "b.py\nsub/c.py\nsub/deep/d.py"
    assert await said(toolbox, "list_files", pattern="sub/**/*.py") == "sub/c.py\nsub/deep/d.py"
    assert await said(toolbox, "list_files", path="sub", pattern="deep/*") == "sub/deep/d.py"
    assert await said(toolbox, "list_files", pattern="*.md") == "(There are no such files.)"


async def test_an_empty_folder_has_no_files(toolbox):
    assert await said(toolbox, "list_files") == "(There are no such files.)"


async def test_a_long_list_ends_and_says_so(toolbox, base):
    for number in range(600):
        (base / f"{number:03}").touch()
    lines = (await said(toolbox, "list_files")).splitlines()
    assert lines[499:] == ["499", "[There may be more; give a path or a pattern that says more.]"]


async def test_an_odd_name_stays_on_one_line(toolbox, base):
    (base / "a\nb").touch()
    assert await said(toolbox, "list_files") == "'a\\nb'"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("..", "outside"),
        ("missing", "There is no folder missing."),
        ("file", "file is not a folder."),
        ("out", "outside"),
    ],
)
async def test_what_cannot_be_listed_is_refused(toolbox, base, path, told):
    (base / "file").touch()
    (base / "out").symlink_to("/etc")
    assert told in await refused(toolbox, "list_files", path=path)


async def test_reading_and_listing_ask_nobody(toolbox, base):
    (base / "a").touch()
    for wanted in (call("read_file", path="a"), call("list_files")):
        checked = await toolbox.check(wanted)
        assert isinstance(checked, CheckedCall)
        assert checked.permitted
        assert not toolbox.needs_approval(checked)


async def test_without_its_root_every_file_tool_says_so(tmp_path):
    gone = made(tmp_path / "gone")
    for name, arguments in (
        ("write_file", {"path": "x", "content": "x"}),
        ("read_file", {"path": "x"}),
        ("list_files", {}),
    ):
        assert "gone does not exist" in await refused(gone, name, **arguments)


async def test_limits_of_the_configuration_take_effect(base):
    config = ToolConfig(timeout=5, max_output=10, approval_timeout=7, require_approval="rules")
    for tool in (WriteFile, ReadFile, ListFiles):
        one = tool.from_config(config, folder=base)
        assert (one.timeout, one.max_output, one.approval_timeout, one.require_approval) == (5, 10, 7, "rules")
