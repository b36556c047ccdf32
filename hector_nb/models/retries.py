"""How often, and after which pause, a request that failed before its first token is sent again."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hector_nb.models.provider_errors import Failed

LONGEST_RETRY_AFTER = 60.0
"""Seconds; who is asked to wait longer gives up at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Retries:
    """At most so many repetitions of one request; `sleep` waits between them."""

    most: int
    sleep: Callable[[float], Awaitable[None]]

    async def pause(self, failed: Failed, attempt: int) -> None:
        """Wait before the next try; `attempt` counts from 0.

        Raises:
            ModelError: there is to be none.
        """
        seconds = self._seconds(failed, attempt)
        if seconds is None:
            raise failed.error from failed.__cause__
        await self.sleep(seconds)

    def _seconds(self, failed: Failed, attempt: int) -> float | None:
        if not failed.transient or attempt >= self.most:
            return None
        if failed.retry_after is not None:
            return failed.retry_after if failed.retry_after <= LONGEST_RETRY_AFTER else None
        return float(min(8.0, 0.5 * 2**attempt) * random.uniform(0.75, 1.25))  # noqa: S311 - spreads load, hides nothing
