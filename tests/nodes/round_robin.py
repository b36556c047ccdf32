"""A plain proxy: each new connection goes to the next node, past those that do not answer."""

import asyncio
from collections.abc import Sequence
from itertools import count

from tests.proof.cutting_proxy import CuttingProxy


class RoundRobin(CuttingProxy):
    """Passes connections on to `targets`, ports of this machine, in turn.

    Attributes:
        chosen: To which port each connection went.
    """

    def __init__(self, targets: Sequence[int]) -> None:
        super().__init__()
        self.chosen: list[int] = []
        self._targets = targets
        self._turns = count()

    async def onward(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """See `CuttingProxy`."""
        for _ in self._targets:
            port = self._targets[next(self._turns) % len(self._targets)]
            try:
                streams = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                continue
            self.chosen.append(port)
            return streams
        raise ConnectionRefusedError
