"""From an answer's bytes, cut anywhere, to deltas: server-sent events, or one JSON object where a server does not stream. No I/O."""

from collections.abc import Iterable

from hector_nb.models.base import ModelDelta
from hector_nb.models.openai_chunks import ChunkReader
from hector_nb.models.openai_protocol import parse
from hector_nb.models.provider_errors import Failed, Provider
from hector_nb.models.sse import MAX_EVENT_BYTES, EventSplitter, TooLong

_SAMPLE_BYTES = 512


class AnswerReader:
    """Reads one answer.

    Attributes:
        ended: Whether the end mark has come; nothing after it counts.
    """

    def __init__(self, provider: Provider) -> None:
        self.ended = False
        self._provider = provider
        self._chunks = ChunkReader(provider.host)
        self._events = EventSplitter()
        self._whole: bytearray | None = None
        self._content_type = "text/event-stream"
        self._sample = b""
        self._failed: Failed | None = None

    @property
    def spoke(self) -> bool:
        """Whether any delta has come."""
        return self._chunks.spoke

    @property
    def complete(self) -> bool:
        """Whether the provider has said why the answer ends; usage and the end mark may follow."""
        return self._chunks.finish_reason is not None

    def expect(self, content_type: str) -> None:
        """Say what the answer's bytes are."""
        self._content_type = content_type
        if content_type == "application/json":
            self._whole = bytearray()

    def feed(self, data: bytes) -> list[ModelDelta]:
        """The deltas that are complete with these bytes. If more cannot be read, `ended` is true and `finish` tells why."""
        if len(self._sample) < _SAMPLE_BYTES:
            self._sample += data[:_SAMPLE_BYTES]
        if self._whole is not None:
            self._whole += data
            if len(self._whole) > MAX_EVENT_BYTES:
                self._fail(self._provider.garbage("sent an endless answer"), None)
            return []
        batch: list[ModelDelta] = []
        try:
            self._read(self._events.feed(data), batch)
        except TooLong as error:
            self._fail(self._provider.garbage(f"sent {error}"), error)
        except Failed as failed:
            self._fail(failed, failed.__cause__)
        return batch

    def _fail(self, failed: Failed, cause: BaseException | None) -> None:
        """End here, but let what came before be passed on first."""
        failed.__cause__ = cause
        self._failed = failed
        self.ended = True

    def finish(self) -> list[ModelDelta]:
        """What is left to say when no more bytes come.

        Raises:
            Failed: the answer is not complete, is not the protocol's, or tells of an error.
        """
        if self._failed is not None:
            raise self._failed
        batch: list[ModelDelta] = []
        if self._whole is not None:
            self._read([(b"", bytes(self._whole))] if self._whole else [], batch)
        elif not self.ended:
            self._read(self._events.close(), batch)
        if not self.complete and not (self.ended and self.spoke):
            raise (
                self._provider.garbage(*self._wrong()) if self._is_no_answer() else self._provider.cut(spoke=self.spoke)
            )
        return batch + self._chunks.finish()

    def _is_no_answer(self) -> bool:
        if self.spoke:
            return False
        return self.ended or not self._sample or self._content_type != "text/event-stream"

    def _wrong(self) -> tuple[str, bytes]:
        if self.ended or not self._sample:
            return "sent an empty answer", b""
        return f"sent {self._content_type} instead of an answer", self._sample

    def _read(self, events: Iterable[tuple[bytes, bytes]], batch: list[ModelDelta]) -> None:
        for name, data in events:
            self._read_event(name, data, batch)
            if self.ended:
                return

    def _read_event(self, name: bytes, data: bytes, batch: list[ModelDelta]) -> None:
        if data.startswith(b"[DONE]"):
            self.ended = True
            return
        try:
            chunk = parse(data)
        except ValueError as error:
            lines = data.split(b"\n")
            if len(lines) == 1:
                raise self._provider.garbage("sent something that is not JSON", data) from error
            self._read(((name, line) for line in lines), batch)  # some servers forget the empty line between events
            return
        if type(chunk) is not dict:
            raise self._provider.garbage("sent something that is not an answer", data)
        failure = chunk if name == b"error" and "error" not in chunk else chunk.get("error")
        if failure:
            raise self._provider.error_in_stream(failure)
        self._chunks.read(chunk, batch)
