"""What of a session long-term memory has not taken in yet: whole turns, read in bounded batches."""

from collections.abc import Sequence
from dataclasses import dataclass

from hector_nb.memory import exchanges
from hector_nb.messages import Message
from hector_nb.stores.base_memories import MemoryStore, NewMemory, Untaken

_BATCH = 64
"""Messages that are read at once."""
_LONGEST_TURN = 4096
"""Messages after which a turn is taken in in parts."""

Turns = Sequence[Sequence[Message]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """What is made of the messages up to the position `upto`. `replaces`: the session's earlier summary goes."""

    memories: Sequence[NewMemory]
    upto: int
    replaces: bool = False


async def waiting_turns(store: MemoryStore, untaken: Untaken, mark: int) -> Turns:
    """The next whole turns after a mark, oldest first, without the one that runs."""
    session = untaken.session
    limit = _BATCH
    while mark < untaken.upto:
        messages = await store.messages_between(
            session.user, session.session_id, after=mark, upto=untaken.upto, limit=limit
        )
        turns = exchanges.turns(messages)
        if turns and turns[-1][-1].turn_id == session.running_turn:
            return turns[:-1]
        if len(messages) < limit or limit >= _LONGEST_TURN:
            return turns
        if len(turns) > 1:
            return turns[:-1]  # the last one may go on
        limit *= 4
    return []


def length(turns: Turns) -> int:
    """Messages of all turns."""
    return sum(len(turn) for turn in turns)


def tokens(turns: Turns) -> int:
    """Tokens of all turns."""
    return sum(message.tokens for turn in turns for message in turn)
