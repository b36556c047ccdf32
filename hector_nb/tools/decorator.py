"""`@hector_nb.tool`: a function becomes something that agents can do.

Applied in a notebook (or a script: in the module `__main__`), it offers the function to every agent that is talked to from this process,
and to nobody else, for as long as the function exists: running the cell again replaces it, `del` takes it back. Applied in a module of
its own it only notes name, description and limits for `type: function` in the configuration.

`import hector_nb` loads this module, so it needs next to nothing itself.
"""

import sys
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, overload
from weakref import WeakKeyDictionary, WeakValueDictionary

if TYPE_CHECKING:
    from hector_nb.tools.base import RequireApproval
    from hector_nb.tools.signature import Signature

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "__hector_tool__"
_LONGEST_NAME = 64
_offered: "WeakValueDictionary[str, FunctionType]" = WeakValueDictionary()
_signatures: "WeakKeyDictionary[FunctionType, Signature]" = WeakKeyDictionary()


class ToolMark(NamedTuple):
    """What was said of a function when it was made a tool."""

    name: str
    description: str | None = None
    require_approval: "RequireApproval" = "never"
    timeout: float | None = None


@overload
def tool(function: F, /) -> F: ...
@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    require_approval: "RequireApproval" = "never",
    timeout: float | None = None,
) -> Callable[[F], F]: ...


def tool(
    function: Any = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    require_approval: "RequireApproval" = "never",
    timeout: float | None = None,
) -> Any:
    """Make a function a tool: `@tool`, or `@tool(name=…, require_approval="always")`. The function itself stays as it is.

    The model is told its name, its docstring, and its parameters with their type hints.

    Args:
        function: The function, sync or async.
        name: What the model calls it; None: the function's name.
        description: What the model is told of it; None: the docstring without its sections.
        require_approval: Whether a person is asked before each call: `always` or `never`; for a function `rules` is as `always`.
        timeout: The longest that a call may take, in seconds; None: as long as it takes in a notebook, a minute elsewhere.

    Raises:
        TypeError: it is no plain function, or a parameter's type cannot be told to a model.
        ValueError: the name or a setting is none.
    """
    in_notebook = sys._getframe(1).f_globals.get("__name__") == "__main__"

    def mark(function: F) -> F:
        if not isinstance(function, FunctionType):
            raise TypeError(f"A tool is a function (def …), not {type(function).__name__}.")
        said = ToolMark(name or function.__name__, description, require_approval, timeout)
        _check(said)
        setattr(function, _MARK, said)
        if in_notebook:
            _offer(said.name, function)
        return function

    return mark if function is None else mark(function)


def mark_of(function: object) -> ToolMark | None:
    """What `tool` said of a function; None if it said nothing."""
    found = getattr(function, _MARK, None)
    return found if isinstance(found, ToolMark) else None


def offered() -> "list[tuple[FunctionType, ToolMark, Signature]]":
    """The functions that the notebook of this process offers now."""
    return [(each, getattr(each, _MARK), _signatures[each]) for each in list(_offered.values())]


def _offer(name: str, function: FunctionType) -> None:
    """Offer it, once it is known that a model can be told of it."""
    from hector_nb.tools.signature import Signature

    _signatures[function] = Signature(function)
    _offered[name] = function


def _check(said: ToolMark) -> None:
    plain = said.name.replace("-", "_")
    if not (plain.isascii() and plain.replace("_", "a").isalnum() and len(plain) <= _LONGEST_NAME):
        raise ValueError(f"A tool's name has letters, digits, _ and - (at most {_LONGEST_NAME}), not {said.name!r}.")
    if said.require_approval not in ("always", "never", "rules"):
        raise ValueError(f"require_approval is 'always', 'never' or 'rules', not {said.require_approval!r}.")
    if said.timeout is not None and not (isinstance(said.timeout, int | float) and said.timeout > 0):
        raise ValueError(f"timeout is a number of seconds, not {said.timeout!r}.")
