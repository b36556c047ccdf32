"""What is wrong with a value, in plain words. No message holds a value of the environment, a key, a token or a password."""

import difflib
import json
import re
from collections.abc import Iterable
from typing import Any

from pydantic_core import ErrorDetails

from hector_nb.config.document import Document, Place
from hector_nb.config.outline import KeyPath, block_at, deeper, known_words, value_at
from hector_nb.config.schema import Config
from hector_nb.config.syntax import plain_value

_AT_MOST = 12
_LOOKED_AT = 200
_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list, such as [one, two]",
    "model_type": "a mapping of keys to values",
    "dict_type": "a mapping of keys to values",
}
_BOUNDS = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def shown_path(path: KeyPath, document: Document) -> str:
    """A key path as people write it: `agents.assistant.tools[0]`. Tokens, which are keys, are hidden."""
    shown = ""
    for length, step in enumerate(path, 1):
        if isinstance(step, int):
            shown += f"[{step}]"
            continue
        place = document.places.get(path[:length])
        name = "***" if path[:2] == ("server", "tokens") and length > 2 else shown_key(place.key if place else step)
        shown += f".{name}" if shown else name
    return shown


def shown_key(key: str) -> str:
    """A key, in quotes where it would not be read as one."""
    key = _cut(key, 64)
    return key if re.fullmatch(r"[\w$:{}*-]+", key) else json.dumps(key, ensure_ascii=False)


def shown_value(value: str, place: Place) -> str:
    """A word of the file in quotes; of a variable only its name."""
    return f"'{_cut((place.written or '') if place.variable else value)}'"


def did_you_mean(word: str | None, known: Iterable[str], *, what: str) -> str:
    """The nearest known name, else some of them; `word` None where it must not be known."""
    known = list(known)[:_LOOKED_AT]
    by_form = {name.lower().replace("-", "_"): name for name in reversed(known)}
    near = difflib.get_close_matches(word.lower().replace("-", "_"), by_form, n=1) if word else []
    if near:
        return f"; did you mean '{_cut(by_form[near[0]], 64)}'?"
    if not known:
        return ""
    shown = ", ".join(_cut(name, 64) for name in known[:_AT_MOST])
    return f"; known {what}: {shown}{', …' if len(known) > _AT_MOST else ''}"


def explain(error: ErrorDetails, path: KeyPath, document: Document) -> str:
    """One error of the schema in words."""
    kind, context = error["type"], error.get("ctx", {})
    value, place = value_at(document.data, path), document.places.get(path, Place(key_line=1, line=1))
    if kind == "missing":
        return "this key is missing" + did_you_mean(None, known_words(path), what="values")
    if kind == "extra_forbidden":
        return _unknown_key(path)
    if kind == "string_pattern_mismatch" and path[-1] == "prefix":
        return "a prefix is at most 32 letters, digits, _ and -"
    if kind == "string_pattern_mismatch":
        return "a name is 1 to 64 letters, digits and " + ("_.-" if path[0] == "agents" else "_-")
    if kind == "finite_number":
        return "must be a finite number"
    if kind in _BOUNDS:
        key, bound = _BOUNDS[kind]
        instead = "" if place.variable else f", not {_cut(place.written or '')}"
        return f"must be {bound} {context[key]:.12g}{instead}"
    if words := known_words(path):
        return _unknown_word(value, place, words)
    if kind == "value_error":
        return _bad_duration(str(context["error"]), value, place)
    return f"expected {_EXPECTED.get(kind, 'something else')}{_instead(value, place, quotes=kind == 'string_type')}"


def _unknown_key(path: KeyPath) -> str:
    block, key = block_at(path[:-1]) or Config, str(path[-1])
    if below := deeper(block, key):
        return f"unknown key; did you mean '{below}'?"
    return "unknown key" + did_you_mean(key, block.model_fields, what="keys")


def _unknown_word(value: Any, place: Place, words: list[str]) -> str:
    if _is_text(value):
        return f"unknown value {shown_value(value, place)}" + did_you_mean(
            None if place.variable else value, words, what="values"
        )
    return f"expected {' or '.join(words)}{_instead(value, place)}"


def _bad_duration(message: str, value: Any, place: Place) -> str:
    if isinstance(value, str):
        return f"{message}, not {shown_value(value, place)}"
    return message + _instead(value, place) if message.startswith("expected") else message


def _instead(value: Any, place: Place, *, quotes: bool = False) -> str:
    """What stands there instead of what was expected."""
    if place.variable:
        return f", which the value of {shown_value('', place)} is not"
    if value is None:
        return ", but nothing stands here" if place.empty else ", but this is null"
    if isinstance(value, bool):
        return f", but in YAML {place.written} means {str(value).lower()}" + ("; put it in quotes" if quotes else "")
    if isinstance(value, int | float):
        what = "has a fraction" if isinstance(value, float) and not value.is_integer() else "is a number"
        return f", but this {what}" + ("; put it in quotes" if quotes else "")
    if isinstance(value, str):
        return ", but this is text" + ("; remove the quotes" if not _is_text(plain_value(value)) else "")
    return ", but this is a list" if isinstance(value, list) else ", but this is a mapping"


def _cut(text: str, at: int = 40) -> str:
    """Short, on one line, and without anything that could play tricks on a terminal."""
    text = text if len(text) <= at else text[:at] + "…"
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
