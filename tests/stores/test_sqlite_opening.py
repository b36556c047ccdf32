"""How a file is opened, what is refused, and what is left when it is closed."""

import asyncio
import os
import stat
import threading

import apsw
import pytest

from hector_nb.errors import StoreError
from hector_nb.stores import mounts, sql
from hector_nb.stores.sqlite import SQLiteStore
from hector_nb.stores.sqlite_database import Database, open_database

from .making import USER, begin, exchange, make_session, transcript

pytestmark = pytest.mark.anyio


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


async def refused(path):
    with pytest.raises(StoreError) as error:
        await SQLiteStore(path).aopen()
    assert str(path) in error.value.message
    return error.value


async def opened(path):
    store = SQLiteStore(path)
    await store.aopen()
    return store


async def test_folder_and_files_are_the_owners_alone(tmp_path):
    path = tmp_path / "home" / "hector.db"
    previous = os.umask(0)
    try:
        store = await opened(path)
        await store.create_session(make_session())
        assert mode(path.parent) == 0o700
        assert {mode(file) for file in path.parent.iterdir()} == {0o600}
        await store.aclose()
        path.chmod(0o644)
        store = await opened(path)
        assert mode(path) == 0o600
        await store.aclose()
    finally:
        os.umask(previous)


async def test_everything_is_there_when_it_is_opened_again(tmp_path):
    path = tmp_path / "hector.db"
    store = await opened(path)
    await store.create_session(make_session(title="x"))
    await exchange(store, "t1")
    before = await store.get_session(USER, "s")
    await store.aclose()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["hector.db", "hector.db-holders"]
    store = await opened(path)
    assert await store.get_session(USER, "s") == before
    assert len((await store.read_turn(USER, "t1")).events) == 2
    await exchange(store, "t2")
    await store.aclose()


async def test_a_store_can_be_opened_and_closed_twice(tmp_path):
    store = await opened(tmp_path / "hector.db")
    await store.aopen()
    await store.create_session(make_session())
    await store.aclose()
    await store.aclose()
    await store.aopen()
    assert await store.get_session(USER, "s") is not None
    await store.aclose()


async def test_a_closed_store_says_so(tmp_path):
    store = SQLiteStore(tmp_path / "hector.db")
    for call in (store.get_session(USER, "s"), store.create_session(make_session())):
        with pytest.raises(StoreError, match="closed"):
            await call


async def test_closing_finishes_what_waits(tmp_path):
    store = await opened(tmp_path / "hector.db")
    jobs = [asyncio.create_task(store.create_session(make_session(f"s{n}"))) for n in range(50)]
    await asyncio.sleep(0)
    await store.aclose()
    assert all([(await job)[1] for job in jobs])


async def test_two_stores_of_one_process_share_a_file(tmp_path):
    one, two = await opened(tmp_path / "hector.db"), await opened(tmp_path / "hector.db")
    await one.create_session(make_session())
    async with two.watch("s") as watch:
        await begin(one, "t1")
        assert await watch.wait(30)
    assert await transcript(two) == ["hello"]
    await one.aclose()
    await two.create_session(make_session("other"))
    await exchange(two, "t2", session_id="other")
    await two.aclose()


async def test_it_is_used_from_several_event_loops(sqlite):
    await sqlite.create_session(make_session())

    async def elsewhere():
        async with sqlite.watch("s") as watch:
            ready.set()
            assert await watch.wait(30)
        return await sqlite.get_session(USER, "s")

    ready, found = threading.Event(), []
    thread = threading.Thread(target=lambda: found.append(asyncio.run(elsewhere())))
    thread.start()
    await asyncio.to_thread(ready.wait, 30)
    await begin(sqlite, "t1")
    await asyncio.to_thread(thread.join, 30)
    assert found[0].running_turn == "t1"


async def test_an_answer_for_a_loop_that_is_gone_harms_nobody(sqlite):
    await sqlite.create_session(make_session())

    async def leave():
        task = asyncio.create_task(sqlite.update_session(USER, "s", title="left"))
        await asyncio.sleep(0)
        task.cancel()

    await asyncio.to_thread(asyncio.run, leave())
    await sqlite.heartbeat("h")
    assert (await sqlite.get_session(USER, "s")).title == "left"


async def test_a_file_of_garbage_is_refused_and_kept(tmp_path):
    path = tmp_path / "hector.db"
    path.write_bytes(b"not a database" * 100)
    error = await refused(path)
    assert "not a database" in error.message
    assert "HECTOR_HOME" in error.hint
    assert path.read_bytes() == b"not a database" * 100


