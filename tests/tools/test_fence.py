"""Nothing outside of the root is reached, however the path is written."""

import os
import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hector_nb.config.schema import ToolConfig
from hector_nb.tools.base import ToolError
from hector_nb.tools.fence import Fence


@pytest.fixture
def base(tmp_path):
    """A root, with a neighbour whose name begins alike."""
    root = tmp_path / "base"
    (root / "inner").mkdir(parents=True)
    (root / "inner" / "note.txt").write_text("inside")
    (tmp_path / "base2").mkdir()
    (tmp_path / "base2" / "secret.txt").write_text("outside")
    return root


@pytest.fixture
def fence(base):
    return Fence(base)


@pytest.mark.parametrize(
    "path",
    [
        "inner/note.txt",
        "./inner//note.txt",
        "inner/../inner/note.txt",
        "{base}/inner/note.txt",
        "missing/../inner/note.txt",
    ],
)
def test_every_way_to_write_an_inner_path_is_fine(fence, base, path):
    assert fence.inside(path.format(base=base)).as_posix() == "inner/note.txt"


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "../base2/secret.txt",
        "inner/../../base2/secret.txt",
        "{base}2/secret.txt",
        "{base}/../base2/secret.txt",
        "/etc/passwd",
        "/",
        "//etc/passwd",
        "/proc/self/cwd/x",
        "/dev/null",
    ],
)
def test_a_path_that_leads_out_is_refused_and_the_text_says_what_is_allowed(fence, base, path):
    with pytest.raises(ToolError) as refused:
        fence.inside(path.format(base=base))
    assert f"Only files in {base} may be used; give a path relative to it." in str(refused.value)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("", "empty"),
        ("a\x00b", "control character"),
        ("a\nb", "control character"),
        ("a\x1b[31mb", "control character"),
        ("a\ud800", "control character"),
        ("~", "not expanded"),
        ("~/x", "not expanded"),
        ("~root/x", "not expanded"),
        ("C:\\Windows\\x", "drive"),
        ("c:x", "drive"),
        ("C:/x", "drive"),
        ("\\\\server\\share\\x", "drive"),
    ],
)
def test_a_text_that_is_no_usable_path_is_refused(fence, path, told):
    with pytest.raises(ToolError, match=told):
        fence.inside(path)


def test_a_name_that_begins_with_a_tilde_can_be_written(fence):
    assert fence.inside("./~note").as_posix() == "~note"


def test_a_path_without_end_is_refused(fence):
    with pytest.raises((ToolError, OSError)), fence.folder(fence.inside("x" * 5000).parent) as folder:
        folder.open("x" * 5000, os.O_RDONLY)


def test_a_link_to_the_outside_is_refused(fence, base):
    (base / "out").symlink_to(base.parent / "base2")
    (base / "file").symlink_to("/etc/passwd")
    (base / "inner" / "up").symlink_to("../..")
    for path in ("out", "out/secret.txt", "file", "inner/up/base2/secret.txt"):
        with pytest.raises(ToolError, match="outside"):
            fence.inside(path)


def test_a_link_that_stays_inside_is_followed(fence, base):
    (base / "alias").symlink_to("inner")
    assert fence.inside("alias/note.txt").as_posix() == "inner/note.txt"


STEPS = st.lists(
    st.sampled_from(["..", ".", "", "inner", "note.txt", "out", "alias", "up", "base2", "secret.txt", "new"])
)


@given(steps=STEPS, start=st.sampled_from(["", "/", "{base}/", "{base}2/"]))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_path_at_all_reads_what_is_outside(fence, base, steps, start):
    for name, target in (("out", "../base2"), ("alias", "inner"), ("inner/up", "../..")):
        if not (base / name).is_symlink():
            (base / name).symlink_to(target)
    try:
        place = fence.inside(start.format(base=base) + "/".join(steps))
        with fence.folder(place.parent) as folder, os.fdopen(folder.open(place.name, os.O_RDONLY)) as file:
            assert file.read() == "inside"
    except (ToolError, OSError):
        pass


