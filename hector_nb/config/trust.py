"""Files that nobody named: a `hector.yaml` that lies in the working directory or above it came perhaps with a cloned folder.

Such a file must not run code or send secrets away, so what could do that is used only after `hector trust FILE`. Trust holds for
one path and one content (SHA-256) and is kept in `trusted.json` in the home folder.
"""

import hashlib
import json
import os
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from hector_nb.config.document import Finding
from hector_nb.config.home import home_folder, home_path
from hector_nb.config.outline import KeyPath
from hector_nb.config.schema import Config
from hector_nb.errors import ConfigError

_FILE = "trusted.json"
_LOOSE = ("never", "rules")


def trust(path: str | Path, *, environ: Mapping[str, str] | None = None) -> str:
    """Trust a file as it is now; its SHA-256 in hexadecimal digits.

    Raises:
        ConfigError: the file cannot be read, or the home folder cannot be written to.
    """
    path = Path(path).resolve()
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(problems=[f"{path}: cannot be read: {error.strerror or error}"]) from error
    _write(home_folder(environ) / _FILE, {**_trusted(environ), str(path): digest})
    return digest


def is_trusted(path: str | Path, content: bytes, *, environ: Mapping[str, str] | None = None) -> bool:
    """Whether this file with this content was trusted."""
    return _trusted(environ).get(str(Path(path).resolve())) == hashlib.sha256(content).hexdigest()


def command(path: Path) -> str:
    """What to run in a terminal to trust a file."""
    return f"hector trust {shlex.quote(str(path))}"


def needs_trust(config: Config, path: Path) -> Iterator[Finding]:
    """The settings that only a trusted file may use; variables are refused before, while the file is read."""
    for name, tool in config.tools.items():
        if tool.type:
            yield _refused(("tools", name, "type"), f"`type: {tool.type}`", path)
        if tool.shell:
            yield _refused(("tools", name, "shell"), "`shell: true`", path)
        if tool.root and _leads_out(tool.root, path):
            yield _refused(("tools", name, "root"), "a folder outside of the file's own", path)
        for index, folder in enumerate(tool.folders):
            if _leads_out(folder, path):
                yield _refused(("tools", name, "folders", index), "a folder outside of the file's own", path)
        if tool.require_approval in _LOOSE:
            yield _refused(("tools", name, "require_approval"), f"`require_approval: {tool.require_approval}`", path)
    for name, agent in config.agents.items():
        if agent.require_approval in _LOOSE:
            yield _refused(("agents", name, "require_approval"), f"`require_approval: {agent.require_approval}`", path)


def _leads_out(folder: str, path: Path) -> bool:
    """Whether a folder, relative to that of the file, lies elsewhere."""
    if "\0" in folder:
        return True
    home = os.path.realpath(path.parent)
    found = os.path.realpath(os.path.join(home, os.path.expanduser(folder)))  # noqa: PTH111, PTH118 -- these never fail
    return not Path(found).is_relative_to(home)


def refusal(what: str, path: Path) -> str:
    """Why something of an untrusted file is not used, and what to do."""
    return f"{what} is used only in a file that you trust; read this one, then run: {command(path)}"


def _refused(key: KeyPath, what: str, path: Path) -> Finding:
    return Finding(path=key, message=refusal(what, path))


def _trusted(environ: Mapping[str, str] | None) -> dict[str, str]:
    """Hashes by path; nothing is trusted where they cannot be read."""
    try:
        known = json.loads((home_path(environ) / _FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _write(path: Path, known: dict[str, str]) -> None:
    """Replace the file in one step, readable by this user alone."""
    try:
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            new = Path(folder) / _FILE
            new.touch(mode=0o600)
            new.write_text(json.dumps(known, indent=1), encoding="utf-8")
            new.replace(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror or error}.") from error
