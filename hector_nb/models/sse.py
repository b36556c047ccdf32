"""Server-sent events from bytes, cut anywhere: only what the OpenAI protocol uses, which is `data` and `event`."""

from collections.abc import Iterator

MAX_EVENT_BYTES = 16 * 1024 * 1024


class TooLong(ValueError):
    """An event that does not end."""


class EventSplitter:
    r"""Splits a byte stream into events.

    Takes `\n`, `\r\n` and `\r`, comments, several `data` lines, and data with or without a space after its colon.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._held_return = False
        self._name = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The name (mostly empty) and the data of each event that is complete now.

        Raises:
            TooLong: an event is longer than 16 MiB.
        """
        if self._held_return or b"\r" in chunk:
            chunk = self._with_newlines(chunk)
        if b"\n" not in chunk:
            self._rest += chunk
            self._check(len(self._rest))
            return
        if self._rest:
            chunk = bytes(self._rest) + chunk
            self._rest.clear()
        *lines, rest = chunk.split(b"\n")
        self._rest += rest
        for line in lines:
            if line:
                self._take(line)
            elif self._data:
                yield self._event()
            else:
                self._name = b""

    def close(self) -> Iterator[tuple[bytes, bytes]]:
        """What was complete but for its last line end."""
        if self._rest:
            self._take(bytes(self._rest))
            self._rest.clear()
        if self._data:
            yield self._event()

    def _with_newlines(self, chunk: bytes) -> bytes:
        r"""A `\r` at the end waits, because the rest of `\r\n` may follow."""
        if self._held_return:
            chunk = b"\r" + chunk
        self._held_return = chunk.endswith(b"\r")
        if self._held_return:
            chunk = chunk[:-1]
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _take(self, line: bytes) -> None:
        if line.startswith(b"data:"):
            data = line[6:] if line.startswith(b"data: ") else line[5:]
            self._size += len(data)
            self._check(self._size)
            self._data.append(data)
        elif line.startswith(b"event:"):
            self._name = line[6:].strip()

    def _event(self) -> tuple[bytes, bytes]:
        event = self._name, b"\n".join(self._data)
        self._name, self._size = b"", 0
        self._data.clear()
        return event

    def _check(self, size: int) -> None:
        if size > MAX_EVENT_BYTES:
            raise TooLong(f"an event of more than {MAX_EVENT_BYTES} bytes")
