"""Moving a whole store into another database, whichever the two are: every row with its keys, in one transaction, or nothing.

The full-text index is made anew. Who lives and who reads is not moved: turns that nobody has finished are taken over by whoever opens the
new store first.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from hector_nb.errors import StoreError
from hector_nb.stores.sql_database import Database

_TABLES: Mapping[str, str] = {
    "sessions": "key owner session_id agent status title metadata listed created_at last_active_at expires_at message_count"
    " user_message_count token_count mark idle_since",
    "messages": "place message_id turn_id role created_at tokens content extra",
    "turns": "key turn_id session status holder cancel message_id input position until number last_seq events_until"
    " finish_reason prompt_tokens completion_tokens usage_estimated created_at finished_at",
    "turn_events": "place payload",
    "requests": "owner idempotency_key fingerprint session turn made_at",
    "summaries": "place created_at tokens text",
    "partitions": "key scope agent owner session_id memory_count length vectors_changed",
    "embedders": "key name",
    "memories": "key memory_id partition owner session session_id last_position kind created_at corrected_at version"
    " tokens same length word_count embedder message_ids text",
    "memory_versions": "memory version corrected_at tokens text",
    "memory_words": "partition word memory count length",
    "prompts": "key hash text",
    "ledgers": "turn system tools record",
    "approvals": "key turn call_id name arguments created_at deadline decision edited",
    "outputs": "key place call_id content",
}
"""Tables with their columns, what others refer to first. The first column is, or begins, their key."""
_YES_OR_NO = {"listed", "cancel", "usage_estimated"}
_AT_ONCE = 500


def move(
    source: Database, target: Database, *, replace: bool = False, tell: Callable[[str, int], None] = lambda *_: None
) -> None:
    """Move everything; both databases are in a transaction. `tell` is called with each table and its number of rows.

    Raises:
        StoreError: the target is not empty, and nobody said to `replace` what it has.
    """
    if target.one("SELECT 1 FROM sessions LIMIT 1") or target.one("SELECT 1 FROM partitions LIMIT 1"):
        if not replace:
            raise StoreError(
                "The target has sessions or memories already.",
                hint="Name an empty one, or use --replace to erase them.",
            )
        target.erase_everything(list(_TABLES))
    for table in _TABLES:
        tell(table, _copy(source, target, table))
    tell("vectors", _copy_vectors(source, target))
    _index(target)
    target.rows_were_given_keys([table for table, columns in _TABLES.items() if columns.startswith("key ")])


def _copy(source: Database, target: Database, table: str) -> int:
    columns = _TABLES[table].split()
    values = ", ".join(f":{column}" for column in columns)
    insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})"  # noqa: S608 - names of our own
    count = 0
    with source.lazily(f"SELECT {', '.join(columns)} FROM {table} ORDER BY {columns[0]}") as rows:  # noqa: S608
        while some := list(islice(rows, _AT_ONCE)):
            target.run_many(insert, [_values(columns, row) for row in some])
            count += len(some)
    return count


def _values(columns: list[str], row: Any) -> dict[str, Any]:
    return {
        column: bool(value) if column in _YES_OR_NO and value is not None else value
        for column, value in zip(columns, row, strict=True)
    }


def _copy_vectors(source: Database, target: Database) -> int:
    count = 0
    for partition, memory, embedder, vector in source.vectors():
        target.put_vector(partition, memory, vector, embedder)
        count += 1
    return count


def _index(target: Database) -> None:
    for session, title in _listed(target):
        if title:
            target.texts.add_title(session, title)
        target.texts.add_messages(session)


def _listed(target: Database) -> Iterator[tuple[int, str]]:
    yield from target.all("SELECT key, title FROM sessions WHERE listed ORDER BY key")
