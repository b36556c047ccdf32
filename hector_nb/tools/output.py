"""What a tool said, made fit for a model: without what only a terminal understands, and no longer than there is room for."""

import json
import re

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"  # OSC and the like: titles, links
    r"|\x1b[ -/]*[0-~]",
    re.MULTILINE,
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_NOTE = re.compile(r"^\[… [0-9,]+ of [0-9,]+ characters left out; read_output\(call_id=", re.MULTILINE)


def clean(text: str) -> str:
    """The text without terminal sequences and control characters but tabs and line ends; lone surrogates become U+FFFD."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _SURROGATES.sub("�", _CONTROLS.sub("", _ESCAPES.sub("", text)))


def cut(text: str, at: int, *, call_id: str | None) -> str:
    """The head and the tail of a text, `at` characters together, and between them a note of what was left out.

    With a `call_id` the note says how `read_output` gives the rest.
    """
    if len(text) <= at:
        return text
    head, tail = at - at // 3, at // 3
    left_out = f"{len(text) - at:,} of {len(text):,} characters left out"
    rest = f"; read_output(call_id={json.dumps(call_id)}, offset={head}) gives them" if call_id is not None else ""
    return f"{text[:head]}\n[… {left_out}{rest} …]\n{text[len(text) - tail :]}"


def was_cut(text: str) -> bool:
    """Whether the text holds a note that names `read_output`."""
    return _NOTE.search(text) is not None
