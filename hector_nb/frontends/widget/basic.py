"""The chat of plain ipywidgets, for front ends that the custom one does not reach: a transcript, a box to type, buttons.

It draws the same state and sends the same commands. Model text becomes HTML by way of safe Markdown, and no raw HTML passes.
"""

import threading
import time
from collections.abc import Mapping
from typing import Any

import ipywidgets
from markdown_it import MarkdownIt

from hector_nb.frontends.widget.controller import Controller
from hector_nb.frontends.widget.handle import ChatHandle
from hector_nb.frontends.widget.outputs import Outputs
from hector_nb.frontends.widget.transcript import as_markdown, saved_line
from hector_nb.frontends.widget.turns import ACTIVE
from hector_nb.ids import new_id
from hector_nb.wire.safe_markdown import safe_html

_EVERY = 0.25
"""Seconds between two drawings of an answer that grows."""
_NEW = ""
_WIDE = {"width": "auto"}


class BasicChat(ChatHandle, ipywidgets.VBox):  # type: ignore[misc]
    """A chat in a notebook, useful and plain.

    Args:
        controller: What it shows.
        height: Pixels of the transcript.
    """

    def __init__(self, controller: Controller, *, height: int = 600) -> None:
        self._controller = controller
        self._outputs = Outputs()
        self._lock = threading.RLock()
        self._drawn_at = 0.0
        self._due: threading.Timer | None = None
        self._drawn: list[tuple[str, str]] = []
        self._asked: tuple[str, str] | None = None
        self._make(height)
        super().__init__([self._head, self._transcript, self._approval, self._box, self._foot])
        controller.on_message = self._hear
        controller.on_freeze = self._outputs.replace
        self._list_sessions()
        self._draw()

    def _make(self, height: int) -> None:
        self._sessions = ipywidgets.Dropdown(options=[("New session", _NEW)], value=_NEW, description="Session")
        self._meter = ipywidgets.Label()
        self._head = ipywidgets.HBox([self._sessions, self._meter])
        self._transcript = ipywidgets.VBox(layout={"max_height": f"{height}px", "overflow": "auto"})
        self._question = ipywidgets.HTML()
        self._always = ipywidgets.Checkbox(value=False, indent=False, layout=_WIDE)
        approve, deny = ipywidgets.Button(description="Approve"), ipywidgets.Button(description="Deny")
        self._approval = ipywidgets.VBox(
            [self._question, ipywidgets.HBox([approve, deny, self._always])], layout={"display": "none"}
        )
        self._box = ipywidgets.Textarea(layout=_WIDE, rows=3)
        self._send = ipywidgets.Button(description="Send", button_style="primary")
        self._stop = ipywidgets.Button(description="Stop", disabled=True)
        self._again = ipywidgets.Button(description="Try again", disabled=True)
        self._status = ipywidgets.Label()
        self._foot = ipywidgets.HBox([self._send, self._stop, self._again, self._status])
        self._sessions.observe(self._chosen, names="value")
        self._send.on_click(lambda _: self._say())
        self._stop.on_click(lambda _: self._act("stop"))
        self._again.on_click(lambda _: self._act("retry"))
        approve.on_click(lambda _: self._decide("approve"))
        deny.on_click(lambda _: self._decide("deny"))

    def close(self) -> None:
        """See `ChatHandle`."""
        if self._due is not None:
            self._due.cancel()
        super().close()

    def rest(self) -> None:
        """Draw no more. The widget stays: JupyterLab hides the output of one that is closed, whatever it shows by now."""
        if self._due is not None:
            self._due.cancel()

    def leave(self) -> None:
        """Take only this view of the chat away."""
        self.rest()
        ipywidgets.VBox.close(self)

    def _ipython_display_(self, **_: Any) -> None:
        self._outputs.show(self._repr_mimebundle_(), {})

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        data: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        state = self._controller.state
        data["text/plain"] = saved_line(state)
        if text := as_markdown(state):
            data["text/markdown"] = text
        return data

    # -- what people press

    def _say(self) -> None:
        text, self._box.value = self._box.value, ""
        if text.strip():
            self._command("send", text=text)

    def _act(self, name: str) -> None:
        if turns := self._controller.state["turns"]:
            self._command(name, turn_id=turns[-1]["turn_id"])

    def _decide(self, decision: str) -> None:
        if self._asked is not None:
            turn_id, call_id = self._asked
            self._command("decide", turn_id=turn_id, call_id=call_id, decision=decision, always=self._always.value)

    def _chosen(self, change: Mapping[str, Any]) -> None:
        session = self._controller.session
        if change["new"] == (session.session_id if session else _NEW):
            return
        if change["new"] == _NEW:
            self._command("new", agent=None)
        else:
            self._command("open", session_id=change["new"])

    def _command(self, name: str, **fields: Any) -> None:
        self._controller.command({"t": name, "id": new_id("msg"), **fields})

    def _list_sessions(self) -> None:
        self._controller.command({"t": "sessions", "id": "sessions", "query": "", "cursor": None})

    # -- drawing

    def _hear(self, message: Mapping[str, Any]) -> None:
        """On the event-loop thread."""
        with self._lock:
            if message["t"] == "reply":
                if message["id"] == "sessions" and "data" in message:
                    self._offer(message["data"]["sessions"])
                elif "error" in message:
                    self._status.value = f"{message['error']['title']} {message['error']['text']}"
                return
            if self._due is None:
                self._due = threading.Timer(max(0.0, self._drawn_at + _EVERY - time.monotonic()), self._draw)
                self._due.daemon = True
                self._due.start()

    def _offer(self, sessions: list[dict[str, Any]]) -> None:
        known = [("New session", _NEW), *((_named(each), each["session_id"]) for each in sessions)]
        session = self._controller.session
        here = session.session_id if session else _NEW
        if session is not None and here not in {value for _, value in known}:
            known.insert(1, (session.title or here, here))
        self._sessions.options = known
        self._sessions.value = here

    def _draw(self) -> None:
        with self._lock:
            self._due, self._drawn_at = None, time.monotonic()
            state = self._controller.state
            pages = [(turn["turn_id"], _turn_html(turn)) for turn in state["turns"]]
            if [turn_id for turn_id, _ in pages] != [turn_id for turn_id, _ in self._drawn]:
                self._transcript.children = [ipywidgets.HTML(page) for _, page in pages]
                self._list_sessions()
            else:
                for child, (_, page), (_, before) in zip(self._transcript.children, pages, self._drawn, strict=True):
                    if page != before:
                        child.value = page
            self._drawn = pages
            self._draw_controls(state)

    def _draw_controls(self, state: Mapping[str, Any]) -> None:
        last = state["turns"][-1] if state["turns"] else None
        busy = last is not None and last["status"] in ACTIVE
        self._stop.disabled = not busy
        self._again.disabled = last is None or busy
        self._send.description = "Queue" if busy else "Send"
        self._box.placeholder = f"Ask {state['agent']['name']}…"
        problem = state["problem"] or (last or {}).get("problem")
        self._status.value = f"{problem['title']} {problem['text']}" if problem else _status(state, last)
        meter = state["meter"]
        mark = "~" if meter and meter["estimated"] else ""
        self._meter.value = f"{mark}{meter['tokens']:,} of {meter['budget']:,} tokens" if meter else ""
        asked = [part for part in (last or {"parts": []})["parts"] if part.get("approval")]
        self._asked = (last["turn_id"], asked[0]["call_id"]) if last and asked else None
        self._approval.layout.display = "" if asked else "none"
        if asked:
            card = asked[0]["approval"]
            body = "\n".join(text for text in (card["subject"], card["diff"] or card["body"]) if text)
            left = max(0, round(card["deadline"] - time.time()))
            self._question.value = (
                f"<b>{safe_html(card['question'])}</b><pre style='white-space:pre-wrap'>{safe_html(body)}</pre>"
                f"No answer in {left // 60}:{left % 60:02} means no"
            )
            self._always.description = card["wider"]


def _status(state: Mapping[str, Any], last: Mapping[str, Any] | None) -> str:
    waiting = f" · {len(state['queue'])} waiting" if state["queue"] else ""
    if last is None:
        return ""
    mark = "~" if last["estimated"] else ""
    seconds = f" · {last['seconds']:.1f} s" if last["seconds"] is not None else ""
    return f"{last['status'].capitalize()} · {mark}{last['tokens']:,} tokens{seconds}{waiting}"


def _turn_html(turn: Mapping[str, Any]) -> str:
    """A turn as HTML without a word of which a model could make markup."""
    question = safe_html(turn["question"]["text"])
    answer = as_markdown({"agent": {"name": ""}, "more": False, "turns": [turn]}).partition("****")[2]
    return (
        '<div style="background:rgba(128,128,128,.12);border-radius:8px;padding:8px 12px;white-space:pre-wrap">'
        f'{question}</div><div style="padding:4px 12px 16px;line-height:1.5">{_html(answer)}</div>'
    )


def _html(markdown: str) -> str:
    rendered: str = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table").render(markdown)
    return rendered


def _named(session: Mapping[str, Any]) -> str:
    return f"{session['title'] or session['session_id']} ({session['agent']})"
