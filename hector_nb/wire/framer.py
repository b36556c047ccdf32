"""From logged events to the frames of one reader: what is shown, how the text is cut, where a resumed reader goes on.

Nothing here waits or writes. A transport feeds what `TurnStream.read` gave and sends what comes out. What an event gives
depends only on the events before it, so a reader that resumes gets the very same text, cut wherever it was cut.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from hector_nb.config.schema import StreamingConfig
from hector_nb.events import (
    ApprovalAsked,
    ApprovalDecided,
    ContextBuilt,
    Event,
    LoggedEvent,
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
    encode_usage,
    is_last,
)
from hector_nb.messages import unreadable
from hector_nb.wire.codec import dumps
from hector_nb.wire.frames import Chunk, Done, Failed, Frame, Named, View, encode_done

_OUTPUT_SHOWN = "execute_command"
_LONGEST_ARGUMENT = 2000
"""Characters of one argument of a call that its line in the text shows; named events have all of it."""
_LINES: tuple[type[Event], ...] = (ToolCalled, ToolReturned, ApprovalAsked)
"""What stands on lines of its own in the text."""


class _Held:
    """Text that waits for its chunk to be filled."""

    def __init__(self) -> None:
        self.length = 0
        self._texts: deque[tuple[int, str, bool]] = deque()
        self._at = 0

    def add(self, seq: int, text: str, start: int, *, closes: bool) -> None:
        """Text of event `seq` from code point `start` on; `closes` tells that its end is the event's end."""
        if not self._texts:
            self._at = start
        self._texts.append((seq, text, closes))
        self.length += len(text) - start

    def take(self, size: int) -> Chunk:
        """The next `size` code points as one chunk."""
        self.length -= size
        taken: list[str] = []
        place = (0, 0)
        while size:
            seq, text, closes = self._texts[0]
            taken.append(text[self._at : self._at + size])
            size -= len(taken[-1])
            self._at += len(taken[-1])
            place = (seq - 1, self._at)
            if self._at == len(text):
                self._texts.popleft()
                self._at = 0
                place = (seq, 0) if closes else place
        return Chunk(*place, "".join(taken))


class Framer:
    """Makes the frames of one reader of one turn.

    `seq` and `offset` are the reader's cursor: it has event `seq` and `offset` units of the next. Events up to there may be fed
    too, and must be where `needs_history` says so. `whole` holds the text back until the turn is over; only what a person has to answer
    and named events go out before, each with the text that stands before it, so that ids still tell what is delivered.
    """

    def __init__(
        self,
        view: View,
        *,
        seq: int = 0,
        offset: int = 0,
        streaming: StreamingConfig | None = None,
        whole: bool = False,
    ) -> None:
        streaming = streaming or StreamingConfig()
        self._view = view
        self._seq = seq
        self._offset = offset
        self._size = streaming.chunk_size
        self._most = streaming.buffer_size
        self._whole = whole
        self._held = _Held()
        self._kind: type[Event] = TextDelta
        self._ends_line = True
        self.finished = False
        self.joined = 0
        """Chunks that became parts of others because the reader was slow."""

    @staticmethod
    def needs_history(view: View) -> bool:
        """Whether there may be lines in this view, so that what an event gives depends on what was shown before."""
        return view.events is None

    def feed(self, events: Iterable[LoggedEvent]) -> list[Frame]:
        """The frames that these events complete, in order. More than `buffer_size` chunks at once are joined."""
        frames: list[Frame] = []
        for seq, event in events:
            if type(event) is TurnReset:
                frames.append(self._reset(seq, event))
                continue
            text = self._text(event)
            if seq <= self._seq:
                self.finished = is_last(event)
                continue
            start = min(self._offset, len(text)) if self._offset and seq == self._seq + 1 else 0
            if self._whole:
                self._gather(frames, seq, event, text, start)
            elif self._size is not None:
                self._cut(self._size, frames, seq, event, text, start)
            elif len(text) > start:
                place = (seq - 1, len(text)) if isinstance(event, TurnDone) else (seq, 0)
                frames.append(Chunk(*place, text[start:] if start else text))
            if type(event) is not TextDelta:
                self._other(frames, seq, event)
        if len(frames) <= self._most:
            return frames
        joined = _join(frames)
        self.joined += len(frames) - len(joined)
        return joined

    def flush(self) -> list[Frame]:
        """What waits for its chunk to be filled, because the turn is silent."""
        return [] if self._whole else self._let_go()

    def _let_go(self) -> list[Frame]:
        """All that is held."""
        return [self._held.take(self._held.length)] if self._held.length else []

    def _reset(self, seq: int, event: TurnReset) -> Frame:
        """What the reader has, and what is held for it, is replaced; it goes on from here, wherever its cursor was."""
        self._held = _Held()
        self._seq, self._offset = seq, 0
        self._kind, self._ends_line = TextDelta, not event.text or event.text[-1] == "\n"
        return Named(seq, 0, "reset", {"turn_id": event.turn_id, "text": event.text})

    def _other(self, frames: list[Frame], seq: int, event: Event) -> None:
        """Everything but text."""
        named = [] if self._view.events is None else _named(event, self._view.events)
        last: Frame | None = None
        if isinstance(event, TurnDone):
            last = Done(seq, event)
        elif isinstance(event, TurnFailed):
            last = Failed(seq, event)
        skip = self._offset if named and seq == self._seq + 1 else 0
        whole = len(named) if last is None else len(named) + 1
        for number, (name, data) in enumerate(named, start=1):
            if number > skip:
                frames.append(Named(*((seq, 0) if number == whole else (seq - 1, number)), name, data))
        if last is not None:
            frames.append(last)
            self.finished = True

    def _cut(self, size: int, frames: list[Frame], seq: int, event: Event, text: str, start: int) -> None:
        """Cut the text into chunks of `size`. Whatever is not a piece of the answer lets go what is held."""
        held = self._held
        if len(text) > start:
            held.add(seq, text, start, closes=type(event) is not TurnDone)
        while held.length >= size:
            frames.append(held.take(size))
        if type(event) is not TextDelta:
            frames += self._let_go()

    def _gather(self, frames: list[Frame], seq: int, event: Event, text: str, start: int) -> None:
        """Hold the text, until nothing more comes or something has to be seen now."""
        if is_last(event):
            frames += self._let_go()
        if len(text) > start:
            self._held.add(seq, text, start, closes=type(event) is not TurnDone)
        named = self._view.events is not None and type(event) is not TextDelta
        if named or is_last(event) or isinstance(event, TurnStarted | ApprovalAsked):
            frames += self._let_go()

    def _text(self, event: Event) -> str:
        """What the event adds to the text in this view. The answer goes on directly under a line."""
        if type(event) is TextDelta:
            text = event.text.lstrip("\n") if self._kind in _LINES else event.text
        elif self._view.events is None:
            text = said(event, self._view)
        else:
            text = ""
        if not text:
            return text
        if type(event) is not self._kind:
            if not self._ends_line and type(event) is not TurnDone:
                text = "\n" + text
            self._kind = type(event)
        self._ends_line = text[-1] == "\n"
        return text


