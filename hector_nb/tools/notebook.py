"""Functions of a notebook as tools: `@hector_nb.tool` in a cell.

They run on the kernel's main thread, where the notebook's objects live, while the cell that asked waits there: figures and prints land in
that cell, an interrupt (■) stops function and turn alike. An `async` function runs on the loop that the kernel runs on its main thread.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from hector_nb.tools.base import Tool, ToolError
from hector_nb.tools.decorator import offered
from hector_nb.tools.main_thread import MAIN_THREAD, MainThread, NobodyWaits, Stopped
from hector_nb.tools.nested_loop import run_here

if TYPE_CHECKING:
    from hector_nb.tools.function import Work

_TO_BE_CANCELLED = 5.0
"""Seconds that an interrupted turn has to end before its model hears of the interrupt."""


class NotebookTools:
    """The functions that this process's notebook offers at the moment; in a process without a notebook there are none.

    Args:
        main_thread: Who runs them.
        wanted: Whether there is any use for them: an agent whose model cannot call tools has none.
    """

    def __init__(self, main_thread: MainThread = MAIN_THREAD, *, wanted: Callable[[], bool] = lambda: True) -> None:
        self._main_thread = main_thread
        self._wanted = wanted

    async def tools(self) -> Sequence[Tool]:
        """A tool for each function."""
        functions = offered()
        if not functions or not self._wanted():
            return ()
        from hector_nb.tools.function import FunctionTool

        # A function that is gone is offered no more, so nothing here may hold it.
        return [
            FunctionTool(function, mark, signature=signature, run=self._run) for function, mark, signature in functions
        ]

    async def aclose(self) -> None:
        """Nothing is held."""

    async def _run(self, work: "Work") -> str:
        if threading.current_thread() is threading.main_thread():
            # The engine itself runs here: `async with hector_nb.aconnect()` in a cell.
            text = work()
            return text if isinstance(text, str) else await text
        try:
            return await self._main_thread.call(lambda: _finished(work()))
        except NobodyWaits as error:
            raise ToolError(
                "This function belongs to a notebook, and no cell of it waits for this answer, so it cannot run now. "
                "Do without it, and say that the question must be asked in the notebook with %%hector."
            ) from error
        except Stopped as error:
            await asyncio.sleep(_TO_BE_CANCELLED)
            raise ToolError("A person stopped the function.") from error


def _finished(text: str | Awaitable[str]) -> str:
    """The text of a call, on the thread that it was made on."""
    return text if isinstance(text, str) else run_here(text)
