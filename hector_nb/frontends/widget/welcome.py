"""What the empty chat offers: something to ask, and what the agent remembers."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from hector_nb.errors import HectorError
from hector_nb.frontends.render import plain_line
from hector_nb.frontends.widget.state import NO_WELCOME
from hector_nb.service import AgentInfo, SessionService

_PROMPTS = 3
_PAGE = 100
_PAGES = 5
"""Pages of memories that are counted."""


async def welcome(service: SessionService, info: AgentInfo, offers: Sequence[str]) -> dict[str, Any]:
    """What an agent offers before the first message; `offers` is what the notebook has to talk about."""
    found = dict(NO_WELCOME)
    prompts = list(offers)
    with suppress(HectorError):
        page = await service.list_sessions(info.name, limit=1)
        for session in page.items:
            if session.title:
                title = plain_line(session.title).rstrip(" .?!…")
                prompts.append(f"Where did we stop in “{title}”?")
            memories = await _count(service, info, session.session_id)
            found["memories"], found["sessions"] = memories
    found["prompts"] = prompts[:_PROMPTS]
    return found


async def _count(service: SessionService, info: AgentInfo, session_id: str) -> tuple[int, int]:
    """How many memories a new session could recall, and of how many sessions."""
    scope = (info.memory.get("longterm") or {}).get("storage_scope")
    if scope in {None, "session"}:
        return 0, 0
    number, sessions = 0, set[str]()
    cursor: str | None = None
    for _ in range(_PAGES):
        memory = await service.get_memory(info.name, session_id, limit=_PAGE, cursor=cursor)
        number += len(memory.memories)
        sessions.update(each.session_id for each in memory.memories)
        cursor = memory.next_cursor
        if cursor is None:
            break
    return number, len(sessions)


def notebook_offers(namespace: Mapping[str, Any]) -> list[str]:
    """The last error, and the newest data frame by its name."""
    offers = []
    error = getattr(sys, "last_value", None)
    if isinstance(error, Exception):
        offers.append(f"Explain this error: {type(error).__name__}: {plain_line(str(error))[:200]}")
    for name, value in reversed(list(namespace.items())):
        if not name.startswith("_") and type(value).__name__ == "DataFrame" and hasattr(value, "columns"):
            offers.append(f"What does {name} show? Its columns: {', '.join(map(str, list(value.columns)[:12]))}")
            break
    return offers