def said(event: Event, view: View) -> str:
    """The event as text; nothing where the view does not show it. The answer itself is none of it."""
    match event:
        case ThinkingDelta() if view.thinking:
            return event.text
        case ToolCalled() if view.tools:
            return f"[Tool: {_call(event)}]\n"
        case ApprovalAsked():
            return f"[Approval needed: {_call(event)} {event.call_id}]\n"
        case ToolReturned(name=name) if view.tools and name == _OUTPUT_SHOWN:
            return f"Output: {event.output}".rstrip() + "\n"
        case TurnStarted() if view.debug:
            return (
                f"[Session: {event.session_id}]\n[Message: {event.message_number}]\n"
                f"[Memory: {event.memory_tokens} tokens]\n"
            )
        case TurnDone() if view.debug:
            return f"\n[Response: {event.usage.completion_tokens} tokens, {event.finish_reason}]"
    return ""


def _call(event: ToolCalled | ApprovalAsked) -> str:
    """A call as it is written in the text, in one line: the arguments as JSON, in their order; what is no JSON as it came."""
    written = unreadable(event.arguments)
    shown = [dumps(value) for value in event.arguments.values()] if written is None else [" ".join(written.split())]
    cut = [text if len(text) <= _LONGEST_ARGUMENT else f"{text[:_LONGEST_ARGUMENT]}…" for text in shown]
    return f"{event.name}({', '.join(cut)})"


def _named(event: Event, groups: frozenset[str]) -> list[tuple[str, dict[str, Any]]]:
    """The event as named events of these groups; `session`, `approval` and `done` belong to every group."""
    found: list[tuple[str, str, dict[str, Any]]] = []
    match event:
        case TurnStarted():
            number = {"message_id": event.message_id, "message_number": event.message_number}
            found = [
                ("", "session", {"session_id": event.session_id, "turn_id": event.turn_id, **number}),
                ("context", "context", dict(event.context or {"tokens": event.memory_tokens})),
                (
                    "debug",
                    "debug",
                    {
                        "session_id": event.session_id,
                        "message_number": event.message_number,
                        "memory_tokens": event.memory_tokens,
                    },
                ),
            ]
        case ThinkingDelta():
            found = [("thinking", "thinking", {"text": event.text})]
        case ToolCalled():
            call = {"call_id": event.call_id, "name": event.name, "arguments": dict(event.arguments)}
            found = [("tools", "tool_call", call)]
        case ToolReturned():
            result = {"call_id": event.call_id, "name": event.name, "output": event.output, "is_error": event.is_error}
            found = [("tools", "tool_result", result)]
        case NestedDelta():
            nested = {"call_id": event.call_id, "agent": event.agent, "session_id": event.session_id}
            found = [("tools", "nested", {**nested, "turn_id": event.turn_id, "text": event.text})]
        case ApprovalAsked():
            call = {"call_id": event.call_id, "name": event.name, "arguments": dict(event.arguments)}
            found = [("", "approval", {**call, "deadline": event.deadline})]
        case ApprovalDecided():
            found = [("", "approval", _decided(event))]
        case ContextBuilt():
            found = [("context", "context", dict(event.context))]
        case ModelUsed():
            found = [("usage", "usage", encode_usage(event.usage))]
        case TurnDone():
            spoken = {"response_tokens": event.usage.completion_tokens, "finish_reason": event.finish_reason}
            found = [("debug", "debug", spoken), ("", "done", encode_done(event))]
    return [(name, data) for group, name, data in found if not group or group in groups]


def _decided(event: ApprovalDecided) -> dict[str, Any]:
    data: dict[str, Any] = {"call_id": event.call_id, "decision": event.decision}
    if event.expired:
        data["expired"] = True
    if event.edited is not None:
        data["edited"] = dict(event.edited)
    return data


def _join(frames: Sequence[Frame]) -> list[Frame]:
    """The same frames with neighbouring chunks made one; the id is that of the last."""
    joined: list[Frame] = []
    for is_chunk, group in groupby(frames, key=lambda frame: isinstance(frame, Chunk)):
        if is_chunk:
            chunks = [frame for frame in group if isinstance(frame, Chunk)]
            joined.append(chunks[-1]._replace(text="".join([chunk.text for chunk in chunks])))
        else:
            joined.extend(group)
    return joined
