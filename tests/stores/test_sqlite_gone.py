"""A database whose file is taken away while it is open: nothing is acknowledged that would be lost."""

from pathlib import Path

import pytest

from hector_nb.errors import StoreError
from hector_nb.stores.sqlite import SQLiteStore

from .making import USER, make_session

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("absolute", [True, False])
async def test_what_would_be_written_to_a_moved_file_is_refused_until_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, absolute: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    store = SQLiteStore(tmp_path / "kept" / "hector.db" if absolute else Path("kept/hector.db"))
    await store.aopen()
    monkeypatch.chdir("/")
    await store.create_session(make_session("before"))
    assert await store.get_session(USER, "before") is not None
    (tmp_path / "kept").rename(tmp_path / "away")
    with pytest.raises(StoreError, match="moved, deleted or replaced"):
        await store.create_session(make_session("lost"))
    with pytest.raises(StoreError, match="moved, deleted or replaced"):
        await store.get_session(USER, "before")
    (tmp_path / "away").rename(tmp_path / "kept")
    await store.create_session(make_session("after"))
    assert await store.get_session(USER, "lost") is None
    await store.aclose()


async def test_a_file_that_was_replaced_is_not_taken_for_the_one_that_is_open(tmp_path: Path) -> None:
    path = tmp_path / "hector.db"
    store = SQLiteStore(path)
    await store.aopen()
    await store.create_session(make_session("here"))
    (tmp_path / "other").write_bytes(path.read_bytes())
    (tmp_path / "other").replace(path)
    with pytest.raises(StoreError):
        await store.create_session(make_session("nowhere"))
    await store.aclose()
