"""`${VAR}` and `${VAR:-default}` in texts. `$${` stands for a literal `${`."""

import re
from collections.abc import Mapping

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_VARIABLE = re.compile(rf"\$\$\{{|\$\{{({_NAME})(?::-([^}}]*))?\}}|\$\{{[^}}]*\}}?")
_WHOLE = re.compile(rf"\$\{{{_NAME}(?::-[^}}]*)?\}}")


class TextError(ValueError):
    """A text cannot be used; the message says why, without any value."""


def has_variable(text: str) -> bool:
    """Whether something in the text stands for a value of the environment."""
    return any(match[0] != "$${" for match in _VARIABLE.finditer(text))


def is_variable(text: str) -> bool:
    """Whether the whole text is one variable."""
    return _WHOLE.fullmatch(text) is not None


def expand(text: str, environ: Mapping[str, str]) -> str:
    """Fill in the variables; as in a shell, the default stands for a variable that is unset or empty.

    Raises:
        TextError: a variable is not set and has no default, or what is between the braces is no variable.
    """

    def value(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        name, default = match[1], match[2]
        if name is None:
            raise TextError("expected ${NAME} or ${NAME:-default} here; write $${ for a literal ${")
        if default is not None:
            if "${" in default:
                raise TextError(f"a default must be plain text, and that of ${{{name}}} holds another ${{")
            return environ.get(name) or default
        if name not in environ:
            raise TextError(f"the environment variable {name} is not set; set it, or give a default: ${{{name}:-…}}")
        return environ[name]

    return _VARIABLE.sub(value, text)
