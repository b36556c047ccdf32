"""The last error of the notebook, as a model should read it: the cell, the way through the code, the message; all within a budget.

It is kept by the hook `post_run_cell`, as text, so that no frame and none of its variables outlives the cell.
"""

import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from hector_nb.errors import HectorError, InvalidRequest

MAX_ERROR = 8000
"""The most characters of an error; about 2,000 tokens."""
_MAX_CODE = 3000
_MAX_MESSAGE = 2000
_FIRST_FRAMES = 3
_LAST_FRAMES = 7
_OWN = (HectorError, KeyboardInterrupt, SystemExit)
"""Not errors of the notebook's code."""


class LastError:
    """What went wrong last in one shell."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._text: str | None = None

    def note(self, result: Any) -> None:
        """Look at a cell that has run, as IPython's hook `post_run_cell`."""
        from IPython.core.error import UsageError

        error = result.error_before_exec or result.error_in_exec
        if error is None or isinstance(error, (*_OWN, UsageError)):
            return
        described = _Described(
            code=str(getattr(result.info, "raw_cell", "")),
            number=result.execution_count,
            error=error,
            shell=self._shell,
        )
        self._text = described.text()

    def text(self) -> str:
        """The last error.

        Raises:
            InvalidRequest: there was none.
        """
        if self._text is None:
            raise InvalidRequest("No cell has failed since the extension was loaded.", hint="Ask without --err.")
        return self._text


@dataclass(frozen=True, kw_only=True)
class _Described:
    """An error with the cell that it stopped. `number` is the cell's."""

    code: str
    number: int | None
    error: BaseException
    shell: Any

    def text(self) -> str:
        cell = f"In [{self.number}]" if self.number else "a cell"
        said = _cut("\n".join(self._message()), _MAX_MESSAGE)
        code = _cut(self.code.strip("\n"), _MAX_CODE)
        path = self._path(MAX_ERROR - len(said) - len(code))
        return (
            f"The last error of the notebook, in {cell}:\n\n{_fenced(code, 'python')}\n\n{_fenced(path + said, 'text')}"
        )

    def _message(self) -> list[str]:
        """The error, and those that it came of."""
        lines = ["".join(traceback.format_exception_only(self.error)).rstrip("\n")]
        cause, seen = self.error, {id(self.error)}
        while (cause := cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)) is not None:  # type: ignore[assignment]
            if id(cause) in seen:
                break
            seen.add(id(cause))
            lines.append(f"It came of: {''.join(traceback.format_exception_only(cause)).rstrip()}")
        return lines

    def _path(self, room: int) -> str:
        """The frames, outermost first, without IPython's; those in the middle are left out."""
        frames = [self._frame(frame) for frame in traceback.extract_tb(_outside_ipython(self.error.__traceback__))]
        left_out = len(frames) - _FIRST_FRAMES - _LAST_FRAMES
        if left_out > 1:
            frames = [*frames[:_FIRST_FRAMES], f"… {left_out} calls between\n", *frames[-_LAST_FRAMES:]]
        while frames and sum(map(len, frames)) > room:
            del frames[len(frames) // 2]
        return "".join(frames)

    def _frame(self, frame: traceback.FrameSummary) -> str:
        line = f"    {frame.line}\n" if frame.line else ""
        return f"{self._place(frame.filename)}, line {frame.lineno}, in {frame.name}\n{line}"

    def _place(self, path: str) -> str:
        """A file as people know it: a cell, a module of a package, a path from here."""
        if named := self.shell.compile.format_code_name(path):
            return " ".join(named)
        _, installed, module = path.replace("\\", "/").rpartition("/site-packages/")
        if installed:
            return module
        file = Path(path)
        return file.relative_to(Path.cwd()).as_posix() if file.is_relative_to(Path.cwd()) else file.name


def _outside_ipython(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and "/IPython/core/" in trace.tb_frame.f_code.co_filename.replace("\\", "/"):
        trace = trace.tb_next
    return trace


def _fenced(text: str, language: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}"


def _cut(text: str, most: int) -> str:
    """The beginning and the end of a text that is too long."""
    if len(text) <= most:
        return text
    return f"{text[: most // 2]}\n… ({len(text) - most:,} characters left out)\n{text[len(text) - most // 2 :]}"
