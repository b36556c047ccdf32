"""An answer as a value in the notebook."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hector_nb.errors import TurnNotFound
from hector_nb.events import FinishReason, encode_usage
from hector_nb.frontends.answer_forms import code_of, json_of
from hector_nb.frontends.ledger_view import LedgerView
from hector_nb.frontends.render import plain
from hector_nb.messages import ToolCall, Usage
from hector_nb.service import AgentInfo
from hector_nb.wire.safe_markdown import neutralise


@dataclass(frozen=True, kw_only=True, repr=False)
class CellReply:
    """What an agent answered to a cell. `str()` and the plain form are the text; the rich form is safe Markdown.

    `seconds` is from sending to the end; `recalled` counts the memories that the model was shown; `shown_in` is the number of the cell
    that has displayed it already; `kept` is the session that keeps what followed the cell's old turn.
    """

    text: str
    agent: str
    model: str
    host: str | None
    session_id: str
    turn_id: str
    message_id: str | None
    finish_reason: FinishReason
    usage: Usage
    tool_calls: Sequence[ToolCall] = ()
    thinking: str = ""
    seconds: float = 0.0
    recalled: int = 0
    shown_in: int | None = None
    kept: str | None = None
    look: Callable[[str], LedgerView] | None = field(default=None, compare=False)

    @property
    def context(self) -> LedgerView:
        """What the model saw in this answer's turn.

        Raises:
            TurnNotFound: the turn is gone, or never asked its model.
        """
        if self.look is None:
            raise TurnNotFound("This reply does not know its turn.", hint="Use %hector why.")
        return self.look(self.turn_id)

    @property
    def code(self) -> str | None:
        """The code in it; None: there is none."""
        return code_of(self.text)

    @property
    def json(self) -> Any:
        """The value that it is written as.

        Raises:
            InvalidRequest: it is not JSON.
        """
        return json_of(self.text)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return plain(self.text)

    def _repr_markdown_(self) -> str:
        return neutralise(self.text)

    def _repr_llm_(self) -> str:
        return self.text

    def _ipython_display_(self) -> None:
        """Display it, unless this very cell has just streamed it."""
        from IPython import get_ipython
        from IPython.display import display

        shell = get_ipython()
        if shell is None or shell.execution_count != self.shown_in:
            display({"text/markdown": self._repr_markdown_(), "text/plain": repr(self)}, raw=True)  # type: ignore[no-untyped-call]


def describe_turn(info: AgentInfo, *, session_id: str, turn_id: str, usage: Usage, status: str) -> Mapping[str, Any]:
    """The `hector` metadata of an output: where an answer came from."""
    return {
        "agent": info.name,
        "model": info.model,
        "session_id": session_id,
        "turn_id": turn_id,
        "status": status,
        "usage": encode_usage(usage),
    }
