"""What is done with futures everywhere. Below everything else that is ours."""

from asyncio import Future
from typing import Any


def disregard_failure(future: Future[Any]) -> None:
    """A callback for a future that is done: its failure is no news to anybody, so asyncio need not complain that nobody looked at it."""
    if not future.cancelled():
        future.exception()
