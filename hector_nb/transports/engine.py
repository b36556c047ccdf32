"""What transports see of the engine behind them; `extension.py` puts one in the application's settings."""

from collections.abc import Sequence
from typing import Protocol

from hector_nb.service import SessionService
from hector_nb.telemetry.base import Telemetry

ENGINE = "hector_nb_engine"
"""The key of the application's settings under which the `Engine` is found."""


class Engine(Protocol):
    """What answers the requests, once it is configured and open."""

    async def allowed_origins(self) -> Sequence[str]:
        """`server.allow_origins`; nothing where the configuration cannot be used."""
        ...

    async def service(self, user: str) -> SessionService:
        """The sessions of one user.

        Raises:
            ConfigError: the configuration cannot be used.
            HectorError: the engine cannot be opened, or it stops.
        """
        ...

    @property
    def telemetry(self) -> Telemetry:
        """Who is told of what happens."""
        return Telemetry()

    async def metrics(self) -> tuple[bytes, str]:
        """What Prometheus reads, and its content type."""
        return b"", "text/plain"

    @property
    def turns(self) -> int:
        """How many turns run."""
        ...

    async def aclose(self) -> None:
        """Stop the turns, keeping what was said, and free everything."""
        ...
