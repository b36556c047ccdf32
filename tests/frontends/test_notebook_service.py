"""A notebook's service whose opening is interrupted: it is closed again, and nothing is said of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from hector_nb.errors import Unavailable
from hector_nb.frontends.connect import LoopThread
from hector_nb.frontends.notebook_service import _Opened
from tests.unheard import nothing_unheard

pytestmark = pytest.mark.anyio
SERVICE: Any = object()
NO_LOOP: Any = LoopThread.__new__(LoopThread)


@pytest.mark.parametrize("rounds", range(6))
async def test_one_that_opens_as_it_is_given_up_is_closed_again(rounds: int) -> None:
    may_open, is_open = asyncio.Event(), []

    @asynccontextmanager
    async def opener() -> AsyncIterator[Any]:
        await may_open.wait()
        is_open.append(True)
        yield SERVICE
        is_open.clear()

    opened = _Opened(opener, NO_LOOP)
    with nothing_unheard():
        opening = asyncio.create_task(opened.open())
        await asyncio.sleep(0)
        may_open.set()
        for _ in range(rounds):
            await asyncio.sleep(0)
        opening.cancel()
        await asyncio.wait([opening])
        if not opening.cancelled():
            await opened.close()
        assert opened._holder is not None
        async with asyncio.timeout(30):
            await asyncio.wait([opened._holder])
        opened._holder = None
    assert opening.cancelled() or opened.service is SERVICE


async def test_nobody_mourns_one_that_cannot_be_opened_after_it_was_given_up() -> None:
    asked = asyncio.Event()

    @asynccontextmanager
    async def opener() -> AsyncIterator[Any]:
        asked.set()
        try:
            await asyncio.Event().wait()
            yield SERVICE
        finally:
            raise Unavailable("The server broke off.")

    opened = _Opened(opener, NO_LOOP)
    with nothing_unheard():
        opening = asyncio.create_task(opened.open())
        await asked.wait()
        opening.cancel()
        await asyncio.wait([opening])
        assert opened._holder is not None
        await asyncio.wait([opened._holder])
        opened._holder = None
