"""Who holds turns and who reads them; each function runs inside one transaction.

A holder that gives a sign by which others see whether it lives, such as an OS lock, lives until it loses that; of one that cannot the
last heartbeat tells.
"""

from collections.abc import Iterable, Sequence, Set
from typing import NamedTuple, Protocol

from hector_nb.sessions import Turn
from hector_nb.stores import sql
from hector_nb.stores.sql_database import Database
from hector_nb.stores.sql_turns import SELECT_TURNS, TurnRow

_SQL = sql.queries("holders")
_UNHELD = f"{SELECT_TURNS}\nWHERE turns.key IN ({_SQL['unheld_keys']})\nORDER BY turns.key"
_UNHELD_EXIST = f"SELECT EXISTS ({_SQL['unheld_keys']})"


class SignsOfLife(Protocol):
    """How a holder shows that it lives, beside its heartbeats. From any thread."""

    def hold(self, db: Database, holder: str) -> None:
        """Show that this process is the holder and lives, until it lets go or ends."""
        ...

    def release(self, db: Database, holder: str) -> None:
        """Let go, and leave nothing behind."""
        ...

    def alive(self, db: Database, holder: "Holder") -> bool | None:
        """Whether the holder lives; None where nothing tells."""
        ...

    def remove_others(self, known: Set[str]) -> None:
        """Remove what dead holders that are not among the known have left."""
        ...


class Holder(NamedTuple):
    """A row of `other_holders`."""

    holder: str
    seen_at: int


def heartbeat(db: Database, holder: str) -> None:
    """See `Store.heartbeat`."""
    db.run(_SQL["heartbeat"], {"holder": holder, "now": db.now()})


def sign_of_life(db: Database, holder: str) -> None:
    """A heartbeat that writes nothing where there was one within the last second."""
    db.run(_SQL["sign_of_life"], {"holder": holder, "now": db.now()})


def goodbye(db: Database, signs: SignsOfLife, holder: str) -> None:
    """See `Store.goodbye`."""
    signs.release(db, holder)
    db.run(_SQL["forget_holder"], {"holder": holder})
    db.run(_SQL["forget_readers"], {"holder": holder})


def dead_besides(db: Database, signs: SignsOfLife, holder: str, dead_after: float) -> tuple[list[Holder], bool]:
    """Holders that are dead, and whether there is something to take: from them, or from some that said goodbye."""
    others = [Holder(*row) for row in db.all(_SQL["other_holders"], {"holder": holder})]
    dead = _dead(db, signs, others, dead_after)
    signs.remove_others({other.holder for other in others})
    return dead, bool(dead) or bool(db.value(_UNHELD_EXIST, {"holder": holder, "now": db.now()}))


def take_over(db: Database, holder: str, dead: Iterable[Holder]) -> Sequence[Turn]:
    """Hold the turns of these holders, where they were not seen again, and of those that said goodbye."""
    db.lock("task", task="take_over")
    for other in dead:
        if db.one(_SQL["forget_silent_holder"], other._asdict()):
            db.run(_SQL["forget_readers"], {"holder": other.holder})
    rows = [TurnRow(*row) for row in db.all(_UNHELD, {"holder": holder, "now": db.now()})]
    taken = [row for row in rows if db.one(_SQL["hold_turn"], {"key": row.key, "before": row.holder, "holder": holder})]
    db.changed.update(row.session_id for row in taken)
    if taken:
        heartbeat(db, holder)
    return [row.turn() for row in taken]


def join(db: Database, turn_id: str, holder: str) -> None:
    """See `Store.join_turn`."""
    sign_of_life(db, holder)
    db.run(_SQL["join_turn"], {"turn_id": turn_id, "holder": holder})


def leave(db: Database, turn_id: str, holder: str) -> None:
    """See `Store.leave_turn`."""
    left = db.all(_SQL["leave_turn"], {"turn_id": turn_id, "holder": holder})
    db.changed.update(session_id for (session_id,) in left)


def has_readers(db: Database, signs: SignsOfLife, turn_id: str, besides: str, dead_after: float) -> bool:
    """See `Store.has_readers`."""
    readers = [Holder(*row) for row in db.all(_SQL["readers_besides"], {"turn_id": turn_id, "holder": besides})]
    return len(_dead(db, signs, readers, dead_after)) < len(readers)


def _dead(db: Database, signs: SignsOfLife, holders: Iterable[Holder], dead_after: float) -> list[Holder]:
    silent_since = db.now() - int(dead_after * 1_000_000)
    dead = []
    for holder in holders:
        alive = signs.alive(db, holder)
        if holder.seen_at <= silent_since if alive is None else not alive:
            dead.append(holder)
    return dead
