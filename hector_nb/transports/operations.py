"""For those who run the server: whether it lives, whether it is ready, and its numbers."""

from typing import Any, cast

from jupyter_server.auth.decorator import allow_unauthenticated

from hector_nb.transports.handlers import RestHandler, guarded
from hector_nb.transports.readiness import Readiness

_READINESS = "hector_nb_readiness"
"""The key of the application's settings under which its `Readiness` is found."""


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
