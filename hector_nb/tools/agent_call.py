"""`agent_call`: another agent answers, in a turn and a session of its own.

Its answer is streamed into the caller's turn as it comes, and so are the questions that it asks of people. Deeper answers, of agents
that the other agent calls, are in that agent's turn.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from hector_nb.config.schema import ToolConfig
from hector_nb.errors import HectorError
from hector_nb.events import ApprovalAsked, ApprovalDecided, Event, NestedDelta, TextDelta, TurnDone, TurnFailed
from hector_nb.service import TurnStream
from hector_nb.tools.base import AgentTurns, CallContext, ToolError
from hector_nb.tools.builtin import BuiltinTool, make_schema

AGENT_CALL = "agent_call"
_MAX_DEPTH = 3


class AgentCall(BuiltinTool):
    """Asks one of `agents`, which are descriptions by name. Agents may call one another `max_depth` deep, and never in a circle."""

    timeout: float | None = None

    def __init__(self, agents: Mapping[str, str], turns: AgentTurns, *, max_depth: int = _MAX_DEPTH) -> None:
        self._turns = turns
        self._max_depth = max_depth
        listed = "".join(
            f"\n- {name}: {' '.join(text.split())}" if text else f"\n- {name}" for name, text in agents.items()
        )
        self.schema = make_schema(
            AGENT_CALL,
            f"Ask another agent and get its answer. It knows nothing of this conversation. Agents:{listed}",
            {
                "agent": {"type": "string", "enum": [*agents], "description": "Who is asked."},
                "message": {
                    "type": "string",
                    "minLength": 1,
                    "description": "What the agent is to do, with all that it must know for it.",
                },
            },
            required=("agent", "message"),
        )

    @classmethod
    def from_config(cls, config: ToolConfig, *, agents: Mapping[str, str], turns: AgentTurns) -> Self:
        """The tool as configured, for an agent that may call `agents`."""
        return cls(agents, turns, max_depth=config.max_depth or _MAX_DEPTH).limited(config)

    def permits(self, arguments: Mapping[str, Any]) -> bool:
        """Every agent that there is."""
        return True

    async def call(self, arguments: Mapping[str, Any], context: CallContext) -> str:
        """The answer."""
        agent = arguments["agent"]
        self._check(agent, context)
        try:
            async with self._turns.asked(agent, arguments["message"], context) as stream:
                return await _answer(agent, stream, context)
        except HectorError as error:
            raise ToolError(f"The agent {agent} has failed: {error.message}") from error

    def _check(self, agent: str, context: CallContext) -> None:
        if agent in context.callers:
            chain = " → ".join([*context.callers, agent])
            raise ToolError(f"The agent {agent} waits for this answer itself ({chain}). Do it without asking it.")
        if len(context.callers) > self._max_depth:
            raise ToolError(f"Agents may call one another only {self._max_depth} deep. Do it without another agent.")


async def _answer(agent: str, stream: TurnStream, context: CallContext) -> str:
    """All that the agent said."""
    text: list[str] = []
    while batch := await stream.read():
        events = [logged.event for logged in batch]
        for event in _forwarded(agent, events, stream, context):
            context.emit(event)
            text += [event.text] if isinstance(event, NestedDelta) else []
        match events[-1]:
            case TurnFailed() as last:
                raise ToolError(f"The agent {agent} has failed: {last.message}{_so_far(text)}")
            case TurnDone() as last if last.finish_reason != "cancelled":
                return "".join(text) or "(The agent gave no answer.)"
    raise ToolError(f"The agent {agent} was stopped before it had answered.{_so_far(text)}")


def _so_far(text: Sequence[str]) -> str:
    return f"\nIt had said: {''.join(text)}" if text else ""


def _forwarded(agent: str, events: Iterable[Event], stream: TurnStream, context: CallContext) -> Iterable[Event]:
    """What the caller's log tells of another turn: its text, pieces that come together joined, and its questions."""
    text = ""
    for event in events:
        if isinstance(event, TextDelta):
            text += event.text
        elif isinstance(event, ApprovalAsked | ApprovalDecided):
            yield from _delta(agent, text, stream, context)
            text = ""
            yield event
    yield from _delta(agent, text, stream, context)


def _delta(agent: str, text: str, stream: TurnStream, context: CallContext) -> Iterable[NestedDelta]:
    if text:
        yield NestedDelta(
            call_id=context.call_id, agent=agent, session_id=stream.session_id, turn_id=stream.turn_id, text=text
        )
