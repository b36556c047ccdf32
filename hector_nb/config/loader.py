"""Finds the configuration, reads it, and says everything that is wrong with it at once.

The order: a file that is named, `$HECTOR_CONFIG`, `hector.yaml` in the working directory or the nearest parent that has one, the
user's own. Without any there is one agent, `assistant`, with every default. `ConfigError.problems` has one line a problem:
`hector.yaml:7: agents.assistant.memory.working.strategy: unknown value 'sumary_buffer'; did you mean 'summary_buffer'?`.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hector_nb.config.document import Document, Finding, read_document
from hector_nb.config.home import user_config_file
from hector_nb.config.schema import AgentConfig, Config
from hector_nb.config.syntax import DocumentError
from hector_nb.config.trust import is_trusted, needs_trust, refusal
from hector_nb.config.validation import ENOUGH, validate
from hector_nb.config.variables import TextError, expand, has_variable
from hector_nb.config.wording import shown_path
from hector_nb.errors import ConfigError

FILE_NAME = "hector.yaml"
DEFAULT_AGENT = "assistant"
MAX_BYTES = 256 * 1024
"""The largest file."""
_HOST_AND_PORT = re.compile(r"[\w.-]+:\d{1,5}")


@dataclass(frozen=True, kw_only=True)
class LoadedConfig:
    """A configuration and where it came from.

    `path` is None where there is no file. `named`: somebody chose this file, it was not just found. `folder` is the file's, else
    the working directory: tools work there, and relative paths of the file start there.
    """

    config: Config
    path: Path | None
    named: bool
    folder: Path

    def resolve(self, path: str) -> Path:
        """A path of the file (`~` is the user's home), absolute."""
        return (self.folder / os.path.expanduser(path)).absolute()  # noqa: PTH111 -- `~nobody` is a name like any other


def load_config(
    explicit: str | Path | None = None, *, environ: Mapping[str, str] | None = None, cwd: Path | None = None
) -> LoadedConfig:
    """Load the configuration that applies here.

    Args:
        explicit: the file to use, for example from `--config`.
        environ: the environment; default: this process's.
        cwd: where to search; default: the working directory.

    Raises:
        ConfigError: the file cannot be used; `problems` has every reason.
    """
    environ = os.environ if environ is None else environ
    cwd = cwd.absolute() if cwd else _working_directory()
    path, named = _find(explicit, environ, cwd)
    if path is None:
        return LoadedConfig(config=_with_agent(Config()), path=None, named=False, folder=cwd)
    config = _read(path, _shown_name(path, cwd), named=named, environ=environ)
    return LoadedConfig(config=_with_agent(config), path=path, named=named, folder=path.parent)


def find_config(explicit: str | Path | None = None) -> Path | None:
    """The file that `load_config` would read; None: there is none.

    Raises:
        ConfigError: the file that is named is not there.
    """
    return _find(explicit, os.environ, _working_directory())[0]


def wants_trust(loaded: LoadedConfig) -> bool:
    """Whether a file that was named is refused where it is only found, as long as nobody says that it is trusted."""
    if loaded.path is None or loaded.path.name != FILE_NAME or not loaded.named:
        return False
    try:
        _read(loaded.path, FILE_NAME, named=False, environ=os.environ)
    except ConfigError:
        return True
    return False


def _working_directory() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise ConfigError("The working directory is gone.", hint="Change to a folder that exists.") from error


def _find(explicit: str | Path | None, environ: Mapping[str, str], cwd: Path) -> tuple[Path | None, bool]:
    """The file, and whether somebody named it."""
    name = explicit or environ.get("HECTOR_CONFIG")
    if name:
        return cwd / os.path.expanduser(name), True  # noqa: PTH111 -- `~nobody` is a name like any other
    users = user_config_file()
    for folder in (cwd, *cwd.parents):
        if os.path.isfile(folder / FILE_NAME):  # noqa: PTH113 -- a folder that may not be read has no file for us
            return folder / FILE_NAME, folder / FILE_NAME == users
    if os.path.isfile(users):  # noqa: PTH113
        return users, True
    return None, False


def _read(path: Path, name: str, *, named: bool, environ: Mapping[str, str]) -> Config:
    content = _content(path, name)
    trusted = named or is_trusted(path, content, environ=environ)
    filled = partial(expand, environ=environ) if trusted else partial(_refuse_variables, path=path)
    document = _document(_text(content, name), name, filled)
    config, findings = validate(document)
    if not trusted:
        findings += needs_trust(config, path)
    if findings:
        raise ConfigError(problems=_problems(findings, document, name))
    return config


def _content(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        problem = "there is no such file"
        if _HOST_AND_PORT.fullmatch(path.name):
            problem += f"; if it is a server, its address is http://{path.name}"
    except IsADirectoryError:
        problem = "this is a folder, not a file"
    except (OSError, ValueError) as error:
        problem = f"cannot be read: {getattr(error, 'strerror', None) or error}"
    else:
        if len(content) <= MAX_BYTES:
            return content
        problem = f"the file is larger than {MAX_BYTES // 1024} KiB"
    raise ConfigError(problems=[f"{name}: {problem}"])


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
    raise ConfigError(problems=[f"{name}:{line}: this is not UTF-8 text; save the file as UTF-8"])


def _document(text: str, name: str, filled: Callable[[str], str]) -> Document:
    try:
        return read_document(text, filled)
    except DocumentError as error:
        problem = f"{name}:{error.line}: {error}"
    raise ConfigError(problems=[problem])


def _refuse_variables(text: str, *, path: Path) -> str:
    if has_variable(text):
        raise TextError(refusal("a ${VARIABLE}", path))
    return expand(text, {})


def _problems(findings: list[Finding], document: Document, name: str) -> list[str]:
    """One line a problem, in the order of the file."""
    found = sorted(
        (_line(finding, document), shown_path(finding.path, document), finding.message) for finding in findings
    )
    problems = [
        f"{name}:{line}: {where}: {message}" if where else f"{name}:{line}: {message}" for line, where, message in found
    ]
    if len(problems) > ENOUGH:
        problems[ENOUGH:] = [f"{name}: and more problems"]
    return problems


def _line(finding: Finding, document: Document) -> int:
    """The line of the value, of the key, or of the nearest block that stands in the file."""
    if finding.line is not None:
        return finding.line
    place = document.places.get(finding.path)
    if place:
        return place.key_line if finding.on_key else place.line
    path = finding.path
    while path not in document.places:
        path = path[:-1]
    return document.places[path].key_line


def _shown_name(path: Path, cwd: Path) -> str:
    """As people would write it from where they are."""
    return str(path.relative_to(cwd)) if path.is_relative_to(cwd) else str(path)


def _with_agent(config: Config) -> Config:
    """There is always an agent."""
    return config if config.agents else config.model_copy(update={"agents": {DEFAULT_AGENT: AgentConfig()}})
