"""Whether a database's file is still the one that was opened: what is written to a deleted file is lost without an error."""

from pathlib import Path

from hector_nb.errors import StoreError


class OpenedFile:
    """The file that lies at a path now."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        self._identity = self._look()

    def check(self) -> None:
        """Look again.

        Raises:
            StoreError: it has been deleted, moved or replaced. It is used again once it is back.
        """
        if self._look() != self._identity:
            raise StoreError(
                f"The database {self._path} was moved, deleted or replaced while it was open.",
                hint="Put it back, or restart to use what is there.",
            )

    def _look(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino
