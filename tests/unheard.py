"""What only the event loop hears of: errors in callbacks, and in tasks and futures that nobody asks for theirs. A server's log shows them."""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def nothing_unheard() -> Iterator[None]:
    """Nothing of that comes of this block, on the running event loop."""
    loop, told = asyncio.get_running_loop(), list[dict[str, Any]]()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: told.append(context))
    try:
        yield
        gc.collect()
    finally:
        loop.set_exception_handler(before)
    assert told == []
