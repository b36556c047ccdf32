"""Which store an address names, and what is said where PostgreSQL cannot be used."""

import subprocess
import sys

import pytest

from hector_nb.bootstrap import stores
from hector_nb.bootstrap.stores import store_at
from hector_nb.errors import ConfigError
from hector_nb.stores.postgres import PostgresStore
from hector_nb.stores.postgres_dialect import numbered
from hector_nb.stores.sqlite import SQLiteStore


@pytest.mark.parametrize("url", ["postgresql://u:p@h/db", "postgres://h/db"])
def test_an_address_of_postgresql_names_a_postgresql_store(url):
    assert isinstance(store_at(url), PostgresStore)


def test_an_address_of_a_file_names_a_sqlite_store(tmp_path):
    store = store_at(f"sqlite:///{tmp_path}/a.db")
    assert isinstance(store, SQLiteStore)
    assert store.path == tmp_path / "a.db"


def test_without_the_driver_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(stores, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"storage\.url") as caught:
        store_at("postgresql://u:s3cret@h/db")
    assert 'pip install "hector_nb[postgres]"' in caught.value.hint
    assert "s3cret" not in str(caught.value)


def test_a_sqlite_store_does_not_load_the_driver_of_postgresql(tmp_path):
    program = f"from hector_nb.bootstrap.stores import store_at; store_at('sqlite:///{tmp_path}/a.db'); import sys; print('psycopg' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "False"


def test_what_is_written_for_both_databases_is_said_to_postgresql():
    query = "SELECT a % 2, b::text FROM t INDEXED BY i CROSS JOIN u ON u.c = :c CROSS JOIN v WHERE d = ':' OR e = :e OR f = :c"
    said = b"SELECT a % 2, b::text FROM t JOIN u ON u.c = $1 CROSS JOIN v WHERE d = ':' OR e = $2 OR f = $1"
    assert numbered(query) == (said, ["c", "e"])
