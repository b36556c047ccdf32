"""Fills the notebook's variables into a prompt.

`{name}`, `{name.attribute}`, `{name[0]}` and `{name["key"]}` (and chains of these) are replaced where `name` is a variable of the
notebook; every other brace stays as it was typed: JSON, code, `{{name}}`, `${name}`. Nothing is evaluated and nothing called, except that
reading an attribute may run a property. Names that begin with `_` cannot be read behind a dot.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from IPython.lib.pretty import pretty

from hector_nb.errors import InvalidRequest

_FIELD = re.compile(
    r"""(?<![{$\\])\{(?P<root>[^\W\d]\w*)(?P<path>(?:\.[^\W\d_]\w*|\[(?:-?\d{1,9}|"[^"\n{}]*"|'[^'\n{}]*')\])*)\}(?!\})"""
)
_STEP = re.compile(r"""\.(?P<name>\w+)|\[(?P<index>-?\d+)\]|\[["'](?P<key>[^\n]*?)["']\]""")
_SECRET = re.compile(
    r"""(?:^|_)(?:password|passwd|passphrase|pwd|secret|credentials?|environ|token|(?:api|access|private|secret|auth|signing)_?key)$""",
    re.IGNORECASE,
)
_SNAKE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

MAX_VALUE = 4000
"""The most characters of one value."""
_HEAD = 5
_ITEMS = 200
"""The most items of one list or dictionary."""
_WIDTH = 100
_BUILT_IN = (dict, list, tuple, set, frozenset)


def interpolate(prompt: str, variables: Mapping[str, Any], *, secrets: bool = False) -> str:
    """The prompt with the notebook's values in it; `secrets` says that it is for something that may hold them, and no model sees it.

    Raises:
        InvalidRequest: a variable has no such attribute, key or index, or its name looks like that of a secret.
    """
    return _FIELD.sub(lambda field: _filled(field, variables, secrets=secrets), prompt)


def _filled(field: re.Match[str], variables: Mapping[str, Any], *, secrets: bool) -> str:
    if field["root"] not in variables:
        return field[0]
    steps = list(_STEP.finditer(field["path"]))
    for name in (field["root"], *(step["name"] or step["key"] or "" for step in steps)):
        if not secrets and _SECRET.search(_SNAKE.sub("_", name)):
            raise InvalidRequest(
                f"{field[0]} looks like a secret and was not sent.",
                hint="Use --raw to send the braces as typed, or give the value a name that does not say secret.",
            )
    value = variables[field["root"]]
    for step in steps:
        try:
            value = _step(value, step)
        except Exception as error:
            raise InvalidRequest(
                f"{field[0]} cannot be filled in: {type(error).__name__}: {error}",
                hint="Use --raw to send the braces as typed.",
            ) from error
    return as_text(value)


def _step(value: Any, step: re.Match[str]) -> Any:
    if step["name"] is not None:
        return getattr(value, step["name"])
    return value[int(step["index"]) if step["index"] is not None else step["key"]]


def as_text(value: Any) -> str:
    """A value as a model should read it, at most about `MAX_VALUE` characters; more than one line is fenced."""
    text = _described(value)
    if len(text) > MAX_VALUE:
        text = f"{text[:MAX_VALUE]}\n… ({len(text):,} characters in all)"
    if "\n" not in text or isinstance(value, str):
        return text
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"\n{fence}\n{text}\n{fence}\n"


def _described(value: Any) -> str:
    if (own := _said_by(value, "_repr_llm_", "_ai_repr_")) is not None:
        return own
    if isinstance(value, str):
        return value
    if _own_method(value, "head") and hasattr(value, "shape") and (hasattr(value, "dtypes") or hasattr(value, "dtype")):
        return _table(value)
    if (own := _said_by(value, "_repr_markdown_")) is not None:
        return own
    if isinstance(value, _BUILT_IN):
        return str(pretty(value, max_width=_WIDTH, max_seq_length=_ITEMS))  # type: ignore[no-untyped-call]
    return repr(value)


def _said_by(value: Any, *names: str) -> str | None:
    """What the value says of itself by one of these methods; one that fails or has nothing to say does not count."""
    for name in names:
        if (own := _own_method(value, name)) is not None:
            with suppress(Exception):
                said = own()
                said = said[0] if isinstance(said, tuple) else said
                if said is not None:
                    return str(said)
    return None


def _own_method(value: Any, name: str) -> Callable[[], Any] | None:
    """A method of the value's class: objects that answer to every name do not count."""
    method = getattr(value, name, None) if hasattr(type(value), name) else None
    return method if callable(method) and not isinstance(value, type) else None


def _table(value: Any) -> str:
    """A data frame or a series: its shape, its columns with their types, its first rows."""
    shape = " × ".join(f"{size:,}" for size in value.shape)
    if not hasattr(value, "columns"):
        return f"{type(value).__name__}, {shape}, {value.dtype}\n{value.head(_HEAD)}"
    head = value.head(_HEAD)
    rows = head.to_string() if hasattr(head, "to_string") else str(head)
    columns = ", ".join(f"{name} ({kind})" for name, kind in zip(list(value.columns), list(value.dtypes), strict=False))
    cut = columns if len(columns) <= MAX_VALUE // 2 else f"{columns[: MAX_VALUE // 2]}…"
    return f"{type(value).__name__}, {shape}\nColumns: {cut}\nFirst rows:\n{rows}"
