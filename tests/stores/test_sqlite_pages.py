"""The unused middle of pages: found in every kind of page, and nothing else is touched."""

import random

import apsw
import pytest

from hector_nb.stores.sqlite_pages import Pages


def keys(seed):
    chance = random.Random(seed)
    return [chance.randrange(10**6) for _ in range(2000)]


def text(key):
    return f"text{key}end"


def grown(path, page_size, *, seed, auto_vacuum="INCREMENTAL"):
    """A database in which much was moved about: trees of both kinds, long rows, free pages."""
    chance = random.Random(seed)
    database = apsw.Connection(str(path))
    for pragma in (
        f"page_size = {page_size}",
        f"auto_vacuum = {auto_vacuum}",
        "journal_mode = WAL",
        "secure_delete = ON",
    ):
        database.execute(f"PRAGMA {pragma}").fetchall()
    database.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)")
    database.execute("CREATE TABLE w (a TEXT PRIMARY KEY, b TEXT) WITHOUT ROWID")
    database.execute("CREATE INDEX i ON t (b)")
    with database:
        for n, key in enumerate(keys(seed)):
            said = text(key) * chance.choice([1, 3, 20, 20, chance.randrange(1, 600)])
            database.execute("INSERT OR REPLACE INTO t VALUES (?, ?)", (key, said))
            database.execute("INSERT OR REPLACE INTO w VALUES (?, ?)", (str(key), said))
            if n % 3 == 0:
                gone = chance.randrange(10**6)
                database.execute("DELETE FROM t WHERE a IN (SELECT a FROM t WHERE a > ? LIMIT 2)", (gone,))
                database.execute("DELETE FROM w WHERE a IN (SELECT a FROM w WHERE a > ? LIMIT 2)", (str(gone),))
    database.execute("PRAGMA incremental_vacuum(5)").fetchall()
    database.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    return database


def all_rows(database):
    return [database.execute(f"SELECT * FROM {table} ORDER BY a").fetchall() for table in "tw"]


@pytest.mark.parametrize("auto_vacuum", ["INCREMENTAL", "NONE"])
@pytest.mark.parametrize("page_size", [512, 4096, 65536])
def test_only_what_nothing_uses_is_overwritten(tmp_path, page_size, auto_vacuum):
    path = tmp_path / "a.db"
    database = grown(path, page_size, seed=page_size, auto_vacuum=auto_vacuum)
    before = all_rows(database)
    pages = Pages(path)
    scrubbed = pages.scrub(1, pages.count)
    assert pages.scrub(1, pages.count) == 0
    pages.close()
    database.close()
    database = apsw.Connection(str(path))
    assert scrubbed > 0
    assert all_rows(database) == before
    assert database.execute("PRAGMA integrity_check").get == "ok"
    with database:
        database.execute("DELETE FROM t WHERE a % 2")
        database.execute("UPDATE w SET b = b || b WHERE length(b) < 100")
    assert database.execute("PRAGMA integrity_check").get == "ok"
    database.close()


@pytest.mark.parametrize("seed", range(5))
def test_after_that_no_deleted_text_is_in_the_file(tmp_path, seed):
    path = tmp_path / "a.db"
    database = grown(path, 4096, seed=seed)
    pages = Pages(path)
    pages.scrub(1, pages.count)
    pages.close()
    kept = {text(key) for key, _ in database.execute("SELECT a, b FROM t UNION SELECT a, b FROM w")}
    database.close()
    content = path.read_bytes()
    gone = {text(key) for key in keys(seed)} - kept
    assert len(gone) > 100
    assert {each for each in gone if each.encode() in content} == set()
