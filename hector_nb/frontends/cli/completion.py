"""What the shell completes: names of agents, ids of sessions. It is asked at every Tab: nothing here opens an engine, creates a file or fails.

A server that was named on the command line is asked, for a short while.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from hector_nb.errors import HectorError
from hector_nb.frontends.cli.place import Place, with_service

if TYPE_CHECKING:
    from hector_nb.service import SessionService
    from hector_nb.sessions import Session

T = TypeVar("T")
_MOST = 200
"""Sessions, the newest activity first, whose ids are completed."""
_BROKEN = re.compile(r"\b(https?) : //(\S)")
_PORT = re.compile(r"(https?://\S+) : (\d)")
_PATIENCE = 1.0
"""Seconds that a person at a shell is kept waiting for names."""


def agent_names(ctx: Any, incomplete: str) -> list[tuple[str, str]]:
    """The configured agents, or the server's, with what they are for."""
    place = _place(ctx)
    with suppress(HectorError, OSError, TimeoutError):
        return [(name, told) for name, told in _agents(place) if name.startswith(incomplete)]
    return []


def session_ids(ctx: Any, incomplete: str) -> list[tuple[str, str]]:
    """The newest sessions with their titles."""
    from hector_nb.frontends.render import plain_line

    place = _place(ctx)
    with suppress(HectorError, OSError, TimeoutError):
        found = _sessions(place)
        return [(each.session_id, plain_line(each.title)) for each in found if each.session_id.startswith(incomplete)]
    return []


def _agents(place: Place) -> list[tuple[str, str]]:
    if place.server is not None:
        return [(each.name, each.description) for each in _ask(place, lambda service: service.list_agents())]
    from hector_nb.config.loader import load_config

    return [(name, agent.description) for name, agent in load_config(place.config).config.agents.items()]


def _sessions(place: Place) -> "Sequence[Session]":
    if place.server is not None:
        return _ask(place, lambda service: service.list_sessions(limit=_MOST)).items
    import asyncio

    from hector_nb.frontends.connect import recent_sessions

    return asyncio.run(recent_sessions(place.config, limit=_MOST))


def _ask(place: Place, question: "Callable[[SessionService], Awaitable[T]]") -> T:
    import asyncio

    async def asked(service: "SessionService") -> T:
        async with asyncio.timeout(_PATIENCE):
            return await question(service)

    return with_service(place, asked)


def _place(ctx: Any) -> Place:
    """Where the command would look; what stands after it goes before what stands before it."""
    named = {**ctx.find_root().params, **{name: value for name, value in ctx.params.items() if value is not None}}
    return Place(config=named.get("config"), server=named.get("server"), token=named.get("token"))


def join_words(environ: Mapping[str, str]) -> dict[str, str]:
    """What bash says of the command line, with each address in one word: bash takes `:` and `=` for words of their own."""
    words, cursor = environ.get("COMP_WORDS", ""), environ.get("COMP_CWORD", "")
    if not cursor.isdecimal():
        return {}
    joined, pieces = _BROKEN.subn(r"\1://\2", words)
    joined, ports = _PORT.subn(r"\1:\2", joined)
    return {"COMP_WORDS": joined, "COMP_CWORD": str(max(0, int(cursor) - 2 * (pieces + ports)))}
