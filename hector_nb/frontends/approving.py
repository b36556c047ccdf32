"""Who gives the word on tool calls when a program sends the message: `connect(approve=…)`."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, TypeAlias

from hector_nb.approvals import Approval
from hector_nb.errors import InvalidRequest
from hector_nb.frontends.asking import Word, call_text, choices, question, read_word
from hector_nb.tools.main_thread import MAIN_THREAD, NobodyWaits

Answered: TypeAlias = bool | Mapping[str, Any]
"""Yes, no, or yes with these arguments instead."""
Approver: TypeAlias = Callable[[Approval], Answered | Awaitable[Answered]] | Literal["ask"] | None
"""A function (it may be `async`) that answers; `"ask"`: the person at the terminal or in the cell; None: nobody here, so the turn waits until somebody decides it elsewhere or the time is over."""
Speaker: TypeAlias = Callable[[Approval, str], Awaitable[Word]]
"""Gives the word on a call that an agent of that name wants to make."""


def speaker(approve: Approver, *, plain: bool) -> Speaker | None:
    """The one who answers for a program; `plain`: functions are called on the main thread, where a plain call waits."""
    if approve is None:
        return None
    if approve != "ask" and not callable(approve):
        raise InvalidRequest(f"approve is a function, 'ask' or None, not {approve!r}.")
    if approve != "ask" and inspect.iscoroutinefunction(approve):
        return _awaiting(approve)
    ask = _AtTheTerminal() if approve == "ask" else _function(approve)

    async def speak(approval: Approval, agent: str) -> Word:
        if plain:
            return await _on_main_thread(lambda: ask(approval, agent))
        return await asyncio.to_thread(ask, approval, agent) if approve == "ask" else ask(approval, agent)

    return speak


def _awaiting(approve: Callable[[Approval], Awaitable[Answered]]) -> Speaker:
    async def speak(approval: Approval, _agent: str) -> Word:
        return _as_word(await approve(approval))

    return speak


def _function(approve: Callable[[Approval], Answered | Awaitable[Answered]]) -> Callable[[Approval, str], Word]:
    return lambda approval, _agent: _as_word(approve(approval))


class _AtTheTerminal:
    """Asks with `input()`; tools that are always allowed are remembered by session."""

    def __init__(self) -> None:
        self._always: set[tuple[str, str]] = set()

    def __call__(self, approval: Approval, agent: str) -> Word:
        allowed = approval.session_id, approval.name
        if allowed in self._always:
            return Word(decision="approve")
        _say(
            f"{question(approval.name, agent)}\n{call_text(approval.name, approval.arguments)}\n{choices(approval.deadline)}"
        )
        try:
            word = read_word(approval.arguments, read=input, say=_say)
        except (EOFError, NotImplementedError):  # the latter in a kernel without a front end that asks
            _say("Nobody is there to answer, which means no.")
            return Word(decision="deny")
        if word.always:
            self._always.add(allowed)
        return word


async def _on_main_thread(ask: Callable[[], Word]) -> Word:
    try:
        return await MAIN_THREAD.call(ask)
    except NobodyWaits:  # the plain call was made on another thread
        return await asyncio.to_thread(ask)


def _as_word(answered: object) -> Word:
    if isinstance(answered, Mapping):
        return Word(decision="approve", edited=answered)
    if isinstance(answered, bool):
        return Word(decision="approve" if answered else "deny")
    raise TypeError(f"approve() returns True, False or the arguments to use, not {type(answered).__name__}.")


def _say(text: str) -> None:
    print(text)  # noqa: T201 -- the person is at the terminal
