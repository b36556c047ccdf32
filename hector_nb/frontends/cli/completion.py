"""What the shell completes: names of agents, ids of sessions. It is asked at every Tab: nothing here opens an engine, creates a file or fails."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from hector_nb.errors import HectorError

_MOST = 200
"""Sessions, the newest activity first, whose ids are completed."""


def agent_names(ctx: Any, incomplete: str) -> list[tuple[str, str]]:
    """The configured agents with what they are for."""
    if _is_remote(ctx):
        return []
    from hector_nb.config.loader import load_config

    with suppress(HectorError, OSError):
        agents = load_config(_config(ctx)).config.agents
        return [(name, agent.description) for name, agent in agents.items() if name.startswith(incomplete)]
    return []


def session_ids(ctx: Any, incomplete: str) -> list[tuple[str, str]]:
    """The newest sessions with their titles."""
    if _is_remote(ctx):
        return []
    import asyncio

    from hector_nb.frontends.connect import recent_sessions
    from hector_nb.frontends.render import plain_line

    with suppress(HectorError, OSError):
        found = asyncio.run(recent_sessions(_config(ctx), limit=_MOST))
        return [(each.session_id, plain_line(each.title)) for each in found if each.session_id.startswith(incomplete)]
    return []


def _is_remote(ctx: Any) -> bool:
    """A server is not asked at every Tab."""
    return ctx.params.get("server") is not None or ctx.find_root().params.get("server") is not None


def _config(ctx: Any) -> Path | None:
    found: Path | None = ctx.params.get("config") or ctx.find_root().params.get("config")
    return found
