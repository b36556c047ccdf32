"""What happens beside the answer: thinking, tools, debugging. In a notebook it has an output of its own above the answer's.

Its HTML is made here, of escaped text only; nothing a model says reaches it as markup.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from uuid import uuid4

from hector_nb.events import (
    Event,
    NestedDelta,
    TextDelta,
    ThinkingDelta,
    ToolCalled,
    ToolReturned,
    TurnDone,
    TurnStarted,
)
from hector_nb.frontends.inline import Pace, Publish
from hector_nb.frontends.render import plain, plain_line
from hector_nb.frontends.tool_words import has_run, last_lines
from hector_nb.messages import unreadable
from hector_nb.wire.framer import said
from hector_nb.wire.frames import View
from hector_nb.wire.safe_markdown import safe_html

_LONGEST_ARGUMENT = 400
_SHOWN_LINES = 20
_DEBUG = View(debug=True)


class Aside:
    """What a turn's events tell beside the answer. Kept only; the subclasses show it.

    Args:
        thinking: Tell the model's reasoning.
        tools: Tell tool calls and how they went.
        debug: Tell session, memory and token counts.
    """

    def __init__(self, *, thinking: bool, tools: bool, debug: bool) -> None:
        self.thoughts = ""
        self.text = ""
        self._thinking = thinking
        self._tools = tools
        self._debug = debug
        self.used: Counter[str] = Counter()
        self._failed = 0
        self._speaking = ""

    def take(self, event: Event) -> None:
        """See whether there is something to tell."""
        if isinstance(event, ThinkingDelta):
            self.thoughts += event.text
        for told in self._told(event):
            self.text += told
            self.show(told)

    def show(self, told: str) -> None:
        """Show what is new."""

    def end(self) -> None:
        """Show the last form."""

    @property
    def title(self) -> str:
        """What it is about, in a few words."""
        if self.used:
            names = ", ".join(f"{name} × {count}" if count > 1 else name for name, count in self.used.items())
            if self._failed == self.used.total():
                return f"Could not use {names}"
            return f"Used {names}{f' · {self._failed} failed' if self._failed else ''}"
        return "Thinking" if self.text == plain(self.thoughts) else "Behind the answer"

    def _told(self, event: Event) -> Iterator[str]:
        match event:
            case ThinkingDelta() if self._thinking:
                yield plain(event.text)
            case ToolCalled() if self._tools:
                self.used[plain_line(event.name)] += 1
                yield self._line(f"[Tool: {event.name}({_arguments(event)})]")
            case ToolReturned() if self._tools:
                self._failed += event.is_error and not has_run(event.name, event.output)
                yield self._line(_result(event))
            case NestedDelta() if self._tools:
                yield self._nested(event)
            case TurnStarted() | TurnDone() if self._debug:
                yield self._line(said(event, _DEBUG).strip("\n"))
        if not isinstance(event, NestedDelta):
            self._speaking = ""

    def _nested(self, event: NestedDelta) -> str:
        """What an agent says that was called, indented under its name."""
        text = plain(event.text).replace("\n", "\n  ")
        if self._speaking == event.call_id:
            return text
        self._speaking = event.call_id
        return f"{self._line(plain_line(event.agent) + ':')}  {text}"

    def _line(self, text: str) -> str:
        return f"{'' if not self.text or self.text.endswith(chr(10)) else chr(10)}{plain(text)}\n"


def _arguments(event: ToolCalled) -> str:
    written = unreadable(event.arguments)
    shown = [json.dumps(value, ensure_ascii=False) for value in event.arguments.values()]
    return ", ".join(map(_cut, shown)) if written is None else _cut(plain_line(written))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_ARGUMENT else f"{text[:_LONGEST_ARGUMENT]}…"


def _result(event: ToolReturned) -> str:
    """The last lines of a command's output, the first ones of any other."""
    text = plain(event.output).strip()
    if event.is_error and not has_run(event.name, event.output):
        return f"[{event.name} failed: {text}]"
    lines = text.split("\n")
    if event.name == "execute_command":
        return "Output: " + "\n".join(last_lines(lines, _SHOWN_LINES))
    left_out = len(lines) - _SHOWN_LINES
    lines = [*lines[:_SHOWN_LINES], f"… {left_out:,} more lines"] if left_out > 1 else lines
    return "→ " + "\n  ".join(lines)


class AsideOutput(Aside):
    """An output above the answer's; `live`: it is updated as things happen, else it is sent once, at the end."""

    def __init__(self, publish: Publish, *, live: bool, thinking: bool, tools: bool, debug: bool) -> None:
        super().__init__(thinking=thinking, tools=tools, debug=debug)
        self._publish = publish
        self._live = live
        self._pace = Pace()
        self._id = uuid4().hex
        self._there = False

    def show(self, told: str) -> None:
        """See `Aside`."""
        size = len(self.text.encode("utf-8", "replace"))
        if self._live and self._pace.allows(size) and self._pace.take(size, self.text):
            self._send(is_open=True)

    def end(self) -> None:
        """See `Aside`."""
        if self.text:
            self._send(is_open=False)

    def _send(self, *, is_open: bool) -> None:
        body = (
            f'<details{" open" if is_open else ""} style="opacity: 0.75"><summary>{safe_html(self.title)}</summary>'
            f'<pre style="white-space: pre-wrap; background: none; margin: 4px 0 4px 16px; padding: 0; font-size: 12px; line-height: 18px">{safe_html(self.text)}</pre></details>'
        )
        self._publish({"text/html": body, "text/plain": self.text.rstrip("\n")}, {}, self._id, self._there)
        self._there = True


class AsideInTerminal(Aside):
    """Lines between those of the answer."""

    def __init__(self, *, thinking: bool, tools: bool, debug: bool) -> None:
        super().__init__(thinking=thinking, tools=tools, debug=debug)
        self._voice = ""
        self._line_is_open = False

    def take(self, event: Event) -> None:
        """See `Aside`."""
        if isinstance(event, TextDelta):
            self._speak("answer", event.text)
        super().take(event)

    def show(self, told: str) -> None:
        """See `Aside`."""
        if self._voice == "answer":
            told = told.removeprefix("\n")
        self._speak("aside", told)
        sys.stdout.write(told)
        sys.stdout.flush()

    def _speak(self, voice: str, text: str) -> None:
        """Begin a line if somebody else's is unfinished."""
        if self._line_is_open and voice != self._voice:
            sys.stdout.write("\n")
        self._voice = voice
        self._line_is_open = not text.endswith("\n")