def test_links_in_a_circle_lead_nowhere(fence, base):
    (base / "a").symlink_to("b")
    (base / "b").symlink_to("a")
    with pytest.raises(ToolError), fence.folder(fence.inside("a")):
        pass


def test_a_root_that_is_a_link_is_the_folder_it_points_to(tmp_path, base):
    (tmp_path / "link").symlink_to(base)
    fence = Fence(tmp_path / "link")
    assert fence.inside(f"{base}/inner").as_posix() == "inner"
    assert fence.inside(f"{tmp_path}/link/inner").as_posix() == "inner"


def test_a_folder_swapped_for_a_link_after_the_check_is_not_followed(fence, base):
    checked = fence.inside("inner/note.txt")
    (base / "inner").rename(base / "was_inner")
    (base / "inner").symlink_to(base.parent / "base2")
    with pytest.raises(ToolError, match="inner is"), fence.folder(checked.parent):
        pass


def test_a_file_swapped_for_a_link_after_the_check_is_not_followed(fence, base):
    checked = fence.inside("inner/note.txt")
    (base / "inner" / "note.txt").unlink()
    (base / "inner" / "note.txt").symlink_to(base.parent / "base2" / "secret.txt")
    with fence.folder(checked.parent) as folder, pytest.raises(ToolError, match="symbolic link"):
        folder.open("note.txt", os.O_RDONLY)


def test_a_folder_swapped_while_it_is_open_stays_the_one_that_was_checked(fence, base):
    with fence.folder(fence.inside("inner")) as folder:
        (base / "inner").rename(base / "was_inner")
        (base / "inner").symlink_to(base.parent / "base2")
        fd = folder.open("note.txt", os.O_RDONLY)
        with os.fdopen(fd) as file:
            assert file.read() == "inside"


def test_pipes_sockets_and_devices_are_not_opened(fence, base, monkeypatch):
    os.mkfifo(base / "pipe")
    monkeypatch.chdir(base)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        with fence.folder(fence.inside(".")) as folder:
            for name in ("pipe", "socket", "inner"):
                for flags in (os.O_RDONLY, os.O_WRONLY):
                    with pytest.raises((ToolError, IsADirectoryError)):
                        folder.open(name, flags)


def test_no_descriptor_is_left_open(fence, base):
    (base / "a").symlink_to("a")
    before = len(list(Path("/dev/fd").iterdir()))
    for path in ("inner", "inner/note.txt/x", "missing/x", "a/b"):
        try:
            with fence.folder(fence.inside(path)) as folder:
                folder.open("inner", os.O_RDONLY)
        except (ToolError, OSError):
            pass
    assert len(list(Path("/dev/fd").iterdir())) == before


def test_a_root_that_is_missing_is_named(tmp_path):
    with pytest.raises(ToolError, match=r"gone does not exist"), Fence(tmp_path / "gone").folder(Path("x")):
        pass


@pytest.mark.parametrize("root", ["sub", "./sub", "{folder}/sub", "other/../sub"])
def test_the_configured_root_is_relative_to_the_files_folder(tmp_path, root):
    config = ToolConfig(root=root.format(folder=tmp_path))
    assert Fence.from_config(config, folder=tmp_path).root == tmp_path / "sub"


def test_without_a_root_the_files_folder_is_taken(tmp_path):
    assert Fence.from_config(ToolConfig(), folder=tmp_path).root == tmp_path


def test_a_root_may_be_written_with_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Fence.from_config(ToolConfig(root="~/sub"), folder=tmp_path / "x").root == tmp_path / "sub"


def test_where_folders_cannot_be_opened_the_resolved_path_is_used(fence, base, monkeypatch):
    monkeypatch.setattr("hector_nb.tools.fence._HAS_DIR_FD", False)
    with fence.folder(fence.inside("new/deep"), make=True) as folder:
        assert folder.fd is None
        with os.fdopen(folder.open("x", os.O_WRONLY | os.O_CREAT), "w") as file:
            file.write("x")
        with folder.scan() as entries:
            assert [entry.name for entry in entries] == ["x"]
    assert (base / "new/deep/x").read_text() == "x"
