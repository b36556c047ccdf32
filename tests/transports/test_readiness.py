"""Whether a server can answer: what is asked of an engine, within its time."""

import asyncio
from collections.abc import Sequence

import pytest

from hector_nb.errors import StoreError
from hector_nb.service import SessionService
from hector_nb.transports.handlers import Engine
from hector_nb.transports.readiness import Readiness

pytestmark = pytest.mark.anyio


class SlowEngine(Engine):
    """An engine that fails when it is let."""

    turns = 0

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.may_fail = asyncio.Event()

    async def allowed_origins(self) -> Sequence[str]:
        return ()

    async def service(self, user: str) -> SessionService:
        self.asked.set()
        await self.may_fail.wait()
        raise StoreError("The store is gone.")

    async def aclose(self) -> None:
        pass


@pytest.mark.parametrize("steps_later", range(6))
async def test_who_stops_asking_in_the_moment_of_the_answer_has_stopped(steps_later: int) -> None:
    engine = SlowEngine()
    asking = asyncio.create_task(Readiness(engine).ready())
    await engine.asked.wait()
    engine.may_fail.set()
    for _ in range(steps_later):
        await asyncio.sleep(0)
    if asking.cancel():
        with pytest.raises(asyncio.CancelledError):
            await asking
    else:
        assert asking.result() is False
