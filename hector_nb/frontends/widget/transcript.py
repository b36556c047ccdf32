"""A chat without its widget: what a saved notebook, a reader without JavaScript and `repr()` get."""

from collections.abc import Iterable, Mapping
from typing import Any

from hector_nb.frontends.render import plain_line
from hector_nb.frontends.words import counted
from hector_nb.wire.safe_markdown import neutralise


def in_a_line(state: Mapping[str, Any]) -> str:
    """For example `Chat with assistant · sess_… · 4 messages`."""
    session = state["session"]
    if session is None:
        return f"Chat with {plain_line(state['agent']['name'])} · nothing was said yet"
    messages = counted(session["message_count"], "message")
    return f"Chat with {plain_line(state['agent']['name'])} · {session['session_id']} · {messages}"


def saved_line(state: Mapping[str, Any]) -> str:
    """What is saved with the notebook: it stays true when more is said."""
    if state["session"] is None:
        return f"Chat with {plain_line(state['agent']['name'])} · run this cell to open it"
    return in_a_line(state)


def as_markdown(state: Mapping[str, Any]) -> str:
    """The turns that the state has as safe Markdown; empty where there are none."""
    agent = _escaped(plain_line(state["agent"]["name"]))
    said = ["*…*"] if state["more"] else []
    for turn in state["turns"]:
        said += [f"**You**\n\n{neutralise(turn['question']['text'])}", f"**{agent}**", *_parts(turn["parts"])]
        if turn["problem"] is not None:
            said.append(f"*{_escaped(turn['problem']['title'])}*")
        elif turn["status"] == "stopped":
            said.append("*Stopped*")
    return "\n\n".join(part for part in said if part)


def _parts(parts: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for part in parts:
        if part["kind"] == "text":
            yield neutralise(part["text"].strip())
        elif part["kind"] == "tool":
            told = " · ".join(text for text in (f"{part['verb']} {part['subject']}".strip(), part["result"]) if text)
            yield f"*{_escaped(plain_line(told))}*"


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join(f"\\{each}" if each in "\\`*_{}[]<>#|~$!&" else each for each in text)
