"""Something asynchronous that plain code on this thread has to wait for, though an event loop may be running here already.

In a notebook the kernel's loop runs on the main thread, and the objects that cells made with `await` belong to it. So what is awaited
must run on that very loop, inside of it: asyncio is patched for that, at the first time it is needed and never before. On ipykernel 7
the patch is `nest_asyncio2`, for `nest_asyncio` loses cells that wait there; earlier kernels bring `nest_asyncio` themselves.
"""

import asyncio
import sys
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


def run_here(awaitable: Awaitable[T]) -> T:
    """Wait for it on this thread, on the loop that runs here or else on a new one."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(_awaited(awaitable))
    _allow_nesting(loop)
    task = loop.create_task(_awaited(awaitable))
    try:
        return loop.run_until_complete(task)
    except BaseException:
        task.cancel()
        raise


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable


def _allow_nesting(loop: asyncio.AbstractEventLoop) -> None:
    ipykernel = sys.modules.get("ipykernel")
    if ipykernel is not None and ipykernel.version_info[0] < 7:
        import nest_asyncio

        nest_asyncio.apply(loop)
    else:
        import nest_asyncio2

        nest_asyncio2.apply(loop)
