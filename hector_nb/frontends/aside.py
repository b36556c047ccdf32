"""What happens beside the answer: thinking, tools, debugging. It has an output of its own above the answer's.

Its HTML is made here, of escaped text only; nothing a model says reaches it as markup.
"""

import json
from collections.abc import Iterator
from uuid import uuid4

from hector_nb.events import Event, ThinkingDelta, ToolCalled, ToolReturned, TurnDone, TurnStarted
from hector_nb.frontends.inline import Pace, Publish
from hector_nb.frontends.render import plain
from hector_nb.wire.safe_markdown import safe_html


class Aside:
    """Follows a turn's events.

    Args:
        thinking: Show the model's reasoning.
        tools: Show tool calls and how they went.
        debug: Show session, memory and token counts.
        live: Update the output as things happen; else it is sent once, at the end.
    """

    def __init__(self, publish: Publish, *, thinking: bool, tools: bool, debug: bool, live: bool) -> None:
        self.thoughts = ""
        self._publish = publish
        self._thinking = thinking
        self._tools = tools
        self._debug = debug
        self._live = live
        self._pace = Pace()
        self._id = uuid4().hex
        self._there = False
        self._text = ""

    def take(self, event: Event) -> None:
        """See whether there is something to tell."""
        if isinstance(event, ThinkingDelta):
            self.thoughts += event.text
        if told := "".join(self._told(event)):
            self._text += told
            size = len(self._text.encode("utf-8", "replace"))
            if self._live and self._pace.allows(size) and self._pace.take(size, self._text):
                self._send(is_open=True)

    def end(self) -> None:
        """Send the last form."""
        if self._text:
            self._send(is_open=False)

    def _told(self, event: Event) -> Iterator[str]:
        match event:
            case ThinkingDelta() if self._thinking:
                yield plain(event.text)
            case ToolCalled() if self._tools:
                arguments = ", ".join(json.dumps(value, ensure_ascii=False) for value in event.arguments.values())
                yield self._line(f"[Tool: {event.name}({arguments})]")
            case ToolReturned() if self._tools:
                if event.is_error:
                    yield self._line(f"[{event.name} failed: {event.output}]")
            case TurnStarted() if self._debug:
                yield self._line(f"[Session: {event.session_id}]")
                yield self._line(f"[Message: {event.message_number}]")
                yield self._line(f"[Memory: {event.memory_tokens} tokens]")
            case TurnDone() if self._debug:
                yield self._line(f"[Response: {event.usage.completion_tokens} tokens, {event.finish_reason}]")

    def _line(self, text: str) -> str:
        return f"{'' if not self._text or self._text.endswith(chr(10)) else chr(10)}{plain(text)}\n"

    def _send(self, *, is_open: bool) -> None:
        title = "Thinking" if self._text == plain(self.thoughts) else "Behind the answer"
        body = (
            f'<details{" open" if is_open else ""} style="opacity: 0.75"><summary>{title}</summary>'
            f'<pre style="white-space: pre-wrap">{safe_html(self._text)}</pre></details>'
        )
        self._publish({"text/html": body, "text/plain": self._text.rstrip("\n")}, {}, self._id, self._there)
        self._there = True
