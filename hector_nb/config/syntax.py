"""YAML text to PyYAML's nodes, scalars to values, and the parser's errors in plain words.

Nothing here repeats a word of the file: it may be a secret.
"""

from typing import Any

import yaml
from yaml.constructor import SafeConstructor
from yaml.nodes import Node, ScalarNode

MAX_DEPTH = 40
"""How deep blocks and lists may be nested."""
TAG = "tag:yaml.org,2002:"


class DocumentError(Exception):
    """The text cannot be read at all, because of something in this line (from 1)."""

    def __init__(self, line: int, message: str) -> None:
        self.line = line
        super().__init__(message)


def compose(text: str) -> Node | None:
    """The nodes of the one document of a file; None where it is empty.

    Raises:
        DocumentError: the text is not YAML.
    """
    try:
        return _Loader(text).get_single_node()
    except yaml.reader.ReaderError as error:
        explained = DocumentError(text.count("\n", 0, error.position) + 1, "this line holds a control character")
    except yaml.MarkedYAMLError as error:
        explained = _explained(error, text)
    raise explained


def scalar_value(node: ScalarNode) -> Any:
    """A scalar by its tag.

    Raises:
        ValueError: it has a tag of another kind, or is not what its tag says.
    """
    constructor = SafeConstructor()
    try:
        match node.tag.removeprefix(TAG):
            case "str":
                return node.value
            case "null":
                return None
            case "bool":
                return constructor.construct_yaml_bool(node)
            case "int":
                return constructor.construct_yaml_int(node)
            case "float":
                return constructor.construct_yaml_float(node)
    except (LookupError, OverflowError) as error:
        raise ValueError(node.tag) from error
    raise ValueError(node.tag)


def plain_value(text: str) -> Any:
    """What an unquoted scalar means in YAML: a number, a truth value, or itself."""
    tag = _Loader("").resolve(ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    node = ScalarNode(tag, text)
    try:
        return scalar_value(node)
    except ValueError:
        return text


def line_of(node: Node) -> int:
    """Where a node begins, from 1."""
    return int(node.start_mark.line) + 1


class _Loader(yaml.SafeLoader):
    """Composes nodes, to a bounded depth."""

    depth = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise DocumentError(int(parent.start_mark.line) + 1 if parent else 1, "the nesting is too deep")
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


# Dates stay texts, and a lone `=` is one.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in {TAG + "timestamp", TAG + "value"}]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


_PLAIN_WORDS = (
    ("mapping values are not allowed", "a `:` is not allowed here: check the indentation, or put the text in quotes"),
    ("expected <block end>", "the indentation does not fit the lines above, or a `,` or quote is missing"),
    ("found character '\\t'", "a tab cannot indent; use spaces"),
    ("found character", "text that begins with this character must be in quotes"),
    ("could not find expected ':'", "a key must be followed by a `:` and a space"),
    ("expected the node content", "a value is missing, or a `[`, a `{` or a quote is never closed"),
    ("found unexpected end of stream", "a quote is never closed"),
    (
        "found undefined alias",
        "text that begins with `*` must be in quotes, unless an anchor (&) of that name stands above",
    ),
    ("second occurrence", "this anchor (&) stands above already"),
    ("but found another document", "a second document begins here; a file holds one"),
    ("expected ',' or ']'", "this list is not closed, or a `,` is missing"),
    ("expected ',' or '}'", "this mapping is not closed, or a `,` is missing"),
)


def _explained(error: yaml.MarkedYAMLError, text: str) -> DocumentError:
    """The parser's error in plain words, and without a word of the file: it may be a secret."""
    problem = error.problem or error.context or ""
    words = next((words for start, words in _PLAIN_WORDS if problem.startswith(start)), problem.split("'")[0].strip())
    mark = error.problem_mark or error.context_mark
    if "closed" in words and error.context_mark:
        mark = error.context_mark
    line = mark.line + 1 if mark else 1
    if "closed" in words and "${" in text.split("\n")[line - 1]:
        words += "; inside [ ] and { }, put ${…} in quotes"
    return DocumentError(line, f"this is not YAML: {words}")
