"""What long-term memory keeps of a transcript: for each turn, what the user said and what was answered.

Of a turn's tools one line says which were used. Of the answer only its last text counts, only where no failure cut it, and not where it
is a short reaction to a plain statement: "My sister Clara keeps bees." is remembered without "How lovely!", which would blur the search
and confuses small models (the embedded one used 11 of 12 facts without reactions, 6 of 12 with them). A turn that says nothing is left
out: no word at all (empty, emoji only), or small talk ("hi", "ok, thanks!") with a short answer.

Long texts are cut into pieces at the borders of paragraphs, lines or sentences; each piece of an answer begins with the beginning of
what was asked. Of a very long turn the first `MOST_PIECES` pieces are kept.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hector_nb.memory.base import TokenCounter
from hector_nb.memory.small_talk import REQUESTS, SMALL_TALK, SUBJECTS, VERBS
from hector_nb.messages import Message, ToolCall

ANSWER = "Answer: "
"""Stands before what was answered."""
PIECE_TOKENS = 300
"""The longest piece."""
MOST_PIECES = 32
_LONG_ANSWER = 60
"""Words from which an answer is kept though the message asked for nothing."""
_LONG_STATEMENT = 400
"""Characters from which a text is no plain statement."""
_HEAD = 200
"""Characters of the message that stand before each piece of its answer."""
_SHOWN_CALLS = 5
_SHOWN_ARGUMENT = 60
_CHARACTERS_PER_TOKEN = 8
"""More than texts have; what is cut off before counting is far outside of the pieces that are kept."""
_BORDERS = tuple(
    re.compile(border) for border in (r"(?<=\n\n)", r"(?<=\n)", r"(?<=[.!?…]\s)|(?<=[。！？])", r"(?<=\s)")
)
_QUESTION = re.compile("[?？؟]")
_WORDS = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_MOST_SMALL = 6
"""Words of a message that may be nothing but small talk."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exchange:
    """A turn as it is remembered. `last_position` is that of the last of the messages it is made of."""

    said: str
    answer: str
    message_ids: tuple[str, ...]
    last_position: int
    created_at: datetime

    @property
    def text(self) -> str:
        """Both, the user's words first."""
        return _together(self.said, self.answer)


def turns(messages: Sequence[Message]) -> list[Sequence[Message]]:
    """The messages of each turn. A message of the user begins a new one."""
    found: list[list[Message]] = []
    for message in messages:
        if not found or message.role == "user" or message.turn_id != found[-1][-1].turn_id:
            found.append([])
        found[-1].append(message)
    return list[Sequence[Message]](found)


def exchange_of(turn: Sequence[Message], *, first_position: int) -> Exchange | None:
    """What is remembered of a turn whose first message stands at this position; None where it says nothing."""
    said = "\n\n".join(text for message in turn if message.role == "user" and (text := message.content.strip()))
    last = next(
        (message for message in reversed(turn) if message.role == "assistant" and message.content.strip()), None
    )
    answer = last.content.strip() if last is not None and last.status in {"complete", "cancelled"} else ""
    if len(_WORDS.findall(answer)) < _LONG_ANSWER:
        if says_nothing(said):
            return None
        if is_statement(said):
            answer = ""
    made_of = [
        place for place, each in enumerate(turn) if each.role == "user" or each.tool_calls or (answer and each is last)
    ]
    calls = [call for message in turn for call in message.tool_calls]
    used = f"({_used(calls)})" if calls else ""
    return Exchange(
        said=said,
        answer="\n".join(part for part in (used, answer) if part),
        message_ids=tuple(turn[place].message_id for place in made_of),
        last_position=first_position + made_of[-1],
        created_at=turn[0].created_at,
    )


def says_nothing(text: str) -> bool:
    """Whether a text has no word, or nothing but the small talk."""
    if len(text) > _HEAD:
        return _WORDS.search(text) is None
    words = _words(text)
    return not words or (len(words) <= _MOST_SMALL and SMALL_TALK.issuperset(words))


def is_statement(text: str) -> bool:
    """Whether a short text tells something and clearly asks for nothing."""
    words = _words(text) if len(text) <= _LONG_STATEMENT else []
    if not words or _QUESTION.search(text) or not REQUESTS.isdisjoint(words):
        return False
    return words[0] in SUBJECTS or not VERBS.isdisjoint(words[1:5])


async def pieces(exchange: Exchange, *, limit: int, counter: TokenCounter) -> list[str]:
    """The exchange as texts of about `limit` tokens at the most."""
    text = exchange.text
    if len(text) <= limit * _CHARACTERS_PER_TOKEN and await counter.count(text) <= limit:
        return [text]
    head = _clipped(exchange.said, min(_HEAD, limit))
    found = await _split(exchange.said, limit, counter) if head != exchange.said or not exchange.answer else []
    for piece in await _split(exchange.answer, limit - limit // 4, counter):
        found.append(_together(head, piece))
    return found[:MOST_PIECES]


def _words(text: str) -> list[str]:
    return _WORDS.findall(text.casefold().replace("’", "'"))


def _together(said: str, answer: str) -> str:
    return "\n".join(part for part in (said, f"{ANSWER}{answer}" if answer else "") if part)


def _used(calls: Sequence[ToolCall]) -> str:
    shown = [_shown(call) for call in calls[:_SHOWN_CALLS]]
    more = ["…"] if len(calls) > _SHOWN_CALLS else []
    return "Used " + ", ".join([*shown, *more])


def _shown(call: ToolCall) -> str:
    first = next(iter(call.arguments.values()), None)
    if first is None:
        return call.name
    argument = first if isinstance(first, str) else json.dumps(first, ensure_ascii=False, default=str)
    return f"{call.name}({_clipped(' '.join(argument.split()), _SHOWN_ARGUMENT)})"


def _clipped(text: str, most: int) -> str:
    """The text, or its beginning up to a border of words."""
    if len(text) <= most:
        return text
    return text[:most].rsplit(None, 1)[0] + " …"


async def _split(text: str, limit: int, counter: TokenCounter) -> list[str]:
    units = await _units(text[: MOST_PIECES * limit * _CHARACTERS_PER_TOKEN], limit, counter, 0)
    found: list[str] = []
    room = 0
    for unit, tokens in units:
        if not found or tokens > room:
            found.append("")
            room = limit
        found[-1] += unit
        room -= tokens
    return [stripped for piece in found if (stripped := piece.strip())]


async def _units(text: str, limit: int, counter: TokenCounter, border: int) -> list[tuple[str, int]]:
    """The text in parts of at most `limit` tokens, each with its tokens, cut at the widest borders that will do."""
    tokens = await counter.count(text)
    if tokens <= limit:
        return [(text, tokens)]
    if border < len(_BORDERS):
        parts = _BORDERS[border].split(text)
    else:
        parts = [text[: len(text) // 2], text[len(text) // 2 :]] if len(text) > 1 else []
    found = []
    for part in parts:
        found += await _units(part, limit, counter, min(border + 1, len(_BORDERS)))
    return found
