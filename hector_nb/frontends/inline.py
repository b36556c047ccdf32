"""How an answer appears in the cell that asked for it, while it is generated.

In a notebook it is one output that is updated in place: at most ten times a second, and ever more seldom as it grows, so that all
the text sent for an answer stays in proportion to the answer however long it is. Without updates (nbval, `--no-stream`) it is one
output at the end; in a terminal it is written as it comes.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from uuid import uuid4

from hector_nb.frontends.render import PlainText, plain
from hector_nb.wire.safe_markdown import SafeMarkdown, safe_html

Bundle = Mapping[str, str]
Publish = Callable[[Bundle, Mapping[str, Any], str, bool], None]
"""Sends a bundle with its metadata to the output of that id; True: it is there already."""

INTERVAL = 0.1
"""The least number of seconds between two updates."""
GROWTH = 20
"""All updates together hold at most this many times the answer's bytes."""
QUIET = 0.2
"""Seconds of silence after which the cell says what it waits for."""
STOPPED = "■ stopped"


class AnswerView(Protocol):
    """What shows one answer. `tick` is called several times a second."""

    def add(self, text: str) -> None:
        """A piece of the answer came."""
        ...

    def restart(self) -> None:
        """What was shown is void; the answer comes again from its beginning."""
        ...

    def tick(self) -> None:
        """Time went by."""
        ...

    def end(self, metadata: Mapping[str, Any], *, stopped: bool = False) -> None:
        """The answer is whole, or was stopped."""
        ...

    def fail(self, metadata: Mapping[str, Any]) -> None:
        """There will be no more; keep what was said."""
        ...

    def note(self, text: str) -> None:
        """Say something small below the answer."""
        ...

    def make_way(self) -> str | None:
        """Leave the output that only says what is waited for to something else; its id, if there is such an output."""
        ...


class AboveAnswer:
    """Publishes what belongs above an answer: where the answer has not begun, it gets the place of the line that says so."""

    def __init__(self, view: AnswerView, publish: Publish) -> None:
        self._view = view
        self._publish = publish
        self._places: dict[str, str] = {}

    def __call__(self, bundle: Bundle, metadata: Mapping[str, Any], display_id: str, there: bool) -> None:
        """See `Publish`."""
        if not there and (place := self._view.make_way()):
            self._places[display_id] = place
            there = True
        self._publish(bundle, metadata, self._places.get(display_id, display_id), there)


