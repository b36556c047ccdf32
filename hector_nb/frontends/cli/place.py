"""Where a command finds the sessions, and the way there."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from hector_nb.frontends.connect import Engine
    from hector_nb.service import SessionService

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where the sessions are: on a server, or in this process with a configuration."""

    config: Path | None = None
    server: str | None = None
    token: str | None = None


def with_service(place: Place, work: "Callable[[SessionService], Awaitable[T]]") -> T:
    """Open the service, do the work, close it."""
    return with_engine(place, lambda engine: work(engine.service))


def with_engine(place: Place, work: "Callable[[Engine], Awaitable[T]]") -> T:
    """The same for work that wants to know what runs in this process."""
    import asyncio

    async def opened() -> T:
        from hector_nb.frontends.connect import open_engine, shown_address

        if place.server is not None:
            shown_address(place.server)  # else its name would be taken for a file's
        async with open_engine(place.server or place.config, token=place.token) as engine:
            return await work(engine)

    return asyncio.run(opened())
