"""The outputs of a notebook in which a chat is shown, so that they can be replaced."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from IPython.core import display_functions

display: Any = display_functions.display


class Outputs:
    """Shows, and replaces what was shown."""

    def __init__(self) -> None:
        self._ids: list[str] = []

    def show(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        """Show in the present cell."""
        display_id = uuid4().hex
        self._ids.append(display_id)
        display(dict(data), metadata=dict(metadata), raw=True, display_id=display_id)

    def change(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        """Show something else wherever something was shown."""
        for display_id in self._ids:
            display(dict(data), metadata=dict(metadata), raw=True, display_id=display_id, update=True)

    def replace(self, markdown: str) -> None:
        """Put Markdown in the place of all that was shown, or show it where nothing was."""
        data = {"text/markdown": markdown, "text/plain": markdown}
        if not self._ids:
            display(data, raw=True)
        for display_id in self._ids:
            display(data, raw=True, display_id=display_id, update=True)
