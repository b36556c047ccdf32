"""What the schema wants at a key path: which block, which known words. For the errors, and for values that are left empty."""

import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel

from hector_nb.config.schema import Config

KeyPath: TypeAlias = tuple[str | int, ...]


def wanted(path: KeyPath) -> Any:
    """The type of the value at a key path, without what may be absent; None where the schema knows no such key."""
    here: Any = Config
    for step in path:
        if isinstance(here, type) and issubclass(here, BaseModel):
            field = here.model_fields.get(str(step))
            here = field.annotation if field else None
        elif get_origin(here) in {dict, tuple}:
            here = get_args(here)[1 if get_origin(here) is dict else 0]
        else:
            return None
        here = _bare(here)
    return here


def block_at(path: KeyPath) -> type[BaseModel] | None:
    """The block at a key path."""
    here = wanted(path)
    return here if isinstance(here, type) and issubclass(here, BaseModel) else None


def empty_at(path: KeyPath) -> dict[str, Any] | list[Any] | None:
    """What an empty value at a key path means: an empty block, an empty list, or nothing."""
    if block_at(path) or get_origin(wanted(path)) is dict:
        return {}
    return [] if get_origin(wanted(path)) is tuple else None


def known_words(path: KeyPath) -> list[str]:
    """The words that a value may be, `true` and `false` among them; empty where any text will do."""
    return list(_words(wanted(path)))


def deeper(block: type[BaseModel], key: str) -> str | None:
    """Where below a block a key stands that was written one level or more too high: `show_thinking` → `reasoning.show_thinking`."""
    for name, field in block.model_fields.items():
        inner = _bare(field.annotation)
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            if key in inner.model_fields:
                return f"{name}.{key}"
            if found := deeper(inner, key):
                return f"{name}.{found}"
    return None


def value_at(data: Any, path: KeyPath) -> Any:
    """The value at a key path; None where there is none."""
    for step in path:
        if isinstance(data, Mapping):
            data = data.get(step)
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return None
    return data


def _bare(annotation: Any) -> Any:
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in {Union, types.UnionType}:
        choices = [choice for choice in get_args(annotation) if choice is not type(None)]
        return _bare(choices[0]) if len(choices) == 1 else Union[tuple(choices)]  # noqa: UP007 -- built at run time
    return annotation


def _words(annotation: Any) -> Iterator[str]:
    if annotation is bool:
        yield from ("true", "false")
    elif get_origin(annotation) is Literal:
        yield from get_args(annotation)
    elif get_origin(annotation) in {Union, types.UnionType}:
        for choice in get_args(annotation):
            yield from _words(choice)
