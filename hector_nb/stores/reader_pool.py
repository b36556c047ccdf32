"""The threads of a store that read, each with a connection of its own."""

import threading
from collections.abc import Callable, Sequence

from hector_nb.stores.jobs import Inbox


class ReaderPool:
    """A small pool. Every thread calls `read`, which takes jobs from the inbox until there are no more."""

    def __init__(self, read: Callable[[Inbox], None], *, threads: int) -> None:
        self.inbox = Inbox()
        self._threads: Sequence[threading.Thread] = [
            threading.Thread(target=read, args=(self.inbox,), name=f"hector-store-reader-{n}", daemon=True)
            for n in range(threads)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let them finish what waits, and close."""
        self.inbox.close(threads=len(self._threads))
        for thread in self._threads:
            thread.join()
