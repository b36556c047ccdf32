"""Looking into memory from the chat: ledgers, memories, setting them right. The answers to commands, as JSON."""

from collections.abc import Iterable, Mapping
from typing import Any

from hector_nb.errors import InvalidRequest, SessionNotFound, TurnNotFound
from hector_nb.frontends.widget.conversation import Conversation
from hector_nb.frontends.widget.history import newest_first
from hector_nb.memories import Memory
from hector_nb.sessions import Session
from hector_nb.wire.memory_codec import encode_ledger, encode_memory, encode_recalled

_TURNS = 500
"""Turns that the pager offers."""
_MESSAGES = 5000
"""Messages that are looked through for them."""
_PAGE = 50
_TITLES = 30
"""Sessions whose titles are looked up for one answer."""
_NOTHING = 0.005
"""A score that is shown as 0.00."""


async def context(chat: Conversation, turn_id: str | None) -> dict[str, Any]:
    """What a turn's model saw, or would see now.

    Raises:
        TurnNotFound: the turn never asked its model.
    """
    if chat.session is None:
        return _nothing(chat)
    session = chat.session
    if turn_id is None:
        ledger = (await chat.service.get_memory(session.agent, session.session_id, limit=1)).ledger
    else:
        ledger = await chat.service.get_context(session.agent, turn_id, session_id=session.session_id)
    encoded = encode_ledger(ledger)
    titles = await _titles(chat, (part.session_id for part in ledger.parts if part.session_id))
    turns, turn_of = await _turns(chat, session)
    for part in encoded["parts"]:
        if part.get("session_id"):
            part["session_title"] = titles.get(part["session_id"])
        if part.get("message_id") in turn_of:
            part["turn_id"] = turn_of[part["message_id"]]
    return {**encoded, "turns": turns}


async def memories(chat: Conversation, query: str, cursor: str | None) -> dict[str, Any]:
    """A page of memories, newest first; best match first where something is looked for."""
    scope = (chat.info.memory.get("longterm") or {}).get("storage_scope")
    session = chat.session or await _any_session(chat, scope)
    if scope is None or session is None:
        return {"scope": scope, "memories": [], "next_cursor": None, "pending": 0}
    if query.strip():
        found = await chat.service.search_memory(session.agent, session.session_id, query, limit=_PAGE)
        encoded = [(each.memory, encode_recalled(each)) for each in found if each.score >= _NOTHING]
        more, pending = None, 0
    else:
        page = await chat.service.get_memory(session.agent, session.session_id, limit=_PAGE, cursor=cursor)
        encoded = [(each, encode_memory(each)) for each in page.memories]
        more, pending = page.next_cursor, page.pending
    titles = await _titles(chat, (memory.session_id for memory, _ in encoded))
    told = [_told(memory, each, session, titles) for memory, each in encoded]
    return {"scope": scope, "memories": told, "next_cursor": more, "pending": pending}


async def correct(chat: Conversation, memory_id: str, text: str) -> dict[str, Any]:
    """Give a memory another text."""
    session = await _session(chat)
    memory = await chat.service.correct_memory(session.agent, session.session_id, memory_id, text)
    return await _one(chat, memory, session)


async def forget(chat: Conversation, memory_id: str) -> None:
    """Erase a memory."""
    session = await _session(chat)
    await chat.service.forget_memory(session.agent, session.session_id, memory_id)


async def restore(chat: Conversation, memory_id: str) -> dict[str, Any]:
    """Put a memory back.

    Raises:
        MemoryNotFound: it was forgotten too long ago.
    """
    session = await _session(chat)
    memory = await chat.service.restore_memory(session.agent, session.session_id, memory_id)
    return await _one(chat, memory, session)


async def _one(chat: Conversation, memory: Memory, session: Session) -> dict[str, Any]:
    return _told(memory, encode_memory(memory), session, await _titles(chat, [memory.session_id]))


def _told(memory: Memory, encoded: Mapping[str, Any], session: Session, titles: Mapping[str, str]) -> dict[str, Any]:
    return {
        **{name: value for name, value in encoded.items() if name != "message_ids"},
        "session_title": titles.get(memory.session_id),
        "own": memory.user == session.user,
    }


async def _session(chat: Conversation) -> Session:
    """A session that may recall what is shown."""
    found = chat.session or await _any_session(chat, (chat.info.memory.get("longterm") or {}).get("storage_scope"))
    if found is None:
        raise InvalidRequest("There is nothing to remember yet.")
    return found


async def _any_session(chat: Conversation, scope: str | None) -> Session | None:
    """Before the first message: another session of the agent that recalls the same."""
    if scope in {None, "session"}:
        return None
    page = await chat.service.list_sessions(chat.info.name, limit=1)
    return page.items[0] if page.items else None


async def _titles(chat: Conversation, session_ids: Iterable[str]) -> dict[str, str]:
    """The titles of sessions; of somebody else's, or of sessions that are gone, nothing is known."""
    titles = {}
    for session_id in list(dict.fromkeys(session_ids))[:_TITLES]:
        try:
            titles[session_id] = (await chat.service.find_session(session_id)).title
        except SessionNotFound:
            continue
    return titles


async def _turns(chat: Conversation, session: Session) -> tuple[list[str], dict[str, str]]:
    """The newest turns of a session, oldest first, and the turns of its messages."""
    turn_of: dict[str, str] = {}
    turns: dict[str, None] = {}
    seen = 0
    async for message in newest_first(chat.service, session, page=200):
        if message.turn_id not in turns and len(turns) == _TURNS:
            break
        turns[message.turn_id] = None
        turn_of[message.message_id] = message.turn_id
        seen += 1
        if seen == _MESSAGES:
            break
    return list(reversed(turns)), turn_of


def _nothing(chat: Conversation) -> dict[str, Any]:
    """The ledger of a conversation that has not begun."""
    if chat.info is None:
        raise TurnNotFound
    working = chat.info.memory.get("working") or {}
    return {
        "session_id": "",
        "turn_id": None,
        "agent": chat.info.name,
        "model": chat.info.model,
        "strategy": str(working.get("strategy", "")),
        "budget": working.get("budget", 0),
        "budget_note": None,
        "tokens": 0,
        "estimated": False,
        "left_out": 0,
        "requests": 0,
        "parts": [],
        "turns": [],
    }
