"""The state of a chat as data, and the recorder of what changes in it: the kernel's side of `jupyter_extension/src/protocol.ts`.

A path names members and places in lists. `set` puts a value, `add` adds text to a string, `push` adds an item to a list, `cut` shortens
a list or removes a member. What was recorded goes out in numbered messages; a snapshot contains all messages up to its number, so that a
front end that has it leaves out those that it gets again. Everything here may be called from any thread.
"""

import math
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from hector_nb.wire.codec import without_surrogates

PROTOCOL: Final = 1
"""Version of the protocol."""

Path: TypeAlias = Sequence[str | int]
State: TypeAlias = dict[str, Any]

NO_WELCOME: Final[Mapping[str, Any]] = {"prompts": [], "memories": 0, "sessions": 0}


class Recorder:
    """A state and what changed in it since the last message."""

    def __init__(self, state: Mapping[str, Any]) -> None:
        self._lock = threading.RLock()
        self._state: State = cleaned(state)
        self._pending: list[list[Any]] = []
        self._sealed: list[dict[str, Any]] = []
        self._n = 0

    def get(self, *path: str | int) -> Any:
        """A copy of what stands at a place; the whole state without one."""
        with self._lock:
            return cleaned(_at(self._state, path))

    def size(self, *path: str | int) -> int:
        """The length of a list."""
        with self._lock:
            return len(_at(self._state, path))

    def find(self, name: str, value: object, *path: str | int) -> int | None:
        """The place of the last item of a list whose member `name` has this value."""
        with self._lock:
            items = _at(self._state, path)
            return next((place for place in reversed(range(len(items))) if items[place].get(name) == value), None)

    def set(self, path: Path, value: object) -> None:
        """Put a value; nothing is recorded where it stands there already."""
        with self._lock:
            value = cleaned(value)
            *above, last = path
            place = _at(self._state, above)
            if (last in place if isinstance(place, dict) else True) and place[last] == value:
                return
            apply(self._state, ["set", list(path), value])
            if self._pending and self._pending[-1][:2] == ["set", list(path)]:
                self._pending.pop()
            self._pending.append(["set", list(path), cleaned(value)])

    def add(self, path: Path, text: str) -> None:
        """Add text to a string."""
        with self._lock:
            text = without_surrogates(text)
            apply(self._state, ["add", path, text])
            if self._pending and self._pending[-1][:2] == ["add", list(path)]:
                self._pending[-1][2] += text
            else:
                self._pending.append(["add", list(path), text])

    def push(self, path: Path, value: object) -> None:
        """Add an item to a list."""
        with self._lock:
            apply(self._state, ["push", path, cleaned(value)])
            self._pending.append(["push", list(path), cleaned(value)])

    def cut(self, path: Path, length: int) -> None:
        """Shorten a list to this length."""
        with self._lock:
            if len(_at(self._state, path)) > length:
                apply(self._state, ["cut", path, length])
                self._pending.append(["cut", list(path), length])

    @property
    def changed(self) -> bool:
        """Whether there is anything to send."""
        return bool(self._pending or self._sealed)

    @property
    def only_text(self) -> bool:
        """Whether nothing but text was added since the last message."""
        with self._lock:
            return not self._sealed and all(op[0] == "add" for op in self._pending)

    def take(self) -> list[dict[str, Any]]:
        """The messages to be sent, in their order."""
        with self._lock:
            self._seal()
            sealed, self._sealed = self._sealed, []
            return sealed

    def snapshot(self) -> dict[str, Any]:
        """The whole state, and the number of the last message that is contained in it."""
        with self._lock:
            self._seal()
            return {"protocol": PROTOCOL, "n": self._n, "now": time.time(), "state": cleaned(self._state)}

    def _seal(self) -> None:
        if self._pending:
            self._n += 1
            self._sealed.append({"t": "ops", "n": self._n, "ops": self._pending})
            self._pending = []


def empty_state() -> State:
    """The state of a chat before anything is known."""
    return {
        "agent": None,
        "session": None,
        "turns": [],
        "more": False,
        "queue": [],
        "meter": None,
        "window": None,
        "problem": None,
        "welcome": NO_WELCOME,
    }


def apply(state: State, op: Sequence[Any]) -> None:
    """Change a state as an op says."""
    kind, path, *value = op
    *above, last = path
    place = _at(state, above)
    match kind:
        case "set":
            place[last] = value[0]
        case "add":
            place[last] += value[0]
        case "push":
            place[last].append(value[0])
        case "cut" if value:
            del place[last][value[0] :]
        case "cut":
            del place[last]


def cleaned(value: Any) -> Any:
    """A copy that JSON and UTF-8 can hold."""
    if isinstance(value, str):
        return without_surrogates(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {without_surrogates(str(key)): cleaned(each) for key, each in value.items()}
    if isinstance(value, Sequence):
        return [cleaned(each) for each in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)


def _at(state: Any, path: Path) -> Any:
    for step in path:
        state = state[step]
    return state
