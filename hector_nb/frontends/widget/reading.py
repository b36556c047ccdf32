"""A turn's events become changes of the chat's state."""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from hector_nb.events import (
    ApprovalAsked,
    ApprovalDecided,
    ContextBuilt,
    Event,
    ModelUsed,
    NestedDelta,
    TextDelta,
    ThinkingDelta,
    ToolCalled,
    ToolReturned,
    TurnDone,
    TurnFailed,
    TurnReset,
    TurnStarted,
)
from hector_nb.frontends import tool_words
from hector_nb.frontends.asking import question, visible
from hector_nb.frontends.widget.problems import turn_problem
from hector_nb.frontends.widget.state import Recorder
from hector_nb.frontends.widget.turns import approval_card, tool_part
from hector_nb.service import AgentInfo

_BYTES_PER_TOKEN = 4
_COUNT_EVERY = 1.0
"""Seconds between two estimates of the tokens of an answer that grows."""


class TurnReader:
    """Writes one turn of the state. The turn is there already.

    Args:
        record: The state.
        turn_id: The turn.
        info: Its agent.
        began: When the turn began, where it did so some time ago; seconds since the epoch.
        timed: Whether the events come as they happen, and not long after.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        record: Recorder,
        turn_id: str,
        info: AgentInfo,
        *,
        began: float | None = None,
        timed: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.turn_id = turn_id
        self._record = record
        self._info = info
        self._clock = clock
        self._turn_began = began
        self._timed = timed
        self._written = 0
        self._used = 0
        self._counted_at = 0.0
        self._thinking_since = 0.0
        self._began: dict[str, float] = {}
        self._memories: set[str] = set()
        self._nested: set[str] = set()
        """Calls of agents that this turn has called: what becomes of them is not told here."""

    def take(self, event: Event) -> None:
        """Write what an event tells."""
        if isinstance(event, TextDelta):
            self._write("text", event.text)
            return
        if not isinstance(event, ThinkingDelta):
            self._end_thinking()
        match event:
            case TurnStarted():
                self._set("started", self._turn_began or self._clock())
                self._set("question", "message_id", event.message_id)
                self._set("status", "waiting")
                self._see(event.context)
            case ThinkingDelta():
                self._write("thinking", event.text)
            case ApprovalAsked():
                self._ask(event)
            case ApprovalDecided():
                self._decide(event)
            case ToolCalled():
                self._call(event)
            case NestedDelta():
                self._tell(event)
            case ToolReturned():
                self._return(event)
            case ContextBuilt():
                self._see(event.context)
                self._set("status", "waiting")
            case ModelUsed():
                self._used += event.usage.completion_tokens
                self._written = 0
                self._count(self._used, estimated=event.usage.estimated)
            case TurnReset():
                self._set("parts", [{"kind": "text", "text": event.text}] if event.text else [])
            case TurnDone():
                self._finish(event)
            case TurnFailed():
                self._fail(event)

    @property
    def is_shown(self) -> bool:
        """Whether the turn is still in the state."""
        return self._record.find("turn_id", self.turn_id, "turns") is not None

    @property
    def spoke(self) -> bool:
        """Whether the answer has text."""
        return any(part["kind"] == "text" for part in self._record.get(*self._at("parts")))

    def name_asker(self, call_id: str, agent: str) -> None:
        """Say which agent asks, where it is not the one that the turn is of."""
        if (place := self._part(call_id)) is not None and self._record.get(*place, "approval") is not None:
            self._record.set([*place, "approval", "question"], question(self._record.get(*place, "name"), agent))

    def show_diff(self, call_id: str, diff: str | None) -> None:
        """Say what a call that waits would change."""
        if diff and (place := self._part(call_id)) is not None and self._record.get(*place, "approval") is not None:
            self._record.set([*place, "approval", "diff"], visible(diff))

    def _write(self, kind: str, text: str) -> None:
        place = self._record.size(*self._at("parts")) - 1
        if place < 0 or self._record.get(*self._at("parts", place, "kind")) != kind:
            self._end_thinking()
            if place >= 0:
                text = text.lstrip("\n")  # what stands between the messages of one turn
            if not text:
                return
            part: dict[str, Any] = {"kind": kind, "text": ""}
            if kind == "thinking":
                part["seconds"] = None
                self._thinking_since = self._clock()
            self._record.push(self._at("parts"), part)
            place += 1
            self._set("status", "writing" if kind == "text" else "thinking")
        elif self._status() == "waiting":
            self._set("status", "writing" if kind == "text" else "thinking")
        self._record.add(self._at("parts", place, "text"), text)
        self._written += len(text.encode("utf-8", "replace"))
        if self._clock() - self._counted_at >= _COUNT_EVERY:
            self._count(self._used + max(1, self._written // _BYTES_PER_TOKEN), estimated=True)

    def _end_thinking(self) -> None:
        """Say how long the model thought, if it did just now."""
        if self._thinking_since:
            place = self._record.size(*self._at("parts")) - 1
            self._record.set(
                self._at("parts", place, "seconds"), round(max(0.0, self._clock() - self._thinking_since), 1)
            )
            self._thinking_since = 0.0

    def _ask(self, event: ApprovalAsked) -> None:
        if self._runs_something():  # all of a turn's own calls are decided before one of them is made
            self._nested.add(event.call_id)
        place = self._part(event.call_id) or self._push(event.call_id, event.name, event.arguments, "waiting")
        card = approval_card(
            event.name,
            event.arguments,
            agent=self._info.name,
            deadline=datetime.fromisoformat(event.deadline).timestamp(),
        )
        self._record.set([*place, "status"], "waiting")
        self._record.set([*place, "approval"], card)
        self._set("status", "approval")

    def _decide(self, event: ApprovalDecided) -> None:
        if (place := self._part(event.call_id)) is None:
            return
        name = self._record.get(*place, "name")
        if event.edited is not None:
            self._record.set([*place, "arguments"], dict(event.edited))
            self._record.set([*place, "subject"], tool_words.subject(name, event.edited))
        self._record.set([*place, "approval"], None)
        approved = "done" if event.call_id in self._nested else "running"
        status = "expired" if event.expired else "denied" if event.decision == "deny" else approved
        self._record.set([*place, "verb"], tool_words.verb(name, over=status == "done"))
        self._record.set([*place, "status"], status)
        self._settle()

    def _runs_something(self) -> bool:
        return any(part.get("status") == "running" for part in self._record.get(*self._at("parts")))

    def _call(self, event: ToolCalled) -> None:
        place = self._part(event.call_id) or self._push(event.call_id, event.name, event.arguments, "running")
        self._record.set([*place, "status"], "running")
        self._began[event.call_id] = self._clock()
        self._settle()

    def _tell(self, event: NestedDelta) -> None:
        if (place := self._part(event.call_id)) is None:
            return
        if self._record.get(*place, "nested") is None:
            self._record.set([*place, "nested"], {"agent": event.agent, "text": ""})
        self._record.add([*place, "nested", "text"], event.text)

    def _return(self, event: ToolReturned) -> None:
        place = self._part(event.call_id) or self._push(event.call_id, event.name, {}, "running")
        began = self._began.pop(event.call_id, None)
        self._record.set([*place, "status"], "failed" if event.is_error else "done")
        self._record.set([*place, "verb"], tool_words.verb_of(event.name, event.output, is_error=event.is_error))
        self._record.set([*place, "result"], tool_words.result(event.name, event.output, is_error=event.is_error))
        self._record.set([*place, "output"], tool_words.shown_output(event.output))
        if began is not None:
            self._record.set([*place, "seconds"], round(max(0.0, self._clock() - began), 2))
        self._settle()

    def _finish(self, event: TurnDone) -> None:
        cancelled = event.finish_reason == "cancelled"
        self._close()
        self._count(event.usage.completion_tokens, estimated=event.usage.estimated)
        self._set("message_id", event.message_id)
        self._set("finish_reason", event.finish_reason)
        self._set("status", "stopped" if cancelled else "done")

    def _fail(self, event: TurnFailed) -> None:
        self._close()
        self._set("problem", turn_problem(event, self._info, spoke=self.spoke))
        self._set("status", "interrupted" if event.code == "interrupted" else "failed")

    def _close(self) -> None:
        """Nothing runs any more, and nobody is asked any more."""
        started = self._record.get(*self._at("started"))
        if started is not None and self._timed:
            self._set("seconds", round(max(0.0, self._clock() - started), 2))
        for place, part in enumerate(self._record.get(*self._at("parts"))):
            if part["kind"] == "tool" and part["status"] in {"running", "waiting"}:
                self._record.set(self._at("parts", place, "approval"), None)
                self._record.set(self._at("parts", place, "verb"), tool_words.verb(part["name"], over=True))
                self._record.set(self._at("parts", place, "status"), "cancelled")

    def _settle(self) -> None:
        """The turn's state, from what its calls are at."""
        states = {part["status"] for part in self._record.get(*self._at("parts")) if part["kind"] == "tool"}
        self._set("status", "approval" if "waiting" in states else "tool" if "running" in states else "waiting")

    def _see(self, context: Mapping[str, Any] | None) -> None:
        self._memories.update(str(each["memory_id"]) for each in (context or {}).get("memories", ()))
        self._set("memories", len(self._memories))

    def _count(self, tokens: int, *, estimated: bool) -> None:
        self._counted_at = self._clock()
        self._set("tokens", tokens)
        self._set("estimated", estimated)

    def _part(self, call_id: str) -> list[str | int] | None:
        place = self._record.find("call_id", call_id, *self._at("parts"))
        return None if place is None else self._at("parts", place)

    def _push(self, call_id: str, name: str, arguments: Mapping[str, Any], status: str) -> list[str | int]:
        self._record.push(self._at("parts"), tool_part(call_id, name, arguments, status=status))
        return self._at("parts", self._record.size(*self._at("parts")) - 1)

    def _status(self) -> str:
        return str(self._record.get(*self._at("status")))

    def _set(self, *path_and_value: Any) -> None:
        *path, value = path_and_value
        if (
            path == ["status"]
            and self._status() == "stopping"
            and value not in {"done", "stopped", "failed", "interrupted"}
        ):
            return
        self._record.set(self._at(*path), value)

    def _at(self, *path: str | int) -> list[str | int]:
        place = self._record.find("turn_id", self.turn_id, "turns")
        assert place is not None, "the turn is in the state as long as it is read"
        return ["turns", place, *path]
