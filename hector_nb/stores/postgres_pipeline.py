"""Prepared statements that go to a PostgreSQL server together: nobody waits for an answer that is not asked for.

The driver's cursors send each statement by itself and cost more time than the server needs for it. This speaks to the same connection
through the driver's `pq`: what is sent stays in its buffer until an answer is wanted, and then one round trip brings all of them.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any

import psycopg
from psycopg import errors
from psycopg.abc import PQGen
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGresult
from psycopg.waiting import Ready, Wait

from hector_nb.stores.postgres_dialect import numbered
from hector_nb.stores.sql_database import Values

_PREPARED = 400
"""Statements that a connection keeps prepared."""
_MOST_UNANSWERED = 1000
"""Statements in a row that nobody waits for; after so many it is waited for them, so that they do not fill the memory."""
_Kind = tuple[str, tuple[int, ...]]
"""A statement and the types of its values."""


class Rows:
    """The rows of a statement that was sent; whoever looks at them waits for them."""

    __slots__ = ("_pipeline", "kind", "result")

    def __init__(self, pipeline: "Pipeline", kind: _Kind | None = None) -> None:
        self._pipeline = pipeline
        self.kind = kind
        """What it prepares, if it does nothing else."""
        self.result: PGresult | None = None

    def fetchall(self) -> list[Any]:
        """All rows, as tuples."""
        return self._pipeline.rows(self, None)

    def fetchone(self) -> Any:
        """The first row, None where there is none."""
        return next(iter(self._pipeline.rows(self, 1)), None)

    def __iter__(self) -> Iterator[Any]:
        """All rows, as tuples."""
        return iter(self.fetchall())


class Pipeline:
    """What is sent between entering and leaving; when it is left, everything was answered.

    An error is raised as soon as its answer is read, at the latest when the pipeline is left; what was sent after it has no effect.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.is_open = False
        self.sent = 0
        """Statements, so far."""
        self.waits = 0
        """How often answers were waited for."""
        self._connection = connection
        self._pgconn = connection.pgconn
        self._transformer = Transformer(connection)
        self._unanswered: deque[Rows] = deque()
        self._once: set[_Kind] = set()
        self._names: dict[_Kind, bytes] = {}
        self._named = 0

    def __enter__(self) -> "Pipeline":
        """Begin to send."""
        self._pgconn.enter_pipeline_mode()
        self.is_open = True
        return self

    def __exit__(self, cls: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Wait for all answers."""
        self.is_open = False
        found: BaseException | None = None
        try:
            found = self._finish()
        except psycopg.Error as lost:
            found = lost
        if error is None and found is not None:
            raise found

    def send(self, query: str, values: Values | None = None) -> Rows:
        """Send a statement. One that comes again is prepared."""
        text, names = numbered(query)
        sent: list[Any] = [values[name] for name in names] if values else []
        buffers = self._transformer.dump_sequence(sent, [PyFormat.AUTO] * len(sent))
        types, formats = self._transformer.types or (), self._transformer.formats
        name = self._name((query, types), text)
        if name is None:
            self._pgconn.send_query_params(text, buffers, types, formats)
        else:
            self._pgconn.send_query_prepared(name, buffers, formats)
        return self._expect(Rows(self))

    def rows(self, rows: Rows, most: int | None) -> list[Any]:
        """The rows of a statement, which are waited for where they are not there yet."""
        self._await(rows)
        result = rows.result
        assert result is not None
        count = result.ntuples if most is None else min(most, result.ntuples)
        if not count:
            return []
        self._transformer.set_pgresult(result)
        return self._transformer.load_rows(0, count, tuple)

    def _await(self, rows: Rows) -> None:
        if rows.result is None:
            self.waits += 1
            self._connection.wait(self._read())

    def _name(self, kind: _Kind, text: bytes) -> bytes | None:
        name = self._names.get(kind)
        if name is None and kind in self._once and len(self._names) < _PREPARED:
            self._named += 1
            name = self._names[kind] = b"hector_%d" % self._named
            self._pgconn.send_prepare(name, text, param_types=kind[1])
            self._expect(Rows(self, kind))
        elif name is None and len(self._once) < _PREPARED:
            self._once.add(kind)
        return name

    def _expect(self, rows: Rows) -> Rows:
        self.sent += rows.kind is None
        self._unanswered.append(rows)
        if len(self._unanswered) == _MOST_UNANSWERED:
            self._await(rows)
        return rows

    def _read(self) -> PQGen[None]:
        """Read the answers to all that was sent."""
        self._pgconn.send_flush_request()
        yield from self._flush()
        while self._unanswered:
            error = yield from self._next()
            if error is not None:
                raise error

    def _flush(self) -> PQGen[None]:
        while self._pgconn.flush():
            ready = yield Wait.RW
            if ready & Ready.R:
                self._take_in()

    def _take_in(self) -> None:
        """Read what has come; notifications among it are for the connection."""
        self._pgconn.consume_input()
        while notify := self._pgconn.notifies():
            if self._pgconn.notify_handler:
                self._pgconn.notify_handler(notify)

    def _next(self) -> PQGen[psycopg.Error | None]:
        """Read the next answer."""
        results = yield from self._answer()
        if not results:
            raise psycopg.OperationalError("the connection ended before the answer")
        rows = self._unanswered.popleft()
        rows.result = results[-1]
        if rows.result.status in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
            return None
        if rows.kind is not None:
            del self._names[rows.kind]
        if rows.result.status == ExecStatus.PIPELINE_ABORTED:
            return errors.PipelineAborted("an earlier statement failed")
        return _error(rows.result)

    def _answer(self) -> PQGen[Sequence[PGresult]]:
        results: list[PGresult] = []
        while True:
            while self._pgconn.is_busy():
                while not (yield Wait.R):
                    pass
                self._take_in()
            result = self._pgconn.get_result()
            if result is None:
                return results
            results.append(result)
            if result.status == ExecStatus.PIPELINE_SYNC:
                return results

    def _finish(self) -> psycopg.Error | None:
        """Read all answers; the first error among them."""
        if self._pgconn.status == ConnStatus.BAD:
            self._unanswered.clear()
            return None
        self._pgconn.pipeline_sync()
        self.waits += 1
        error = self._connection.wait(self._read_all())
        self._pgconn.exit_pipeline_mode()
        return error

    def _read_all(self) -> PQGen[psycopg.Error | None]:
        first: psycopg.Error | None = None
        yield from self._flush()
        while self._unanswered:
            error = yield from self._next()
            first = first or error
        yield from self._answer()
        return first


def _error(result: PGresult) -> psycopg.Error:
    error = errors.error_from_result(result)
    if error.sqlstate is None:
        return psycopg.OperationalError(str(error))
    return error
