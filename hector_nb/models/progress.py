"""Progress of a download: a context manager that is given a label and yields a callback for bytes done and bytes in all."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TypeAlias

Report: TypeAlias = Callable[[int, int], None]
"""Called with bytes done and bytes in all (0: unknown), from any thread."""
Progress: TypeAlias = Callable[[str], AbstractContextManager[Report]]


@dataclass(eq=False)
class Download:
    """A download that goes on; `done` and `total` are bytes, `total` 0 while it is unknown."""

    label: str
    done: int = 0
    total: int = 0


_bars: set[object] = set()
_downloads: list[Download] = []


def downloads() -> list[Download]:
    """The downloads of this process that no terminal shows, oldest first: notebooks look here."""
    return [*_downloads]


def bar_is_shown() -> bool:
    """Whether a bar stands on the terminal. Who draws there too holds still meanwhile."""
    return bool(_bars)


@contextmanager
def terminal_progress(label: str) -> Iterator[Report]:
    """A bar on standard error where that is a terminal, else an entry in `downloads`."""
    if not sys.stderr.isatty():
        with _listed(label) as report:
            yield report
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        _bars.add(bar)
        try:
            yield lambda done, total: bar.update(task, completed=done, total=total or None)
        finally:
            _bars.remove(bar)


@contextmanager
def _listed(label: str) -> Iterator[Report]:
    download = Download(label)

    def report(done: int, total: int) -> None:
        download.done, download.total = done, total

    _downloads.append(download)
    try:
        yield report
    finally:
        _downloads.remove(download)
