"""Locks by which the processes of one machine know of each other who lives.

A holder keeps a lock on a small file of its own. The operating system releases it when the process ends, however that happens, and
not before: a process that is stopped, or whose threads do not get to run, still lives. Where there are no such locks (Windows), or
the file cannot be made, nothing is known.
"""

import os
import threading
import time
from collections.abc import Set as AbstractSet
from contextlib import suppress
from functools import cache
from pathlib import Path
from weakref import WeakSet

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_ATTEMPTS = 10
_PAUSE = 0.001


class HolderLocks:
    """The locks of the holders that use one database, in a folder beside it. Use it from any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._guard = threading.Lock()
        self._held: dict[str, int] = {}

    def hold(self, holder: str) -> None:
        """Show that this process is the holder and lives, until it lets go or ends."""
        if holder in self._held or fcntl is None:
            return
        with self._guard, suppress(OSError):  # then others go by its heartbeats
            if holder not in self._held:
                self._folder.mkdir(mode=0o700, exist_ok=True)
                self._held[holder] = self._locked(self._folder / holder)
                _forget_in_children(self)

    def release(self, holder: str) -> None:
        """Let go, and leave nothing behind."""
        with self._guard:
            if (descriptor := self._held.pop(holder, None)) is not None:
                with suppress(OSError):
                    (self._folder / holder).unlink()
                os.close(descriptor)

    def abandon(self) -> None:
        """End as a process ends: the files stay, and tell others that their holders are dead."""
        while self._held:
            os.close(self._held.popitem()[1])

    def alive(self, holder: str) -> bool | None:
        """Whether the holder lives; None where its lock does not tell."""
        if fcntl is None:
            return None
        try:
            descriptor = os.open(self._folder / holder, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            # Shared, so that two who look at the same time do not take each other for the holder.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return None
        finally:
            os.close(descriptor)
        return False

    def remove_others(self, known: AbstractSet[str]) -> None:
        """Remove the files of holders that are dead and not among the known."""
        if fcntl is None:
            return
        with suppress(OSError):
            for file in self._folder.iterdir():
                if file.name not in known:
                    self._remove_dead(file)

    def _remove_dead(self, file: Path) -> None:
        with suppress(OSError):  # it lives, or somebody else was faster
            descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_file_of(descriptor, file):
                    file.unlink()
            finally:
                os.close(descriptor)

    def _locked(self, file: Path) -> int:
        """A descriptor of the locked file; those who look whether it is locked are in the way for microseconds."""
        for _ in range(_ATTEMPTS):
            descriptor = os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            with suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_file_of(descriptor, file):
                    return descriptor
            os.close(descriptor)
            time.sleep(_PAUSE)
        raise BlockingIOError(file)


def _is_file_of(descriptor: int, file: Path) -> bool:
    """Whether the file was not removed meanwhile."""
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False


_all: WeakSet[HolderLocks] = WeakSet()


@cache
def _at_fork() -> None:
    os.register_at_fork(after_in_child=_close_inherited)


def _forget_in_children(locks: HolderLocks) -> None:
    """A forked child must not keep the lock of a parent that has died."""
    _all.add(locks)
    _at_fork()


def _close_inherited() -> None:
    for locks in _all:
        locks.abandon()
