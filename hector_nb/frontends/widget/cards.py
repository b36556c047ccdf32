"""Agents and sessions as the chat's state has them."""

from collections.abc import Sequence
from typing import Any

from hector_nb.errors import HectorError
from hector_nb.frontends import tool_words
from hector_nb.frontends.widget import meter
from hector_nb.service import AgentInfo, SessionService
from hector_nb.sessions import Session
from hector_nb.wire.codec import encode_time


def agent_card(info: AgentInfo, *, asks: Sequence[str], others: Sequence[str], reachable: bool) -> dict[str, Any]:
    """An agent. `asks` are the names of its tools that ask first."""
    longterm = info.memory.get("longterm") or {}
    return {
        "name": info.name,
        "description": info.description,
        "model": info.model,
        "host": info.host,
        "asks": tool_words.asks(asks),
        "reachable": reachable,
        "strategy": str((info.memory.get("working") or {}).get("strategy", "")),
        "threshold": meter.threshold(info),
        "target": meter.target(info),
        "longterm": longterm.get("storage_scope"),
        "others": [name for name in others if name != info.name],
    }


def session_head(session: Session) -> dict[str, Any]:
    """A session."""
    return {
        "session_id": session.session_id,
        "title": session.title,
        "status": session.status,
        "created_at": encode_time(session.created_at),
        "last_active_at": encode_time(session.last_active_at),
        "expires_at": encode_time(session.expires_at),
        "message_count": session.message_count,
    }


async def tools_of(service: SessionService, agent: str) -> tuple[int, list[str]]:
    """How many tools an agent has now, and which of them ask first. None of a tool that cannot be used just now is a reason not to open."""
    try:
        tools = await service.list_tools(agent)
    except HectorError:
        return 0, []
    return len(tools), [tool.name for tool in tools if tool.require_approval != "never"]
