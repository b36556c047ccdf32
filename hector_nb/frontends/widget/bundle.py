"""The custom front end as it was built from `jupyter_extension/`: one file, part of the package."""

from importlib.util import find_spec
from pathlib import Path

from hector_nb.errors import Unavailable

PLACE = Path(__file__).parent.parent / "static" / "chat.js"


def works() -> bool:
    """Whether the custom front end can be shown from here: anywidget is installed, and the file is there."""
    return find_spec("anywidget") is not None and PLACE.is_file()


def read() -> str:
    """The file's text.

    Raises:
        Unavailable: it is not there.
    """
    try:
        return PLACE.read_text(encoding="utf-8")
    except OSError as error:
        raise Unavailable(
            "The chat's front end is not installed.",
            hint='Install hector_nb again, or use the plain one: chat(frontend="basic").',
        ) from error
