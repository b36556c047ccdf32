"""What a command finds in its environment: the PATH, and nothing that looks like a secret.

This keeps secrets out of what programs print and pass on. It is no jail: a program runs as this user and may read what this user may.
"""

import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

_SECRET_NAME = re.compile(
    r"(^|_)(API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|KEY|PAT|PWD|PASS|PASSPHRASE|AUTH|JWT|DSN|CONNECTION_STRING)$"
    r"|TOKENS?(_|$)|SECRET|PASSWORD|PASSWD|CREDENTIAL|COOKIE|WEBHOOK",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(r"://[^/\s@]*:[^/\s@]+@")


def clean_environment(environ: Mapping[str, str], *, folder: Path) -> dict[str, str]:
    """The environment of a command that runs in a folder.

    Variables are left out whose names look like keys, tokens or passwords (`*_API_KEY`, `*_TOKEN`, `*SECRET*`, `*PASSWORD*`,
    `*CREDENTIAL*` and the like) or whose values are addresses with a password. The running interpreter's folder is first on PATH,
    and a Python program prints at once, so that what it printed is known when it is stopped.
    """
    kept = {
        name: value
        for name, value in environ.items()
        if not _SECRET_NAME.search(name) and not _SECRET_VALUE.search(value)
    }
    kept.pop("OLDPWD", None)
    return {**kept, "PWD": str(folder), "PATH": _path(environ.get("PATH", os.defpath)), "PYTHONUNBUFFERED": "1"}


def locate(program: str, *, path: str, folder: Path) -> str | None:
    """The file that a program's name means: looked up in `path`, or relative to `folder` where the name has a slash."""
    if os.sep in program:
        return shutil.which(os.path.normpath(folder / program))
    return shutil.which(program, path=path)


def _path(inherited: str) -> str:
    """PATH with the interpreter's folder first; folders relative to wherever the command runs are left out."""
    own = os.path.dirname(sys.executable)  # noqa: PTH120 -- a text among texts
    folders = [own, *(each for each in inherited.split(os.pathsep) if os.path.isabs(each))]  # noqa: PTH117
    return os.pathsep.join(dict.fromkeys(filter(None, folders)))
