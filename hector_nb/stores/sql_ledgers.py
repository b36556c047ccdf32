"""Ledgers, what turns' models saw: plain functions, each run inside one transaction.

Texts that many ledgers share are kept once, and erased with the last ledger that has them.
"""

from collections.abc import Sequence
from hashlib import blake2b

from hector_nb.stores import codec, ledger_records, sql, sql_memories, sql_messages, sql_summaries
from hector_nb.stores.base_memories import LedgerRecord, StoredLedger
from hector_nb.stores.base_sessions import Window
from hector_nb.stores.sql_database import Database, Values
from hector_nb.stores.sql_sessions import SessionRow

_SQL = sql.queries("ledgers")


def put(db: Database, turn: int, record: LedgerRecord) -> None:
    """Let this be what a turn's model saw."""
    before = _prompts(db, turn)
    values: Values = {
        "turn": turn,
        "system": _prompt(db, record.system),
        "tools": _prompt(db, record.tools),
        "record": ledger_records.encode(record),
    }
    db.run(_SQL["put_ledger"], values)
    _erase_unused(db, [prompt for prompt in before if prompt not in values.values()])


def erase(db: Database, turn: int) -> None:
    """Erase a turn's ledger."""
    prompts = _prompts(db, turn)
    db.run(_SQL["erase_ledger"], {"turn": turn})
    _erase_unused(db, prompts)


def read(db: Database, row: SessionRow, turn: int, turn_id: str) -> StoredLedger | None:
    """What the model of a session's turn saw."""
    found = db.one(_SQL["find_ledger"], {"turn": turn})
    if found is None:
        return None
    encoded, system, tools = found
    record = ledger_records.decode(encoded, system=system, tools=tools)
    messages = sql_messages.history(
        db, row.key, after=record.first_position - 1, before=record.last_position + 1, window=Window()
    )
    return StoredLedger(
        session=row.session(db.now()),
        turn_id=turn_id,
        record=record,
        summary=sql_summaries.at(db, row.key, record.summary_position),
        messages=list(enumerate(messages, record.first_position)),
        memories=sql_memories.shown(db, record.memories),
    )


def _prompts(db: Database, turn: int) -> Sequence[int]:
    row = db.one(_SQL["prompts_of_ledger"], {"turn": turn})
    return [prompt for prompt in row or () if prompt is not None]


def _prompt(db: Database, text: str) -> int | None:
    if not text:
        return None
    text = codec.clean(text)
    digest = blake2b(text.encode(), digest_size=16).digest()
    row = db.one(_SQL["find_prompt"], {"hash": digest})
    key: int = row[0] if row else db.value(_SQL["insert_prompt"], {"hash": digest, "text": text})
    return key


def _erase_unused(db: Database, prompts: Sequence[int]) -> None:
    for prompt in prompts:
        db.run(_SQL["erase_unused_prompt"], {"prompt": prompt})
