"""Where this user's things are kept, and who this user is.

`HECTOR_HOME` names the folder of store, cache and trusted files; without it the platform's folder for user data is taken.
"""

import os
import stat
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import platformdirs

from hector_nb.config.schema import Config
from hector_nb.errors import ConfigError
from hector_nb.sessions import LOCAL_USER

_APP = "hector_nb"
SERVED_STORE = "HECTOR_NB_SERVED_STORE"
"""The environment variable by which a Jupyter server tells the kernels that it starts whose sessions it serves; see `store_mark`."""


def home_path(environ: Mapping[str, str] | None = None) -> Path:
    """The home folder, which may not exist yet."""
    named = (os.environ if environ is None else environ).get("HECTOR_HOME")
    if not named:
        return platformdirs.user_data_path(_APP, appauthor=False)
    return Path(os.path.expanduser(named)).absolute()  # noqa: PTH111 -- unlike Path's it never fails


def home_folder(environ: Mapping[str, str] | None = None) -> Path:
    """The home folder, made if need be, for this user alone (0700).

    A folder that exists keeps its mode unless it is this user's and empty.

    Raises:
        ConfigError: it cannot be made or written to.
    """
    return _private(home_path(environ))


def cache_folder(environ: Mapping[str, str] | None = None) -> Path:
    """The folder for what can be fetched again, such as models.

    Raises:
        ConfigError: it cannot be made or written to.
    """
    return _private(home_folder(environ) / "cache")


def user_config_file() -> Path:
    """The configuration that is used where no other is named or found; it may not exist."""
    return platformdirs.user_config_path(_APP, appauthor=False) / "hector.yaml"


def store_url(config: Config, *, folder: Path | None = None, environ: Mapping[str, str] | None = None) -> str:
    """The store's address; the path of a SQLite file is absolute, and was relative to `folder` (default: the working directory).

    Raises:
        ConfigError: the default store's folder cannot be made or written to.
    """
    url = config.storage.url
    if url is None:
        return _default_store(home_folder(environ))
    if url.startswith("sqlite:///"):
        path = os.path.expanduser(url.removeprefix("sqlite:///"))  # noqa: PTH111
        return f"sqlite:///{((folder or Path.cwd()) / path).absolute().as_posix()}"
    return url


def store_mark(config: Config, user: str, *, folder: Path | None = None) -> str:
    """What is the same in every process that keeps this user's sessions in the same store, and tells nothing else."""
    url = store_url(config, folder=folder) if config.storage.url else _default_store(home_path())
    if url.startswith("sqlite:///"):
        place = os.path.realpath(url.removeprefix("sqlite:///"))
    else:
        parts = urlsplit(url)
        place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}?{parts.query}"
    return sha256(f"{place}\n{user}".encode("utf-8", "surrogateescape")).hexdigest()[:32]


def current_user(environ: Mapping[str, str] | None = None) -> str:
    """Who owns the sessions of this process: `HECTOR_USER`, else `JUPYTERHUB_USER`, else `local`."""
    environ = os.environ if environ is None else environ
    return environ.get("HECTOR_USER") or environ.get("JUPYTERHUB_USER") or LOCAL_USER


def _default_store(home: Path) -> str:
    return f"sqlite:///{(home / 'sessions.db').as_posix()}"


def _private(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _close_if_new(folder)
    except OSError as error:
        raise ConfigError(
            f"The folder {folder} cannot be made: {error.strerror or error}.", hint="Set HECTOR_HOME to another folder."
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f"The folder {folder} cannot be written to.", hint="Set HECTOR_HOME to another folder.")
    return folder


def _close_if_new(folder: Path) -> None:
    """An empty folder of this user's is closed to others; one that already serves something else is left as it is."""
    if os.name != "posix":
        return
    found = folder.stat()
    shared = stat.S_IMODE(found.st_mode) & 0o077
    if shared and found.st_uid == os.getuid() and not found.st_mode & stat.S_ISVTX and not any(folder.iterdir()):
        folder.chmod(0o700)
