"""`package.module:name`, from the folder of the configuration file or from what is installed."""

import importlib
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from hector_nb.config.wording import did_you_mean

_importing = threading.Lock()


class ImportPathError(Exception):
    """There is no such function; `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def load(path: str, *, folder: Path) -> Callable[..., Any]:
    """What an import path names.

    A module in `folder` comes before an installed one of the same name, as with a script. Afterwards the folder stays at the end of
    Python's path, for what the module itself imports later.

    Raises:
        ImportPathError: there is no such module or name, the module fails, or it is nothing to call.
    """
    module_name, _, name = path.partition(":")
    found: Any = _module(module_name, folder)
    for step in name.split("."):
        if not hasattr(found, step):
            near = did_you_mean(step, [each for each in dir(found) if not each.startswith("_")], what="names")
            raise ImportPathError(f"{module_name} has no {name!r}{near}.", _shown(found, folder))
        found = getattr(found, step)
    if isinstance(found, type) or not callable(found):
        raise ImportPathError(f"{path} is no function but {type(found).__name__}.", "Name a function (def …).")
    function: Callable[..., Any] = found
    return function


def _module(name: str, folder: Path) -> ModuleType:
    with _importing:
        if name in sys.modules:
            return sys.modules[name]
        sys.path.insert(0, str(folder))
        try:
            importlib.invalidate_caches()
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise ImportPathError(f"{name} needs a module that is not there: {error}.", _install(error)) from error
            hint = f"It is looked for in {folder}, then among what is installed for {sys.executable}."
            raise ImportPathError(f"There is no module {name!r}.", hint) from error
        except (Exception, SystemExit) as error:
            told = f"{type(error).__name__}: {error}".removesuffix(": ")
            raise ImportPathError(f"{name} could not be imported: {told}.", "Correct the module.") from error
        finally:
            sys.path.remove(str(folder))
            if str(folder) not in sys.path:
                sys.path.append(str(folder))


def _install(error: ModuleNotFoundError) -> str:
    return f"Install it for {sys.executable}: pip install {error.name}"


def _shown(found: object, folder: Path) -> str:
    where = getattr(found, "__file__", None)
    return f"The module is {where}." if where else f"It was looked for in {folder} first."
