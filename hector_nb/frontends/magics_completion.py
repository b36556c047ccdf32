"""What the Tab key offers after `%hector` and `%%hector`: commands, options, agents, sessions, memories, variables inside braces.

With each word goes what it is, which JupyterLab shows beside it: the title of a session, the text of a memory, the type of a variable.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hector_nb.errors import HectorError
from hector_nb.frontends.interpolate import is_secret
from hector_nb.frontends.listing import local
from hector_nb.frontends.magics_arguments import COMMANDS, FILE_FORMATS, FORMATS
from hector_nb.frontends.notebook_service import NotebookService
from hector_nb.frontends.notebook_sessions import NotebookSessions, last_messages
from hector_nb.frontends.render import plain_line
from hector_nb.service import SessionService

_PATIENCE = 0.5
"""Seconds that a person is kept waiting for names."""
_MOST = 50
_PROMPT_OPTIONS = (
    *("--agent", "--session", "--new", "--append", "--out", "--format", "--err"),
    *("--thinking", "--debug", "--raw", "--no-stream"),
    *("-a", "-s", "-f"),
)
_OPTIONS: Mapping[str, Sequence[str]] = {
    "connect": ("--token",),
    "use": ("--session", "-s"),
    "sessions": ("--limit", "-n"),
    "history": ("--session", "-s", "--limit", "-n"),
    "memory": ("--query", "-q", "--session", "-s"),
    "why": ("--session", "-s"),
    "correct": ("--session", "-s"),
    "forget": ("--session", "-s"),
    "fork": ("--session", "-s"),
    "rewind": ("--session", "-s"),
    "export": ("--format", "-f", "--overwrite", "--session", "-s"),
    "chat": ("--session", "-s"),
}
_VALUES = {
    **dict.fromkeys(("-a", "--agent"), "agents"),
    **dict.fromkeys(("-s", "--session"), "sessions"),
    **dict.fromkeys(("-f", "--format"), "formats"),
    **dict.fromkeys(("--out", "-n", "--limit", "-q", "--query", "--token"), ""),
}
_POSITIONAL = {
    **dict.fromkeys(("use", "new", "sessions", "tools", "chat"), "agents"),
    **dict.fromkeys(("why", "fork", "rewind"), "turns"),
}
_TEXTS = ("-q", "--query", "--out")
_WITH_TEXT = ("correct", "memory", "export")
_ASSIGNED = re.compile(r"(?<=\s)(--[a-z]+)=(?=\S*\Z)")
_BRACE = re.compile(r"(?<![{$\\])\{(?P<begun>\w*)\Z")
_ABOUT = 40
"""The longest that is said of a word."""
Found = list[tuple[str, str]]
"""Words, and what each of them is."""


def wanted(text: str) -> tuple[Sequence[str], str]:
    """What fits at the end of a line: words, and which names besides (`agents`, `sessions`, `memories`, `turns`, `formats` or none)."""
    if (before := _before(text)) is None:
        return (), ""
    magic, words = before
    if words and words[-1] in _VALUES:
        kind = _VALUES[words[-1]]
        return (), "file formats" if kind == "formats" and words[0] == "export" and magic == "%hector" else kind
    if magic.startswith("%%"):
        return _PROMPT_OPTIONS, "" if words else "agents"
    if not words:
        return (*COMMANDS, *_PROMPT_OPTIONS), ""
    if words[0] in COMMANDS:
        return _after_command(words)
    return (_PROMPT_OPTIONS if _only_options(words) else ()), ""


def is_free(text: str) -> bool:
    """Whether anything may stand at the end of a line: the words of a prompt, of a query, a file's name."""
    if (before := _before(text)) is None:
        return True
    magic, words = before
    if words and words[-1] in _VALUES:
        return words[-1] in _TEXTS
    if magic.startswith("%%") or not words:
        return False
    return words[0] in _WITH_TEXT if words[0] in COMMANDS else not _only_options(words)


def _before(text: str) -> tuple[str, list[str]] | None:
    """The magic and the whole words before the end of a line; None while the magic itself is being written."""
    text = _apart(text)
    magic, *words = text.split() or [""]
    if text[-1:].isspace():
        return magic, words
    return (magic, words[:-1]) if words else None


