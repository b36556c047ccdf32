"""For those who run the server: whether it lives, whether it is ready, and its numbers."""

import asyncio
from typing import Any, cast

from jupyter_server.auth.decorator import allow_unauthenticated

from hector_nb.errors import HectorError, SessionNotFound
from hector_nb.sessions import LOCAL_USER
from hector_nb.transports.handlers import Engine, RestHandler, guarded

_PATIENCE = 2.0
"""Seconds after which an engine that has not answered counts as not ready."""
_KEPT = 1.0
"""Seconds for which an answer is given again without looking: the route is open to all, and must not be a way to load the store."""
_READINESS = "hector_nb_readiness"
"""The key of the application's settings under which its `Readiness` is found."""
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
            return await asyncio.wait_for(asyncio.shield(self._look), _PATIENCE)
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


class OpenHandler(RestHandler):
    """The two routes that are open to all, and tell nothing else."""

    open_to_all = True
    _track_activity = False

    def say(self, *, ok: bool) -> None:
        """One word and its status."""
        self.reply({"status": "ok" if ok else "unavailable"}, status=200 if ok else 503)


class HealthHandler(OpenHandler):
    """`/hector/health`."""

    @allow_unauthenticated
    async def get(self) -> None:
        """Whether requests can be answered now."""
        settings: dict[str, Any] = self.settings
        found = cast("Readiness", settings.setdefault(_READINESS, Readiness(self.engine)))
        self.say(ok=await found.ready())


class LiveHandler(OpenHandler):
    """`/hector/health/live`."""

    @allow_unauthenticated
    def get(self) -> None:
        """Whether the process lives: whoever reads this knows."""
        self.say(ok=True)


class MetricsHandler(RestHandler):
    """`/hector/metrics`."""

    _track_activity = False

    @guarded("read")
    async def get(self) -> None:
        """All that is counted in this process, in Prometheus's text format."""
        body, kind = await self.engine.metrics()
        self.finish(body, set_content_type=kind)
