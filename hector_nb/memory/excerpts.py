"""Summaries made of the conversation's own sentences, for models that are too small to write one.

The embedded model, asked for a summary with any of a dozen prompts, invents: it made a cook of somebody who is allergic to peanuts. So
for it the sentences that tell most are kept as they were said: statements before questions, the user's before the assistant's, those with
names and numbers before those without. Takes milliseconds.
"""

import asyncio
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hector_nb.errors import ModelError
from hector_nb.memories import Summary
from hector_nb.memory.base import TokenCounter
from hector_nb.memory.texts import cut
from hector_nb.memory.transcript_text import lines
from hector_nb.messages import Message

_SPEAKER = re.compile(r"(?:- )?(User|Assistant|Assistant calls|Result of|Error of)(: | )")
_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_SENTENCES = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")
_WORD = re.compile(r"[^\W_]+(?:['’]\w+)?")
_NUMBER = re.compile(r"\d+")
_SELF = re.compile(r"\b(?:my|our|i|i'm|we|mine)\b", re.IGNORECASE)
_QUESTION = re.compile(r"[?？]\s*\Z")
_ENDS = ".!?。！？"
_LONGEST_SENTENCE = 240
"""Characters."""
_CANDIDATES = 300
"""Sentences from which the summary is filled."""
_FEW_WORDS = 3
_LEAST_WORTH = 1.5
"""What tells no more is left out, also where there is room: one name alone is mostly a greeting."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sentence:
    place: int
    speaker: str
    text: str

    @property
    def worth(self) -> float:
        """How much it tells."""
        users = self.speaker == "User"
        words = _WORD.findall(self.text)
        names = {word for word in words[1:] if word[0].isupper() and word[1:2].isalnum()}
        numbers = _NUMBER.findall(self.text)
        worth = 3 * users + 1.5 * min(3, len(names)) + 2 * min(3, len(numbers))
        if _QUESTION.search(self.text):
            worth -= 3
        elif users and _SELF.search(self.text):
            worth += 3
        if len(words) <= _FEW_WORDS and not numbers:
            worth -= 4
        return worth


class Excerpts:
    """Keeps the sentences that tell most, in their order.

    Args:
        counter: Counts as the agent does.
        max_tokens: The longest summary.
    """

    model = "excerpts"

    def __init__(self, *, counter: TokenCounter, max_tokens: int) -> None:
        self.max_tokens = max_tokens
        self._counter = counter

    async def summarize(self, previous: Summary | None, messages: Sequence[Message]) -> str:
        """See `Summarizer`."""
        best = await asyncio.to_thread(_best, previous, messages)
        if not best:
            raise ModelError("There is nothing to summarize.")
        kept: list[_Sentence] = []
        left = self.max_tokens
        for sentence in best:
            tokens = await self._counter.count(f"- {sentence.speaker}: {sentence.text}\n")
            if tokens <= left and (sentence.worth > _LEAST_WORTH or not kept):
                kept.append(sentence)
                left -= tokens
        text = "\n".join(_joined(sorted(kept, key=lambda each: each.place)))
        return await cut(self._counter, text or best[0].text, self.max_tokens)

    async def aclose(self) -> None:
        """Nothing is held."""


def _best(previous: Summary | None, messages: Sequence[Message]) -> list[_Sentence]:
    """The sentences that tell most, before others those that were said later."""
    told = [*(previous.text.splitlines() if previous else ()), *lines(messages)]
    return sorted(_sentences(told), key=lambda each: (-each.worth, -each.place))[:_CANDIDATES]


def _sentences(told: Iterable[str]) -> Iterator[_Sentence]:
    """Every sentence once, the last time it was said."""
    found: dict[str, _Sentence] = {}
    speaker = "User"
    for line in told:
        start = _SPEAKER.match(line)
        if start:
            speaker = start[1] if start[2] == ": " else "Tool"
        if speaker == "Tool":
            parts = [line.removeprefix("- ")]
        else:
            parts = _SENTENCES.split(_CODE.sub(" ", line[start.end() :] if start else line))
        for part in parts:
            text = " ".join(part.split())[:_LONGEST_SENTENCE]
            if text:
                key = text.casefold().rstrip(".:;!")
                found.pop(key, None)
                found[key] = _Sentence(place=0, speaker=speaker, text=text if text[-1] in _ENDS else f"{text}.")
    for place, sentence in enumerate(found.values()):
        yield _Sentence(place=place, speaker=sentence.speaker, text=sentence.text)


def _joined(sentences: Sequence[_Sentence]) -> Iterator[str]:
    """One line for what one speaker said in a row."""
    line, speaker = "", ""
    for sentence in sentences:
        if line and sentence.speaker == speaker:
            line += f" {sentence.text}"
            continue
        if line:
            yield line
        speaker = sentence.speaker
        line = f"- {sentence.text}" if speaker == "Tool" else f"- {speaker}: {sentence.text}"
    if line:
        yield line
