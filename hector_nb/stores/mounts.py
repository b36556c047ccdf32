"""Which file system a path lies on: SQLite's write-ahead log is not safe on network file systems."""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

# fmt: off
NETWORK_FILE_SYSTEMS = frozenset({
    "9p", "afpfs", "afs", "ceph", "cifs", "davfs", "fuse.ceph", "fuse.davfs2", "fuse.gcsfuse", "fuse.glusterfs",
    "fuse.rclone", "fuse.s3fs", "fuse.smbnetfs", "fuse.sshfs", "glusterfs", "lustre", "ncpfs", "nfs", "nfs3", "nfs4",
    "orangefs", "smb", "smb2", "smb3", "smbfs", "webdav",
})
# fmt: on
_OCTAL = re.compile(r"\\([0-7]{3})")
_MACOS_MOUNT = re.compile(r"^.* on (/.*) \((\w+)", re.MULTILINE)


def parse_mountinfo(table: str) -> Iterator[tuple[str, str]]:
    """Mount points and file system types of Linux's `/proc/self/mountinfo`."""
    for line in table.splitlines():
        before, separator, after = line.partition(" - ")
        if separator:
            yield _OCTAL.sub(lambda code: chr(int(code[1], 8)), before.split()[4]), after.split()[0]


def parse_mount(output: str) -> Iterator[tuple[str, str]]:
    """Mount points and file system types of what `mount` prints on macOS."""
    return ((found[1], found[2]) for found in _MACOS_MOUNT.finditer(output))


def read_mounts() -> list[tuple[str, str]]:
    """This machine's mounts, none where they cannot be told."""
    try:
        if sys.platform == "darwin":
            command = subprocess.run(["/sbin/mount"], capture_output=True, text=True, timeout=5, check=True)
            return list(parse_mount(command.stdout))
        return list(parse_mountinfo(Path("/proc/self/mountinfo").read_text(errors="replace")))
    except (OSError, subprocess.SubprocessError):
        return []


def network_file_system(path: Path, mounts: Iterable[tuple[str, str]]) -> str | None:
    """The type of the network file system that holds an absolute path, or None where it is a local one."""
    best, kind = -1, ""
    for point, file_system in mounts:
        if path.is_relative_to(point) and len(point) >= best:
            best, kind = len(point), file_system
    return kind if kind in NETWORK_FILE_SYSTEMS else None