class Pace:
    """Says when a text that grows may be sent again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = -INTERVAL
        self._spent = 0
        self._blowup = 1.0

    def allows(self, size: int) -> bool:
        """Whether it is time for a text of about `size` bytes. The last form, with its twin in plain text, always has room."""
        return self._clock() - self._last >= INTERVAL and self._fits(size, self._blowup * size)

    def take(self, size: int, text: str) -> bool:
        """Whether `text`, which stands for `size` bytes of the answer, may be sent; if so it counts as sent."""
        cost = len(json.dumps(text, ensure_ascii=False).encode("utf-8", "replace"))
        self._blowup = cost / size
        if not self._fits(size, cost):
            return False
        self._last = self._clock()
        self._spent += cost
        return True

    def _fits(self, size: int, cost: float) -> bool:
        return self._spent + 3 * cost <= GROWTH * size


class LiveOutput:
    """An output that follows the answer. Until that begins it shows what `waiting` says."""

    def __init__(
        self,
        *,
        waiting: Callable[[], str],
        markdown: bool = True,
        publish: Publish,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._waiting = waiting
        self._waits_for = ""
        self._markdown = markdown
        self._publish = publish
        self._clock = clock
        self._started = clock()
        self._pace = Pace(clock)
        self._id = uuid4().hex
        self._text = _AnswerText()
        self._there = False
        self._dirty = False

    def add(self, text: str) -> None:
        """See `AnswerView`."""
        self._text.add(text)
        self._dirty = True
        self.tick()

    def restart(self) -> None:
        """See `AnswerView`."""
        self._text = _AnswerText()

    def tick(self) -> None:
        """See `AnswerView`."""
        if self._text.size:
            if self._dirty and self._pace.allows(self._text.size):
                self._update()
        elif self._clock() - self._started >= QUIET and (words := self._waiting()) != self._waits_for:
            self._waits_for = words
            bundle = {"text/html": f'<span style="opacity: 0.6">{safe_html(words)}</span>', "text/plain": words}
            self._send(bundle, {})

    def end(self, metadata: Mapping[str, Any], *, stopped: bool = False) -> None:
        """See `AnswerView`."""
        self._send(self._text.bundle(markdown=self._markdown, stopped=stopped), {"hector": metadata})

    def fail(self, metadata: Mapping[str, Any]) -> None:
        """See `AnswerView`."""
        if self._there or self._text.size:
            self._send(self._text.bundle(markdown=self._markdown), {"hector": metadata})

    def note(self, text: str) -> None:
        """See `AnswerView`."""
        bundle = {
            "text/html": f'<small style="opacity: 0.6; white-space: pre-line">{safe_html(text)}</small>',
            "text/plain": text,
        }
        self._publish(bundle, {}, "", False)

    def make_way(self) -> str | None:
        """See `AnswerView`."""
        if not self._there or self._text.size:
            return None
        place, self._id = self._id, uuid4().hex
        self._there, self._waits_for = False, ""
        return place

    def _update(self) -> None:
        text = self._text.safe() if self._markdown else self._text.plain()
        if self._pace.take(self._text.size, text):
            self._dirty = False
            self._send({"text/markdown" if self._markdown else "text/plain": text}, {})

    def _send(self, bundle: Bundle, metadata: Mapping[str, Any]) -> None:
        self._publish(bundle, metadata, self._id, self._there)
        self._there = True


class FinalOutput:
    """One output at the end, for programs that compare or record outputs."""

    def __init__(self, *, markdown: bool = True, publish: Publish) -> None:
        self._markdown = markdown
        self._publish = publish
        self._text = _AnswerText()

    def add(self, text: str) -> None:
        """See `AnswerView`."""
        self._text.add(text)

    def restart(self) -> None:
        """See `AnswerView`."""
        self._text = _AnswerText()

    def tick(self) -> None:
        """See `AnswerView`."""

    def end(self, metadata: Mapping[str, Any], *, stopped: bool = False) -> None:
        """See `AnswerView`."""
        self._publish(self._text.bundle(markdown=self._markdown, stopped=stopped), {"hector": metadata}, "", False)

    def fail(self, metadata: Mapping[str, Any]) -> None:
        """See `AnswerView`."""
        if self._text.size:
            self.end(metadata)

    def note(self, text: str) -> None:
        """See `AnswerView`."""

    def make_way(self) -> str | None:
        """See `AnswerView`."""
        return None


class TerminalOutput:
    """The answer on standard output, as it comes."""

    def __init__(self, *, stream: bool = True) -> None:
        self._stream = stream
        self._text = _AnswerText()
        self._plain = PlainText()

    def add(self, text: str) -> None:
        """See `AnswerView`."""
        self._text.add(text)
        if self._stream:
            _write(self._plain.feed(text))

    def restart(self) -> None:
        """See `AnswerView`."""
        if self._stream and self._text.size:
            _write(f"{self._plain.close()}\n\n")
        self._text, self._plain = _AnswerText(), PlainText()

    def tick(self) -> None:
        """See `AnswerView`."""

    def end(self, metadata: Mapping[str, Any], *, stopped: bool = False) -> None:
        """See `AnswerView`."""
        _write(f"{self._plain.close() if self._stream else self._text.plain()}{f' [{STOPPED}]' if stopped else ''}\n")

    def fail(self, metadata: Mapping[str, Any]) -> None:
        """See `AnswerView`."""
        if self._text.size:
            self.end(metadata)

    def note(self, text: str) -> None:
        """See `AnswerView`."""

    def make_way(self) -> str | None:
        """See `AnswerView`."""
        return None


class _AnswerText:
    """The answer so far, in both its forms. `size` is in bytes of UTF-8."""

    def __init__(self) -> None:
        self.size = 0
        self._parts: list[str] = []
        self._safe = SafeMarkdown()

    def add(self, text: str) -> None:
        self.size += len(text.encode("utf-8", "replace"))
        self._parts.append(text)
        self._safe.feed(text)

    def safe(self) -> str:
        return self._safe.text()

    def plain(self) -> str:
        return plain("".join(self._parts))

    def bundle(self, *, markdown: bool, stopped: bool = False) -> Bundle:
        plain = self.plain()
        if not markdown:
            return {"text/plain": _marked(plain, STOPPED) if stopped else plain}
        safe = self.safe()
        return {
            "text/markdown": _marked(safe, f"*{STOPPED}*") if stopped else safe,
            "text/plain": _marked(plain, STOPPED) if stopped else plain,
        }


def publish(bundle: Bundle, metadata: Mapping[str, Any], display_id: str, there: bool) -> None:
    """Send a bundle to the front end of the running cell."""
    from IPython.display import display, update_display

    if there:
        update_display(dict(bundle), display_id=display_id, raw=True, metadata=dict(metadata))  # type: ignore[no-untyped-call]
    else:
        display(dict(bundle), raw=True, display_id=display_id or None, metadata=dict(metadata))  # type: ignore[no-untyped-call]


def _marked(text: str, mark: str) -> str:
    return f"{text}\n\n{mark}" if text.strip() else mark


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
