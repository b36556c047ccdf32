"""What becomes of the turns that other processes left: those that waited for an approval go on here, the others are closed.

A turn that an agent had asked for is closed with that of its caller, also if it waited.

A closed turn keeps what was said and what its calls gave. The text of its messages is the beginning of the text of its events, so
what the events have beyond that is what was said last.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from hector_nb.config.schema import SessionsConfig
from hector_nb.errors import ModelInterrupted
from hector_nb.events import Event, ModelUsed, TextDelta, ThinkingDelta, TurnDone
from hector_nb.ids import new_id
from hector_nb.messages import APART, Message, MessageStatus, Usage, joined
from hector_nb.runtime.agents import Agent
from hector_nb.runtime.context import window_of
from hector_nb.runtime.nested import is_nested, nested_turn
from hector_nb.runtime.run import ResumedTurn, failed
from hector_nb.runtime.tool_calls import NOT_BEGUN, STOPPED
from hector_nb.runtime.transcript import open_calls
from hector_nb.sessions import Turn
from hector_nb.stores.base import Store
from hector_nb.stores.base_sessions import Window
from hector_nb.stores.base_turns import TurnOutcome

_LOST_AT_MOST = 1_000_000
"""Events that a dead process may have delivered and not stored; their numbers are not used again."""
_READ_FIRST = 64
"""Messages in which a turn is looked for first."""
_DIED = failed(ModelInterrupted("The process that ran this turn has died.", hint="Send the message again."))


class Recovery:
    """Deals with turns that `holder` has taken over. `resume` puts one under way here."""

    def __init__(
        self, *, store: Store, holder: str, agents: Mapping[str, Agent], resume: Callable[[ResumedTurn], object]
    ) -> None:
        self._store = store
        self._holder = holder
        self._agents = agents
        self._resume = resume

    async def take(self, turn: Turn) -> None:
        """Go on with the turn, or close it.

        Raises:
            StoreError: the store refuses.
        """
        agent = self._agents.get(turn.agent)
        if turn.status != "waiting" or is_nested(turn):
            await self._close(turn, "interrupted")
        elif turn.turn_id in await self._store.cancel_requests(self._holder):
            await self._close(turn, "cancelled")
        elif agent is None:
            await self._close(turn, "interrupted")
        else:
            await self._go_on(turn, agent)

    async def _go_on(self, turn: Turn, agent: Agent) -> None:
        events, last_seq = await self._events(turn)
        begun = await self._store.resume_turn(turn.turn_id, self._holder, window=await window_of(agent))
        if begun is not None:
            self._resume(ResumedTurn(begun=begun, holder=self._holder, events=events, last_seq=last_seq))

    async def _close(self, turn: Turn, status: MessageStatus) -> None:
        events, last_seq = await self._events(turn)
        messages = [] if turn.status == "queued" else await self._messages(turn)
        for call in open_calls(messages):
            await self._store.request_cancel(nested_turn(call.call_id))
        agent = self._agents.get(turn.agent)
        lost = _LOST_AT_MOST if turn.status != "waiting" else 0
        left = [*_closed_calls(turn, messages, status), _rest(turn, events, messages, status)]
        usage = sum((event.usage for event in events if isinstance(event, ModelUsed)), Usage())
        done = TurnDone(turn_id=turn.turn_id, message_id=left[-1].message_id, finish_reason="cancelled", usage=usage)
        cancelled = status == "cancelled"
        await self._store.write_turn(
            turn.turn_id,
            events=[done if cancelled else replace(_DIED, kept_until=last_seq)],
            skip=lost,
            messages=[await _counted(agent, message) for message in left],
            outcome=TurnOutcome(
                status=status,
                finish_reason="cancelled" if cancelled else None,
                usage=usage if cancelled else None,
                keep_events=agent.sessions.keep_events if agent else SessionsConfig().keep_events,
                take_in=agent is not None and agent.longterm is not None,
            ),
        )

    async def _events(self, turn: Turn) -> tuple[Sequence[Event], int]:
        """All that the turn's process has stored, however much, and the last one's number."""
        events: list[Event] = []
        seq = 0
        while (log := await self._store.read_turn(turn.user, turn.turn_id, after=seq)) and log.events:
            events += [logged.event for logged in log.events]
            seq = log.events[-1].seq
        return events, seq

    async def _messages(self, turn: Turn) -> list[Message]:
        """What the turn has added to the transcript after the user's message: all that is newer is its own, or was stopped in the queue."""
        most = _READ_FIRST
        while True:
            _, messages, first = await self._store.read_window(
                turn.user, turn.session_id, window=Window(max_messages=most)
            )
            if first == 1 or any(message.message_id == turn.message_id for message in messages):
                return [each for each in messages if each.turn_id == turn.turn_id and each.role != "user"]
            most *= 8


def _closed_calls(turn: Turn, messages: Sequence[Message], status: MessageStatus) -> list[Message]:
    """Results for the calls that have none."""
    text = NOT_BEGUN if turn.status == "waiting" else STOPPED
    return [
        replace(_message(turn, status), role="tool", content=text, call_id=call.call_id, is_error=True)
        for call in open_calls(messages)
    ]


def _rest(turn: Turn, events: Sequence[Event], messages: Sequence[Message], status: MessageStatus) -> Message:
    """What was said after the last message that is in the transcript."""
    said = [message for message in messages if message.role == "assistant"]
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    thinking = "".join(event.text for event in events if isinstance(event, ThinkingDelta))
    known = joined(message.content for message in said)
    return replace(
        _message(turn, status),
        content=text[len(known) :].removeprefix(APART if known else ""),
        thinking=thinking[sum(len(message.thinking) for message in said) :],
    )


def _message(turn: Turn, status: MessageStatus) -> Message:
    return Message(
        message_id=new_id("msg"),
        turn_id=turn.turn_id,
        role="assistant",
        content="",
        status=status,
        created_at=datetime.now(UTC),
    )


async def _counted(agent: Agent | None, message: Message) -> Message:
    """With its tokens, by the agent's own counter where the agent is known."""
    return await agent.count(message) if agent else replace(message, tokens=len(message.content) // 4)
