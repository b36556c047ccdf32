"""Looking into memory: what the service knows of it, as the values that people get in a notebook."""

from collections.abc import Iterable, Sequence

from hector_nb.errors import SessionNotFound
from hector_nb.frontends.inspection_html import Titles
from hector_nb.frontends.ledger_view import LedgerView
from hector_nb.frontends.memory_view import MemoryListing, MemoryView
from hector_nb.memories import Memory, RecalledMemory
from hector_nb.service import AgentInfo, SessionService

_MOST = 20
"""Sessions whose titles are looked up for one view."""
_NOTHING = 0.005
"""A score that is shown as 0.00: the memory has nothing to do with the query."""


async def ledger_view(
    service: SessionService, info: AgentInfo, turn_id: str, *, session_id: str | None = None
) -> LedgerView:
    """What a turn's model saw.

    Raises:
        TurnNotFound: there is no such turn, or it never asked its model.
    """
    ledger = await service.get_context(info.name, turn_id, session_id=session_id)
    titles = await _titles(service, (part.session_id for part in ledger.parts if part.session_id))
    return LedgerView(ledger, settings=info.memory.get("working"), titles=titles)


async def memory_view(service: SessionService, info: AgentInfo, session_id: str) -> MemoryView:
    """What a session remembers.

    Raises:
        SessionNotFound: there is no such session.
    """
    memory = await service.get_memory(info.name, session_id)
    titles = await _titles(service, (each.session_id for each in memory.memories))
    context = LedgerView(memory.ledger, settings=info.memory.get("working"), titles=titles)
    return MemoryView(memory, context=context, titles=titles)


async def found_memories(
    service: SessionService, info: AgentInfo, session_id: str, query: str, *, limit: int
) -> MemoryListing:
    """The memories that a text would recall, best first.

    Raises:
        InvalidRequest: the query is empty, or the agent has no long-term memory.
    """
    found = await service.search_memory(info.name, session_id, query, limit=limit)
    return await listed(service, [each for each in found if each.score >= _NOTHING], empty="Nothing was found.")


async def listed(
    service: SessionService, memories: Sequence[Memory] | Sequence[RecalledMemory], *, empty: str = ""
) -> MemoryListing:
    """Memories with the titles of the sessions that they come from."""
    plain = [each.memory if isinstance(each, RecalledMemory) else each for each in memories]
    return MemoryListing(memories, empty=empty, titles=await _titles(service, (each.session_id for each in plain)))


async def _titles(service: SessionService, session_ids: Iterable[str]) -> Titles:
    """The titles of the sessions that have one; of somebody else's, or of sessions that are gone, nothing is known."""
    titles = {}
    for session_id in list(dict.fromkeys(session_ids))[:_MOST]:
        try:
            titles[session_id] = (await service.find_session(session_id)).title
        except SessionNotFound:
            continue
    return titles
