"""Server-sent events as our servers write them, from bytes that are cut anywhere."""

from dataclasses import dataclass

MAX_BLOCK_BYTES = 64 * 1024 * 1024


class TooLong(ValueError):
    """An event that does not end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """One event: its `id`, its `name` (empty for text and the end mark), and its `data`, None where there is none."""

    id: str
    name: str
    data: str | None


class BlockSplitter:
    """Splits a byte stream into blocks; comments and `retry` are passed over."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> list[Block]:
        """The blocks that are complete now.

        Raises:
            TooLong: one does not end.
        """
        scanned = max(0, len(self._rest) - 1)
        self._rest += chunk
        end = self._rest.rfind(b"\n\n", scanned)
        if end < 0:
            if len(self._rest) > MAX_BLOCK_BYTES:
                raise TooLong(f"an event of more than {MAX_BLOCK_BYTES} bytes")
            return []
        whole = bytes(self._rest[:end]).decode("utf-8", "replace")
        del self._rest[: end + 2]
        return [block for text in whole.split("\n\n") if (block := _block(text)) is not None]


def _block(text: str) -> Block | None:
    """A block, unless it is only a comment."""
    found: dict[str, str] = {}
    for line in text.split("\n"):
        name, _, value = line.partition(": ")
        if name in {"id", "event", "data"}:
            found[name] = value
    return Block(id=found.get("id", ""), name=found.get("event", ""), data=found.get("data")) if found else None
