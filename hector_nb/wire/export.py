"""A conversation as a file: JSON (which imports again without loss), Markdown, or a notebook.

Pure: a format's exporter makes text of a session, then of each message in order, so that a long transcript need never be whole
in memory. Markdown and notebooks hold what a model wrote in the neutralised form that is safe to display.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final, Protocol

from hector_nb.messages import Message, ToolCall, unreadable
from hector_nb.sessions import Session
from hector_nb.wire.codec import dumps, encode_message, encode_session
from hector_nb.wire.safe_markdown import clean, neutralise

FORMAT: Final = "hector_nb.session"
"""What the JSON form calls itself; `VERSION` grows when its keys change."""
VERSION: Final = 1
_BACKTICKS = re.compile("`+")
_UNSAFE_IN_NAMES = re.compile(r"[^\w.-]+", re.ASCII)
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$!&])")


class Exporter(Protocol):
    """Writes one session."""

    def begin(self, session: Session) -> str:
        """What comes first."""
        ...

    def message(self, message: Message) -> str:
        """The next message."""
        ...

    def end(self) -> str:
        """What comes last."""
        ...


class JsonExporter:
    """One object: `format`, `version`, `session` and `messages`, with everything that is known of them."""

    def __init__(self) -> None:
        self._between = "\n"

    def begin(self, session: Session) -> str:
        """See `Exporter`."""
        return (
            f'{{"format": "{FORMAT}", "version": {VERSION}, "session": {dumps(encode_session(session))}, "messages": ['
        )

    def message(self, message: Message) -> str:
        """See `Exporter`."""
        between, self._between = self._between, ",\n"
        return between + dumps(encode_message_whole(message))

    def end(self) -> str:
        """See `Exporter`."""
        return "\n]}\n"


class MarkdownExporter:
    """A document with a heading for each message."""

    def begin(self, session: Session) -> str:
        """See `Exporter`."""
        return _title(session) + "\n"

    def message(self, message: Message) -> str:
        """See `Exporter`."""
        return f"\n## {_heading(message)}\n\n{_body(message)}\n"

    def end(self) -> str:
        """See `Exporter`."""
        return ""


class NotebookExporter:
    """A notebook with a Markdown cell for each message."""

    def __init__(self) -> None:
        self._cells = 0

    def begin(self, session: Session) -> str:
        """See `Exporter`."""
        kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
        metadata = {
            "kernelspec": kernel,
            "language_info": {"name": "python"},
            "hector": {"session_id": session.session_id, "agent": session.agent},
        }
        head = f'{{"nbformat": 4, "nbformat_minor": 5, "metadata": {dumps(metadata)}, "cells": [\n'
        return head + self._cell(_title(session), {})

    def message(self, message: Message) -> str:
        """See `Exporter`."""
        about = {
            "message_id": message.message_id,
            "turn_id": message.turn_id,
            "role": message.role,
            "status": message.status,
        }
        return ",\n" + self._cell(f"**{_heading(message)}**\n\n{_body(message)}", {"hector": about})

    def end(self) -> str:
        """See `Exporter`."""
        return "\n]}\n"

    def _cell(self, text: str, metadata: Mapping[str, Any]) -> str:
        self._cells += 1
        source = text.rstrip("\n").splitlines(keepends=True)
        cell = {"cell_type": "markdown", "id": f"cell-{self._cells}", "metadata": metadata, "source": source}
        return dumps(cell)


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file."""

    media_type: str
    suffix: str
    exporter: Callable[[], Exporter]


FORMATS: Mapping[str, Format] = {
    "json": Format("application/json", ".json", JsonExporter),
    "markdown": Format("text/markdown; charset=utf-8", ".md", MarkdownExporter),
    "ipynb": Format("application/x-ipynb+json", ".ipynb", NotebookExporter),
}


def export(session: Session, messages: Iterable[Message], form: str) -> Iterator[str]:
    """The pieces of the file; `form` is a key of `FORMATS`."""
    exporter = FORMATS[form].exporter()
    yield exporter.begin(session)
    for message in messages:
        yield exporter.message(message)
    yield exporter.end()


def file_name(session: Session, form: str) -> str:
    """A name for the file, of plain ASCII: the title's, or the session's id."""
    stem = _UNSAFE_IN_NAMES.sub("-", session.title).strip("-.")[:80].strip("-.")
    return (stem or session.session_id.strip(".") or "session") + FORMATS[form].suffix


def encode_message_whole(message: Message) -> dict[str, Any]:
    """A message with all that is stored of it, to be imported again."""
    created_at = message.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return {**encode_message(message), "created_at": created_at, "estimated": message.estimated}


def _title(session: Session) -> str:
    day = f"{session.created_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    title = _plain(session.title) or "Conversation"
    return f"# {title}\n\n{_plain(session.agent)} · {_plain(session.session_id)} · {day}\n"


def _heading(message: Message) -> str:
    status = "" if message.status == "complete" else f" ({message.status})"
    failed = " (failed)" if message.is_error else ""
    return message.role.capitalize() + status + failed


def _body(message: Message) -> str:
    parts = []
    if message.thinking:
        parts.append(f"*Thinking*\n\n{_fenced(message.thinking, 'text')}")
    if message.role == "tool":
        parts.append(_fenced(message.content, "text"))
    elif message.content:
        parts.append(neutralise(message.content))
    parts += [_call(call) for call in message.tool_calls]
    return "\n\n".join(parts)


def _call(call: ToolCall) -> str:
    if (written := unreadable(call.arguments)) is not None:
        shown = _fenced(written, "text")
    else:
        shown = _fenced(json.dumps(call.arguments, ensure_ascii=False, indent=2, default=dict), "json")
    return f"*Calls {_plain(call.name)}*\n\n{shown}"


def _fenced(text: str, language: str) -> str:
    """Text as a code block that nothing in it can end."""
    longest = max((len(run) for run in _BACKTICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{clean(text).rstrip(chr(10))}\n{fence}"


def _plain(text: str) -> str:
    """Text on one line that Markdown shows as it is."""
    return _SPECIAL.sub(r"\\\1", " ".join(clean(text).split()))
