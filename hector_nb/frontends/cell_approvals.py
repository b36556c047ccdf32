"""A tool call that waits for a person, in the cell that waits for its turn: the whole call is shown, and the kernel asks for a line.

Where no person can be asked (nbval, papermill, `jupyter execute`, a piped terminal) it means no, and the output says so.
"""

import sys
import threading
from collections.abc import Mapping
from typing import Any, Protocol
from uuid import uuid4

from hector_nb.approvals import Approval, Decision
from hector_nb.errors import ApprovalNotFound, Conflict, InvalidRequest
from hector_nb.events import ApprovalAsked, ApprovalDecided
from hector_nb.frontends.asking import Word, call_text, choices, question, read_word, visible_line
from hector_nb.frontends.inline import Publish
from hector_nb.frontends.interruptible import TakenBack, ask_until
from hector_nb.wire.safe_markdown import safe_html

Allowed = set[tuple[str, str]]
"""Sessions and the tools that are always allowed in them, for as long as this kernel lives."""
_ALONE = (
    "Nobody can be asked where this runs (nbval, papermill, jupyter execute and pipes have no keyboard), which means no. "
    "To let it run alone, set require_approval to never for this tool, in a configuration that you trust."
)
_TOO_LATE = "What is typed now is no answer any more."
_WARN = "217,119,6"


class Decides(Protocol):
    """The turn whose calls are asked about."""

    def decided(self, call_id: str) -> threading.Event:
        """Set as soon as the word on a call is known, or the turn is over."""
        ...

    def approval(self, call_id: str) -> tuple[Approval, str] | None:
        """A call that waits, and the agent that wants to make it; None: it waits no more."""
        ...

    def word(self, call_id: str) -> ApprovalDecided | None:
        """The word on a call, where it is known."""
        ...

    def decide(self, call_id: str, decision: Decision, edited: Mapping[str, Any] | None) -> None:
        """Give the word."""
        ...


class Card(Protocol):
    """Where one call is shown."""

    def ask(self, title: str, note: str) -> None:
        """Show the call, the question, and what may be answered."""
        ...

    def close(self, title: str, note: str = "") -> None:
        """Show the call and what became of it."""
        ...


class CellApprovals:
    """Asks the person at the keyboard of this kernel or terminal.

    Args:
        allowed: What is always allowed; an answer may add to it.
        publish: Shows an output; None in a terminal.
        kernel: The kernel; None in a terminal.
    """

    def __init__(self, *, allowed: Allowed, publish: Publish | None, kernel: object | None) -> None:
        self._allowed = allowed
        self._publish = publish
        self._kernel = kernel

    def ask(self, event: ApprovalAsked, turn: Decides) -> None:
        """See to it that there is a word on a call.

        Raises:
            KeyboardInterrupt: the person wants to stop the turn.
        """
        if (found := turn.approval(event.call_id)) is None:
            return
        approval, agent = found
        text = call_text(approval.name, approval.arguments)
        card = CardInTerminal(text) if self._publish is None else CardOutput(text, self._publish)
        if (approval.session_id, approval.name) in self._allowed:
            self._settle(Word(decision="approve"), approval, turn, card, "Approved, as always in this session")
        elif self._somebody_is_there():
            card.ask(question(approval.name, agent), choices(approval.deadline))
            self._ask(approval, turn, card)
        else:
            self._settle(Word(decision="deny"), approval, turn, card, "Denied: nobody to ask", _ALONE)

    def _ask(self, approval: Approval, turn: Decides, card: Card) -> None:
        try:
            word = _read(approval, turn)
        except (EOFError, NotImplementedError):
            self._settle(Word(decision="deny"), approval, turn, card, "Denied: nobody to ask", _ALONE)
        except KeyboardInterrupt:
            card.close("Stopped")
            raise
        except (TakenBack, ApprovalNotFound, Conflict):
            card.close(_elsewhere(turn.word(approval.call_id)), _TOO_LATE)
        else:
            if word.always:
                self._allowed.add((approval.session_id, approval.name))
            card.close(_outcome(word, approval.name))

    def _settle(self, word: Word, approval: Approval, turn: Decides, card: Card, title: str, note: str = "") -> None:
        """Give a word that nobody was asked for."""
        try:
            turn.decide(approval.call_id, word.decision, word.edited)
        except (ApprovalNotFound, Conflict):
            card.close(_elsewhere(turn.word(approval.call_id)))
        else:
            card.close(title, note)

    def _somebody_is_there(self) -> bool:
        if self._kernel is not None:
            return bool(getattr(self._kernel, "_allow_stdin", True))
        return sys.stdin is not None and sys.stdin.isatty()


class CardOutput:
    """An output of the cell."""

    def __init__(self, text: str, publish: Publish) -> None:
        self._text = text
        self._publish = publish
        self._id = uuid4().hex
        self._there = False

    def ask(self, title: str, note: str) -> None:
        """See `Card`."""
        self._show(title, note, line=f"rgba({_WARN},.6)", strip=f"rgba({_WARN},.14)")

    def close(self, title: str, note: str = "") -> None:
        """See `Card`."""
        self._show(title, note, line="rgba(128,128,128,.35)", strip="rgba(128,128,128,.1)")

    def _show(self, title: str, note: str, *, line: str, strip: str) -> None:
        below = f'<div style="margin:0 12px 8px;opacity:.75">{safe_html(note)}</div>' if note else ""
        page = (
            f'<div style="max-width:720px;border:1px solid {line};border-radius:8px;font-size:13px;line-height:20px">'
            f'<div style="background-color:{strip};padding:4px 12px;font-weight:600">{safe_html(title)}</div>'
            '<pre style="margin:8px 12px;padding:0;background:none;font-size:12px;line-height:18px;white-space:pre-wrap;'
            f'overflow-wrap:anywhere;max-height:240px;overflow:auto">{safe_html(self._text)}</pre>{below}</div>'
        )
        plain = "\n".join(each for each in (title, self._text, note) if each)
        self._publish({"text/html": page, "text/plain": plain}, {}, self._id, self._there)
        self._there = True


class CardInTerminal:
    """Lines in a terminal."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._there = False

    def ask(self, title: str, note: str) -> None:
        """See `Card`."""
        _say(f"\n{title}\n{self._text}\n{note}")
        self._there = True

    def close(self, title: str, note: str = "") -> None:
        """See `Card`."""
        _say("\n".join(each for each in ("" if self._there else f"\n{self._text}", title, note) if each))


def _read(approval: Approval, turn: Decides) -> Word:
    """A word that the engine accepts. The question is over when it is read: from then on, one that is heard of may be this one.

    Raises:
        TakenBack: there is a word of somebody else.
        ApprovalNotFound: as above, or it is too late.
        Conflict: as above.
    """
    while True:
        word = ask_until(turn.decided(approval.call_id), lambda: read_word(approval.arguments, read=input, say=_say))
        try:
            turn.decide(approval.call_id, word.decision, word.edited)
        except InvalidRequest as error:
            _say(f"These arguments do not fit: {visible_line(error.message)}")
        else:
            return word


def _outcome(word: Word, name: str) -> str:
    if word.decision == "deny":
        return "Denied"
    if word.edited is not None:
        return "Approved with other arguments"
    return f"Approved, and {visible_line(name)} for the rest of this session" if word.always else "Approved"


def _elsewhere(word: ApprovalDecided | None) -> str:
    """What became of a question that nobody here answered."""
    if word is None:
        return "Decided elsewhere, or too late"
    if word.expired:
        return "No answer, denied"
    return "Approved elsewhere" if word.decision == "approve" else "Denied elsewhere"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
