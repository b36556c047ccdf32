"""Who holds turns and who reads them, in SQLite; each function runs inside one transaction.

A holder that keeps an OS lock lives until it loses that; of one that cannot, or whose lock file somebody removed, the last
heartbeat tells.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hector_nb.sessions import Turn
from hector_nb.stores import sql
from hector_nb.stores.holder_locks import HolderLocks
from hector_nb.stores.sqlite_database import Database
from hector_nb.stores.sqlite_sessions import now_micros
from hector_nb.stores.sqlite_turns import SELECT_TURNS, TurnRow

_SQL = sql.queries("holders")
_UNHELD = f"{SELECT_TURNS}\nWHERE turns.key IN ({_SQL['unheld_keys']})\nORDER BY turns.key"
_UNHELD_EXIST = f"SELECT EXISTS ({_SQL['unheld_keys']})"


class Holder(NamedTuple):
    """A row of `other_holders`."""

    holder: str
    seen_at: int


def heartbeat(db: Database, holder: str) -> None:
    """See `Store.heartbeat`."""
    db.run(_SQL["heartbeat"], {"holder": holder, "now": now_micros()})


def sign_of_life(db: Database, holder: str) -> None:
    """A heartbeat that writes nothing where there was one within the last second."""
    db.run(_SQL["sign_of_life"], {"holder": holder, "now": now_micros()})


def goodbye(db: Database, locks: HolderLocks, holder: str) -> None:
    """See `Store.goodbye`."""
    locks.release(holder)
    db.run(_SQL["forget_holder"], {"holder": holder})
    db.run(_SQL["forget_readers"], {"holder": holder})


def dead_besides(db: Database, locks: HolderLocks, holder: str, dead_after: float) -> tuple[list[Holder], bool]:
    """Holders that are dead, and whether there is something to take: from them, or from some that said goodbye."""
    others = [Holder(*row) for row in db.all(_SQL["other_holders"], {"holder": holder})]
    dead = _dead(locks, others, dead_after)
    locks.remove_others({other.holder for other in others})
    return dead, bool(dead) or bool(db.value(_UNHELD_EXIST, {"holder": holder, "now": now_micros()}))


def take_over(db: Database, holder: str, dead: Iterable[Holder]) -> Sequence[Turn]:
    """Hold the turns of these holders, where they were not seen again, and of those that said goodbye."""
    for other in dead:
        if db.one(_SQL["forget_silent_holder"], other._asdict()):
            db.run(_SQL["forget_readers"], {"holder": other.holder})
    rows = [TurnRow(*row) for row in db.all(_UNHELD, {"holder": holder, "now": now_micros()})]
    for row in rows:
        db.run(_SQL["hold_turn"], {"key": row.key, "holder": holder})
        db.changed.add(row.session_id)
    if rows:
        heartbeat(db, holder)
    return [row.turn() for row in rows]


def join(db: Database, turn_id: str, holder: str) -> None:
    """See `Store.join_turn`."""
    sign_of_life(db, holder)
    db.run(_SQL["join_turn"], {"turn_id": turn_id, "holder": holder})


def leave(db: Database, turn_id: str, holder: str) -> None:
    """See `Store.leave_turn`."""
    left = db.all(_SQL["leave_turn"], {"turn_id": turn_id, "holder": holder})
    db.changed.update(session_id for (session_id,) in left)


def has_readers(db: Database, locks: HolderLocks, turn_id: str, besides: str, dead_after: float) -> bool:
    """See `Store.has_readers`."""
    readers = [Holder(*row) for row in db.all(_SQL["readers_besides"], {"turn_id": turn_id, "holder": besides})]
    return len(_dead(locks, readers, dead_after)) < len(readers)


def _dead(locks: HolderLocks, holders: Iterable[Holder], dead_after: float) -> list[Holder]:
    silent_since = now_micros() - int(dead_after * 1_000_000)
    dead = []
    for holder in holders:
        alive = locks.alive(holder.holder)
        if holder.seen_at <= silent_since if alive is None else not alive:
            dead.append(holder)
    return dead
