"""Logs as lines of JSON, one object each, on standard error: `hector serve --log-format json`.

    {"time": "2026-01-01T12:00:00.123Z", "level": "info", "logger": "hector_nb.turns", "event": "turn", "session_id": …}

What the program says of itself has a `message`; records that carry fields (turns, requests) have those instead.
"""

import json
import logging
import sys
from datetime import UTC, datetime


class JsonFormatter(logging.Formatter):
    """One record, one line."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line: dict[str, object] = {"time": when, "level": record.levelname.lower(), "logger": record.name}
        fields = getattr(record, "hector", None)
        line |= fields if isinstance(fields, dict) else {"message": record.getMessage()}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def log_to_stderr(*more: logging.Logger) -> None:
    """Send everything that is logged to standard error as JSON: warnings, and of ourselves what is informative, too.

    `more` are loggers that do not pass on to the root logger, with handlers of their own, which this replaces.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.getLogger().addHandler(handler)
    logging.getLogger("hector_nb").setLevel(logging.INFO)
    for logger in more:
        logger.handlers[:] = [handler]
        logger.setLevel(logging.WARNING)  # Jupyter leaves that to the handlers which this replaces
        logger.propagate = False