async def test_another_programs_database_is_refused_and_kept(tmp_path):
    path = tmp_path / "hector.db"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    before = path.read_bytes()
    assert "another program" in (await refused(path)).message
    assert path.read_bytes() == before


async def test_a_store_that_is_being_created_is_not_taken_for_another_programs(tmp_path, monkeypatch):
    path, look, created = tmp_path / "hector.db", Database.value, []

    def value(self, query, values=None):
        found = look(self, query, values)
        if "application_id" in query and not created:
            created.append(threading.Thread(target=lambda: open_database(path).connection.close()))
            created[0].start()
            created[0].join(0.5)  # with one look it has to wait for us
        return found

    monkeypatch.setattr(Database, "value", value)
    await asyncio.to_thread(lambda: open_database(path).connection.close())
    created[0].join(30)
    assert not created[0].is_alive()


async def test_a_newer_store_is_refused_unchanged(tmp_path):
    path = tmp_path / "hector.db"
    store = await opened(path)
    await store.create_session(make_session())
    await store.aclose()
    connection = apsw.Connection(str(path))
    newer = len(sql.migrations()) + 1
    connection.execute(f"PRAGMA user_version = {newer}")
    connection.close()
    before = path.read_bytes()
    error = await refused(path)
    assert f"version {newer}" in error.message
    assert "Upgrade" in error.hint
    assert path.read_bytes() == before
    connection = apsw.Connection(str(path))
    connection.execute(f"PRAGMA user_version = {newer - 1}")
    connection.close()
    store = await opened(path)
    assert await store.get_session(USER, "s") is not None
    await store.aclose()


async def test_a_damaged_store_is_refused(tmp_path):
    path = tmp_path / "hector.db"
    store = await opened(path)
    await store.aclose()
    content = bytearray(path.read_bytes())
    content[100:4096] = b"\xff" * 3996
    path.write_bytes(content)
    assert "damaged" in (await refused(path)).message


async def test_a_place_where_no_file_can_be_is_refused(tmp_path):
    (tmp_path / "file").touch()
    assert "cannot be opened" in (await refused(tmp_path / "file" / "hector.db")).message
    assert "cannot be created" in (await refused(tmp_path / "file" / "folder" / "hector.db")).message
    assert "cannot be opened" in (await refused(tmp_path)).message


async def test_a_network_file_system_is_refused_until_it_is_a_local_one(tmp_path, monkeypatch):
    path = tmp_path / "home" / "hector.db"
    monkeypatch.setattr(mounts, "read_mounts", lambda: [("/", "ext4"), (str(tmp_path), "nfs4")])
    error = await refused(path)
    assert "nfs4" in error.message
    assert "HECTOR_HOME" in error.hint
    assert not path.parent.exists()
    monkeypatch.setattr(mounts, "read_mounts", lambda: [("/", "ext4"), (str(tmp_path), "tmpfs")])
    await (await opened(path)).aclose()


MOUNTINFO = """\
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 22 0:26 / /home rw,relatime shared:2 master:7 - nfs4 server:/export/home rw,vers=4.2
31 30 0:27 / /home/ann/local\\040disk rw - xfs /dev/vdb rw
32 22 0:28 / /mnt/c rw - 9p drvfs rw
33 22 0:29 / /srv rw - nfs server:/srv rw
34 22 0:30 / /srv rw - btrfs /dev/vdc rw
"""
MACOS_MOUNT = """\
/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)
//ann@server/share on /Volumes/My share (smbfs, nodev, nosuid, mounted by ann)
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/x", None),
        ("/home/ann/.local/share", "nfs4"),
        ("/homestead/x", None),
        ("/home/ann/local disk/x", None),
        ("/mnt/c/x", "9p"),
        ("/srv/x", None),
    ],
)
def test_the_deepest_and_latest_mount_of_a_path_counts(tmp_path, path, kind):
    assert mounts.network_file_system(tmp_path.__class__(path), mounts.parse_mountinfo(MOUNTINFO)) == kind


def test_the_mounts_of_macos_are_understood(tmp_path):
    table = list(mounts.parse_mount(MACOS_MOUNT))
    assert table == [("/", "apfs"), ("/Volumes/My share", "smbfs")]


def test_this_machines_mounts_can_be_read():
    assert "/" in dict(mounts.read_mounts())