def _apart(text: str) -> str:
    """A line whose last word, where it is `--option=value`, is two words."""
    return _ASSIGNED.sub(r"\1 ", text)


def _after_command(words: Sequence[str]) -> tuple[Sequence[str], str]:
    command, *rest = words
    if command == "memory" and any(word in ("-q", "--query") for word in rest):
        return (), ""
    plain = [word for before, word in zip(words, rest, strict=False) if before not in _VALUES and word not in _VALUES]
    if command == "correct" and plain:
        return (), ""
    names = "memories" if command in ("correct", "forget") else "" if plain else _POSITIONAL.get(command, "")
    return _OPTIONS.get(command, ()), names


def _only_options(words: Sequence[str]) -> bool:
    before = ("", *words)
    return all(
        (word.startswith("-") and word != "--") or previous in _VALUES
        for previous, word in zip(before, words, strict=False)
    )


class Completer:
    """Answers the question what may follow. Names are looked up where the service is open already, or costs nothing to ask."""

    def __init__(
        self, service: NotebookService, sessions: NotebookSessions, variables: Callable[[], Mapping[str, Any]]
    ) -> None:
        self._service = service
        self._sessions = sessions
        self._variables = variables

    def __call__(self, magic: str | None, text: str) -> Found:
        """The words that fit at the end of `text`, a line; see `Notebook.complete`."""
        if brace := _BRACE.search(text):
            return self._begun(brace["begun"])
        if magic is None:
            return []
        magic = _apart(magic)
        symbol = magic.split()[-1] if not magic[-1].isspace() else ""
        words, names = wanted(magic)
        found = self._names(names, magic) if names else []
        bare = not found and all(word[0] == "-" for word in words)
        options = [
            (word, "option" if word[0] == "-" else "command") for word in words if symbol or bare or word[0] != "-"
        ]
        return [(word, _unbroken(about)) for word, about in (*found, *options) if word.startswith(symbol)]

    def _begun(self, begun: str) -> Found:
        """The notebook's variables that begin so."""
        return [
            (name, type(value).__name__)
            for name, value in sorted(self._variables().items())
            if name.startswith(begun) and (begun or not name.startswith("_")) and not is_secret(name)
        ]

    def _names(self, kind: str, line: str) -> Found:
        if kind in ("formats", "file formats"):
            return [(each, "format") for each in (FORMATS if kind == "formats" else FILE_FORMATS)]
        try:
            if self._service.is_open:
                return self._service.ask(lambda asked: self._look_up(asked, kind, line.split()))
            return _configured() if kind == "agents" else []
        except (HectorError, TimeoutError):
            return []

    async def _look_up(self, asked: SessionService, kind: str, words: Sequence[str]) -> Found:
        async with asyncio.timeout(_PATIENCE):
            agents = await asked.list_agents()
            if kind == "agents":
                return [(info.name, info.model) for info in agents]
            if kind == "sessions":
                named = next((word for word in words if word in {info.name for info in agents}), None)
                page = await asked.list_sessions(named, limit=_MOST)
                return [
                    (each.session_id, f"{local(each.last_active_at)} {each.title or each.agent}") for each in page.items
                ]
            info = await self._sessions.info(asked)
            if (current := self._sessions.current(info.name)) is None:
                return []
            if kind == "memories":
                memory = await asked.get_memory(info.name, current, limit=_MOST)
                return [(each.memory_id, each.text) for each in memory.memories]
            said = await last_messages(asked, await asked.get_session(info.name, current), _MOST)
            first = {message.turn_id: message.content for message in reversed(said) if message.role == "user"}
            return list(first.items())


def _unbroken(about: str) -> str:
    """A few words that no front end breaks into lines."""
    text = plain_line(about)
    text = text if len(text) <= _ABOUT else f"{text[:_ABOUT]}…"
    return text.replace(" ", "\u00a0").replace("-", "\u2011")


def _configured() -> Found:
    from hector_nb.config.loader import load_config

    return [(name, "agent") for name in load_config().config.agents]
