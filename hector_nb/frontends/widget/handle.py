"""What people do in code with a chat, whichever front end it has."""

from typing import TYPE_CHECKING, Any

from hector_nb.frontends.memory_view import MemoryView
from hector_nb.frontends.widget.controller import Controller
from hector_nb.frontends.widget.outputs import Outputs
from hector_nb.frontends.widget.transcript import in_a_line
from hector_nb.sessions import Session

if TYPE_CHECKING:
    from ipywidgets import DOMWidget as Widget
else:
    Widget = object


class ChatHandle(Widget):  # type: ignore[misc]
    """Stands before a widget class among the bases of a chat."""

    _controller: Controller
    _outputs: Outputs

    @property
    def session(self) -> Session | None:
        """The session; None before the first message."""
        return self._controller.session

    @property
    def memory(self) -> MemoryView:
        """What the session remembers.

        Raises:
            SessionNotFound: nothing was said yet.
        """
        return self._controller.memory

    def send(self, content: Any, buffers: Any = None) -> None:
        """Send a message, as if it were typed; anything but a text is a widget's message to its front end.

        Raises:
            HectorError: it was refused.
        """
        if isinstance(content, str):
            self._controller.say(content)
        else:
            super().send(content, buffers)

    def to_markdown(self) -> str:
        """The whole conversation as Markdown that is safe to show."""
        return self._controller.markdown()

    def freeze(self) -> None:
        """Replace the chat in the notebook by the conversation as Markdown, which any reader of the file can show."""
        self._outputs.replace(self.to_markdown())

    def close(self) -> None:
        """Take the chat away. The session stays, and a turn that runs goes on."""
        self._controller.close()
        super().close()

    def __repr__(self) -> str:
        return in_a_line(self._controller.state)
