"""What the Tab key offers after `%hector` and `%%hector`: commands, options, agents, sessions, memories."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from hector_nb.errors import HectorError
from hector_nb.frontends.magics_arguments import COMMANDS
from hector_nb.frontends.notebook_service import NotebookService
from hector_nb.frontends.notebook_sessions import NotebookSessions
from hector_nb.service import SessionService

_PATIENCE = 0.5
"""Seconds that a person is kept waiting for names."""
_MOST = 50
_PROMPT_OPTIONS = (
    *("--agent", "--session", "--new", "--out", "--format", "--thinking", "--debug", "--raw", "--no-stream"),
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
}
_VALUES = {
    **dict.fromkeys(("-a", "--agent"), "agents"),
    **dict.fromkeys(("-s", "--session"), "sessions"),
    **dict.fromkeys(("-f", "--format"), "formats"),
    **dict.fromkeys(("--out", "-n", "--limit", "-q", "--query", "--token"), ""),
}
_POSITIONAL = {"use": "agents", "new": "agents", "sessions": "agents", "tools": "agents", "why": "turns"}


def wanted(text: str) -> tuple[Sequence[str], str]:
    """What fits at the end of a line: words, and which names besides (`agents`, `sessions`, `memories`, `turns`, `formats` or none)."""
    magic, *words = text.split() or [""]
    if words and not text[-1].isspace():
        words.pop()
    elif not words and not text[-1:].isspace():
        return (), ""
    if words and words[-1] in _VALUES:
        return (), _VALUES[words[-1]]
    if magic.startswith("%%"):
        return _PROMPT_OPTIONS, "" if words else "agents"
    if not words:
        return (*COMMANDS, *_PROMPT_OPTIONS), ""
    if words[0] in COMMANDS:
        return _after_command(words)
    return (_PROMPT_OPTIONS if _only_options(words) else ()), ""


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
    """Answers IPython's question what may follow. Names are looked up where the service is open already, or costs nothing to ask."""

    def __init__(self, service: NotebookService, sessions: NotebookSessions) -> None:
        self._service = service
        self._sessions = sessions

    def __call__(self, event: Any) -> list[str]:
        """The words that fit, for IPython's `complete_command`."""
        words, names = wanted(event.text_until_cursor)
        found = list(self._names(names)) if names else []
        options = [word for word in words if word.startswith(event.symbol) and (event.symbol or word[0] != "-")]
        return [*found, *options]

    def _names(self, kind: str) -> Sequence[str]:
        if kind == "formats":
            return ("markdown", "text")
        try:
            if self._service.is_open:
                return self._service.ask(lambda asked: self._look_up(asked, kind))
            return _configured() if kind == "agents" else ()
        except (HectorError, TimeoutError):
            return ()

    async def _look_up(self, asked: SessionService, kind: str) -> Sequence[str]:
        async with asyncio.timeout(_PATIENCE):
            if kind == "agents":
                return [info.name for info in await asked.list_agents()]
            if kind == "sessions":
                return [each.session_id for each in (await asked.list_sessions(limit=_MOST)).items]
            info = await self._sessions.info(asked)
            if (current := self._sessions.current(info.name)) is None:
                return ()
            if kind == "memories":
                return [each.memory_id for each in (await asked.get_memory(info.name, current, limit=_MOST)).memories]
            page = await asked.list_messages(info.name, current, limit=_MOST)
            return list(dict.fromkeys(message.turn_id for message in page.items))


def _configured() -> Sequence[str]:
    from hector_nb.config.loader import load_config

    return list(load_config().config.agents)
