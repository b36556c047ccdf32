"""From logged events to frames for a reader that wants the log itself: every event by the name of its type, in the form of `events.encode`.

It has the ways of `framer.Framer`. Nothing is cut, joined or left out, so that a program at the other end has the very same events with
their numbers. The last event comes twice: by name, and as the last frame that every stream has; a failed turn's only as the latter.
"""

from collections.abc import Iterable

from hector_nb.events import LoggedEvent, TurnDone, TurnFailed, TurnReset, encode
from hector_nb.wire.frames import Done, Failed, Frame, Named


class LogFramer:
    """Makes the frames of one reader of one turn's log, from the event after `seq` on. Events up to there may be fed too."""

    def __init__(self, *, seq: int = 0) -> None:
        self._seq = seq
        self.finished = False
        self.joined = 0

    def feed(self, events: Iterable[LoggedEvent]) -> list[Frame]:
        """The frames of these events, in order."""
        frames: list[Frame] = []
        for seq, event in events:
            if seq <= self._seq and not isinstance(event, TurnReset):
                self.finished = self.finished or isinstance(event, TurnDone | TurnFailed)
                continue
            self._seq = seq
            if isinstance(event, TurnDone):
                frames += [Named(seq - 1, 1, event.type, encode(event)), Done(seq, event)]
                self.finished = True
            elif isinstance(event, TurnFailed):
                frames.append(Failed(seq, event))
                self.finished = True
            else:
                frames.append(Named(seq, 0, event.type, encode(event)))
        return frames

    def flush(self) -> list[Frame]:
        """Nothing ever waits."""
        return []
