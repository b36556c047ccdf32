"""A YAML text as plain data that remembers, for each key path, where it stands in the file.

PyYAML parses; this module adds what a good error needs (lines, the text as it was written), environment variables, the merging of
a repeated top-level `agents:`, and bounds, so that no file takes long to read. Keys are texts as they are written: `yes:` is the key
`yes`, `007:` the key `007`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from hector_nb.config.outline import KeyPath
from hector_nb.config.syntax import MAX_DEPTH, TAG, DocumentError, compose, line_of, scalar_value
from hector_nb.config.variables import TextError, has_variable, is_variable

MAX_VALUES = 20_000
"""Values in one file, counted after aliases are resolved."""
_NOTHING = object()
_UNUSABLE = re.compile("[\\x00\\ud800-\\udfff]")
_FOREIGN_TAG = "this is no text, number or truth value; put text that begins with `!` in quotes"
_NO_NUMBER = "this number cannot be read"


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a key and its value stand: lines from 1.

    `written` is the source of a scalar, `key` that of its key. `variable` says that a value of the environment is in it; `plain`
    that it is the whole unquoted scalar, and may therefore be a number or a truth value. `empty`: there is no value at all.
    """

    key_line: int
    line: int
    key: str = ""
    written: str | None = None
    variable: bool = False
    plain: bool = False
    empty: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something wrong at a key path. `line` where it is known already; `on_key`: it is the key, not the value."""

    path: KeyPath
    message: str
    line: int | None = None
    on_key: bool = False
    unless: tuple[KeyPath, ...] = ()
    """Other key paths that explain this finding away where they are wrong themselves."""


@dataclass(kw_only=True, slots=True)
class Document:
    """The data of one file; `findings` is what was wrong, and the paths of `broken` have stand-ins or no value."""

    data: Any = None
    places: dict[KeyPath, Place] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    broken: set[KeyPath] = field(default_factory=set)


def read_document(text: str, expand: Callable[[str], str]) -> Document:
    """Parse a file; `expand` fills in the variables of one scalar.

    Raises:
        DocumentError: the text is not YAML, or not one mapping.
    """
    root = compose(text)
    if root is None or (isinstance(root, ScalarNode) and root.tag == TAG + "null"):
        return Document(data={}, places={(): Place(key_line=1, line=1)})
    if not isinstance(root, MappingNode):
        raise DocumentError(line_of(root), "a configuration is a mapping of keys to values, such as `agents:`")
    return _Reader(expand).read(root)


class _Reader:
    """Nodes to data, once per file."""

    def __init__(self, expand: Callable[[str], str]) -> None:
        self._expand = expand
        self._document = Document()
        self._values = 0
        self._reported: set[int] = set()
        self._expanded: dict[int, str] = {}

    def read(self, root: MappingNode) -> Document:
        root = _with_agents_joined(root)
        self._document.places[()] = Place(key_line=1, line=line_of(root))
        self._document.data = self._value(root, ())
        return self._document

    def _value(self, node: Node, path: KeyPath) -> Any:
        self._count(node)
        if len(path) > MAX_DEPTH:
            raise DocumentError(line_of(node), "an alias (*) leads back into itself")
        if isinstance(node, MappingNode) and node.tag == TAG + "map":
            return self._mapping(node, path)
        if isinstance(node, SequenceNode) and node.tag == TAG + "seq":
            return self._sequence(node, path)
        if isinstance(node, ScalarNode):
            return self._scalar_value(node, path)
        return self._wrong(node, path, _FOREIGN_TAG)

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        data = {}
        for name, (key, child) in self._pairs(node, path).items():
            here = (*path, name)
            self._place(here, child, key)
            value = self._value(child, here)
            if value is not _NOTHING:
                data[name] = value
        return data

    def _sequence(self, node: SequenceNode, path: KeyPath) -> list[Any]:
        data = []
        for index, child in enumerate(node.value):
            here = (*path, index)
            self._place(here, child)
            value = self._value(child, here)
            data.append("" if value is _NOTHING else value)
        return data

    def _pairs(self, node: MappingNode, path: KeyPath, depth: int = 0) -> dict[str, tuple[Node, Node]]:
        """The keys of a mapping, those that `<<` brings last."""
        if depth > MAX_DEPTH:
            raise DocumentError(line_of(node), "a merge (<<) leads back into itself")
        own: dict[str, tuple[Node, Node]] = {}
        merged: list[Node] = []
        for key, value in node.value:
            self._count(key)
            name = self._key(key, path)
            if name is None:
                continue
            if name in own:
                self._repeated(key, own[name][0], (*path, name))
            else:
                own[name] = (key, value)
                if key.tag == TAG + "merge":
                    merged += value.value if isinstance(value, SequenceNode) else [value]
        own = {name: pair for name, pair in own.items() if pair[0].tag != TAG + "merge"}
        for source in merged:
            if isinstance(source, MappingNode):
                own = {**self._pairs(source, path, depth + 1), **own}
            else:
                self._report(source, path, "a merge (<<) takes a mapping, or a list of mappings")
        return own

    def _key(self, node: Node, path: KeyPath) -> str | None:
        if not isinstance(node, ScalarNode) or not node.tag.startswith(TAG):
            self._report(node, path, "a key must be plain text")
            return None
        try:
            return self._text(node)
        except TextError as error:
            self._report(node, path, str(error))
            return None

    def _scalar_value(self, node: ScalarNode, path: KeyPath) -> Any:
        try:
            return self._text(node) if node.tag == TAG + "str" else scalar_value(node)
        except TextError as error:
            return self._wrong(node, path, str(error))
        except ValueError:
            return self._wrong(node, path, _NO_NUMBER if node.tag in {TAG + "int", TAG + "float"} else _FOREIGN_TAG)

    def _text(self, node: ScalarNode) -> str:
        if id(node) not in self._expanded:
            text = self._expand(node.value)
            if _UNUSABLE.search(text):
                raise TextError("this text holds a NUL or half a character (a lone surrogate)")
            self._expanded[id(node)] = text
        return self._expanded[id(node)]

    def _place(self, path: KeyPath, node: Node, key: Node | None = None) -> None:
        place = Place(
            key_line=line_of(key or node), line=line_of(node), key=key.value if isinstance(key, ScalarNode) else ""
        )
        if isinstance(node, ScalarNode):
            variable = node.tag == TAG + "str" and has_variable(node.value)
            place = replace(
                place,
                written=node.value,
                variable=variable,
                plain=variable and node.style is None and is_variable(node.value),
                empty=node.tag == TAG + "null" and not node.value,
            )
        self._document.places[path] = place

    def _wrong(self, node: Node, path: KeyPath, message: str) -> Any:
        self._document.broken.add(path)
        self._report(node, path, message)
        return _NOTHING

    def _repeated(self, key: Node, first: Node, path: KeyPath) -> None:
        self._report(key, path, f"this key is repeated; it stands first in line {line_of(first)}")

    def _report(self, node: Node, path: KeyPath, message: str) -> None:
        """Once per node, however many aliases lead to it."""
        if id(node) not in self._reported:
            self._reported.add(id(node))
            self._document.findings.append(Finding(path=path, message=message, line=line_of(node)))

    def _count(self, node: Node) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            raise DocumentError(
                line_of(node), f"the file holds more than {MAX_VALUES} values (aliases count each time)"
            )


def _is_mapping_or_empty(node: Node) -> bool:
    return node.tag == TAG + "map" or (node.tag == TAG + "null" and not node.value)


def _with_agents_joined(root: MappingNode) -> MappingNode:
    """A second top-level `agents:` goes on with the first."""
    pairs: list[tuple[Node, Node]] = []
    agents: MappingNode | None = None
    for key, value in root.value:
        if isinstance(key, ScalarNode) and key.value == "agents" and _is_mapping_or_empty(value):
            named = value.value if isinstance(value, MappingNode) else []
            if agents is not None:
                agents.value.extend(named)
                continue
            agents = value = MappingNode(TAG + "map", list(named), value.start_mark, value.end_mark)
        pairs.append((key, value))
    return MappingNode(root.tag, pairs, root.start_mark, root.end_mark)
