"""Calls from the engine's thread to the main thread, on which these tests run and wait."""

import asyncio
import queue
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from hector_nb.frontends.connect import LoopThread
from hector_nb.tools.main_thread import MainThread, NobodyWaits, Stopped
from tests.unheard import nothing_unheard


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    loop = LoopThread()
    yield loop
    loop.stop()


def wait_for(future: "Future[Any]", main_thread: MainThread) -> Any:
    """Wait for an answer as a cell does."""
    woken: queue.SimpleQueue[None] = queue.SimpleQueue()
    future.add_done_callback(lambda _: woken.put(None))
    with main_thread.waiting(lambda: woken.put(None)):
        while not future.done():
            woken.get(timeout=30)
            main_thread.run_pending()
    return future.result()


def test_a_call_runs_on_the_main_thread_while_something_waits_there(loop: LoopThread) -> None:
    main_thread = MainThread()
    ran = wait_for(loop.submit(main_thread.call(threading.current_thread)), main_thread)
    assert ran is threading.main_thread()


def test_errors_come_back(loop: LoopThread) -> None:
    main_thread = MainThread()
    with pytest.raises(ZeroDivisionError):
        wait_for(loop.submit(main_thread.call(lambda: 1 // 0)), main_thread)


def test_calls_at_once_run_one_after_the_other(loop: LoopThread) -> None:
    main_thread, ran = MainThread(), []

    async def both() -> list[None]:
        return await asyncio.gather(*(main_thread.call(lambda n=n: ran.append(n)) for n in range(5)))  # type: ignore[misc]

    wait_for(loop.submit(both()), main_thread)
    assert ran == [0, 1, 2, 3, 4]


def test_where_nobody_waits_the_call_is_refused_in_time(loop: LoopThread) -> None:
    main_thread, ran = MainThread(patience=0.05), []
    with pytest.raises(NobodyWaits):
        loop.submit(main_thread.call(lambda: ran.append(1))).result(timeout=30)
    main_thread.run_pending()
    assert ran == []


def test_a_call_that_waits_behind_a_long_one_is_not_refused(loop: LoopThread) -> None:
    main_thread = MainThread(patience=0.01)
    long_enough = threading.Event()

    async def both() -> list[Any]:
        loop_now = asyncio.get_running_loop()
        loop_now.call_later(0.1, long_enough.set)
        return await asyncio.gather(main_thread.call(lambda: long_enough.wait(30)), main_thread.call(lambda: "second"))

    with main_thread.waiting(lambda: None):  # before the calls come, whose patience is short
        assert wait_for(loop.submit(both()), main_thread) == [True, "second"]


def test_a_call_that_comes_before_anybody_waits_is_run_once_somebody_does(loop: LoopThread) -> None:
    main_thread = MainThread()
    future = loop.submit(main_thread.call(lambda: "done"))
    loop.run(asyncio.sleep(0))
    assert wait_for(future, main_thread) == "done"


def test_a_call_may_wait_for_an_answer_itself(loop: LoopThread) -> None:
    main_thread = MainThread()

    def nested() -> str:
        return f"outer {wait_for(loop.submit(main_thread.call(lambda: 'inner')), main_thread)}"

    assert wait_for(loop.submit(main_thread.call(nested)), main_thread) == "outer inner"


def test_a_cancelled_call_is_not_begun(loop: LoopThread) -> None:
    main_thread, ran = MainThread(), []
    future = loop.submit(main_thread.call(lambda: ran.append(1)))
    loop.run(asyncio.sleep(0))
    future.cancel()
    loop.run(asyncio.sleep(0))
    main_thread.run_pending()
    assert ran == []


def test_an_interrupt_stops_the_call_and_those_behind_it(loop: LoopThread) -> None:
    main_thread, ran = MainThread(), []

    def interrupted() -> None:
        raise KeyboardInterrupt

    async def both() -> list[Any]:
        calls: list[Coroutine[Any, Any, Any]] = [main_thread.call(interrupted), main_thread.call(lambda: ran.append(1))]
        return await asyncio.gather(*calls, return_exceptions=True)

    future = loop.submit(both())
    loop.run(asyncio.sleep(0))  # both calls are there
    with pytest.raises(KeyboardInterrupt):
        wait_for(future, main_thread)
    assert [type(result) for result in future.result(timeout=30)] == [Stopped, Stopped]
    assert ran == []


def test_nobody_mourns_a_call_that_fails_after_it_was_given_up(loop: LoopThread) -> None:
    main_thread, begun = MainThread(), threading.Event()
    ways: list[asyncio.Task[None]] = []

    async def give_up_meanwhile() -> None:
        with nothing_unheard():
            ways.append(asyncio.create_task(main_thread.call(fail)))
            await asyncio.to_thread(given_up.wait, 30)
            ways.pop()
            await asyncio.sleep(0)

    def fail() -> None:
        begun.set()
        loop.run(cancel())
        raise ValueError

    async def cancel() -> None:
        ways[0].cancel()
        await asyncio.wait(ways)

    given_up = threading.Event()
    future = loop.submit(give_up_meanwhile())
    with main_thread.waiting(lambda: None):
        while not begun.is_set():
            main_thread.run_pending()
    given_up.set()
    future.result(timeout=30)


def test_another_thread_neither_runs_calls_nor_counts_as_somebody_who_waits(loop: LoopThread) -> None:
    main_thread, woken = MainThread(patience=0.05), []

    def elsewhere() -> None:
        with main_thread.waiting(lambda: woken.append(1)):
            with pytest.raises(NobodyWaits):
                loop.submit(main_thread.call(lambda: "never")).result(timeout=30)
            main_thread.run_pending()

    in_another_thread(elsewhere)
    assert woken == []


def test_a_plain_call_runs_what_it_waits_for() -> None:
    from hector_nb.tools.main_thread import MAIN_THREAD

    loop = LoopThread()
    try:
        assert loop.run(MAIN_THREAD.call(threading.current_thread)) is threading.main_thread()
    finally:
        loop.stop()


def in_another_thread(work: Callable[[], None]) -> None:
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    assert failed == []
