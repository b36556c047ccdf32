"""An answer as a value in the notebook."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hector_nb.errors import TurnNotFound
from hector_nb.events import encode_usage
from hector_nb.frontends.answers import Answer
from hector_nb.frontends.ledger_view import LedgerView
from hector_nb.messages import Usage
from hector_nb.service import AgentInfo


@dataclass(frozen=True, kw_only=True, repr=False)
class CellReply(Answer):
    """What an agent answered to a cell.

    `seconds` is from sending to the end; `recalled` counts the memories that the model was shown; `shown_in` is the number of the cell
    that has displayed it already; `kept` is the session that keeps what followed the cell's old turn.
    """

    agent: str
    model: str
    host: str | None
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
