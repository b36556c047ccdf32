"""What a server that was started last wrote to its standard error: the best there is to tell why it does not work."""

import os
import threading
from collections import deque
from typing import TextIO

_LINES = 3
_LONGEST = 500


class LastWords:
    """Give `file` to the server, and call `begun` once it runs. A thread reads along, so that a talkative server is never held up."""

    def __init__(self) -> None:
        readable, writable = os.pipe()
        self.file: TextIO = os.fdopen(writable, "w")
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._thread = threading.Thread(target=self._read, args=(readable,), name="hector_nb mcp", daemon=True)
        self._thread.start()

    def begun(self) -> None:
        """The server has the pipe; this process lets go of it, so that it ends with the server."""
        self.file.close()

    def text(self, *, within: float = 0.0) -> str:
        """The last lines; of a server that has ended, waiting `within` seconds for them to be read."""
        if within:
            self._thread.join(within)
        return "\n".join(self._lines)

    def _read(self, readable: int) -> None:
        with os.fdopen(readable, errors="replace") as stream:
            while piece := stream.readline(_LONGEST):
                if line := piece.strip():
                    self._lines.append(line)
