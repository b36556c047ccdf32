"""Whether requests can be answered now: the same question over every wire."""

import asyncio

from hector_nb.errors import HectorError, SessionNotFound
from hector_nb.sessions import LOCAL_USER
from hector_nb.transports.engine import Engine

_PATIENCE = 2.0
"""Seconds after which an engine that has not answered counts as not ready."""
_KEPT = 1.0
"""Seconds for which an answer is given again without looking: the route is open to all, and must not be a way to load the store."""
_NO_SESSION = "sess_health"


class Readiness:
    """Whether the configuration can be used and the store answers. However many ask, one look is under way."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._look: asyncio.Task[bool] | None = None
        self._looked_at = 0.0

    async def ready(self) -> bool:
        """The answer, within two seconds."""
        now = asyncio.get_running_loop().time()
        if self._look is None or (self._look.done() and now - self._looked_at > _KEPT):
            self._look = asyncio.create_task(self._reads())
        try:
            async with asyncio.timeout(_PATIENCE):  # `wait_for` may swallow a cancellation
                return await asyncio.shield(self._look)
        except TimeoutError:
            return False

    async def _reads(self) -> bool:
        """Look for a session that is not there."""
        try:
            await (await self._engine.service(LOCAL_USER)).find_session(_NO_SESSION)
        except SessionNotFound:
            return True
        except (HectorError, OSError):
            return False
        finally:
            self._looked_at = asyncio.get_running_loop().time()
        return True
