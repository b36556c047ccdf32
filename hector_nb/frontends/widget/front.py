"""The chat as a widget: anywidget's `DOMWidget` with the bundle that `jupyter_extension/` is built into.

The whole state is in the trait `snapshot`, which is made whenever somebody asks for the model's state, and never pushed. All else goes in
messages; see `jupyter_extension/src/protocol.ts`.
"""

from collections.abc import Mapping
from typing import Any

import anywidget
import traitlets

from hector_nb.frontends.widget import bundle
from hector_nb.frontends.widget.attendance import Attendance
from hector_nb.frontends.widget.basic import BasicChat
from hector_nb.frontends.widget.controller import Controller
from hector_nb.frontends.widget.handle import ChatHandle
from hector_nb.frontends.widget.kernel import is_recorded, kernel_loop, post_comm_message, shell
from hector_nb.frontends.widget.outputs import Outputs
from hector_nb.frontends.widget.transcript import as_markdown, saved_line

_LONG = 320, 2000
"""Least and greatest height in pixels."""


class Chat(ChatHandle, anywidget.AnyWidget):
    """A chat and memory inspector in a notebook.

    Args:
        controller: What it shows.
        height: The height in pixels at which it begins to scroll.
        watched: Let the plain chat take its place as long as no front end has drawn this one.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    snapshot = traitlets.Dict(allow_none=True, default_value=None, read_only=True).tag(sync=True)
    height = traitlets.Int(600).tag(sync=True)

    def __init__(self, controller: Controller, *, height: int = 600, watched: bool = False) -> None:
        self._controller = controller
        self._plain: BasicChat | None = None
        self.stood_in = False
        """Whether the plain chat has taken the place of this one."""
        loop = kernel_loop() if watched and not is_recorded() else None
        self._attendance = Attendance(shell(), loop, self._stand_in) if loop is not None else None
        self._outputs = Outputs()
        super().__init__(_esm=bundle.read(), height=min(max(height, _LONG[0]), _LONG[1]))
        self.on_msg(self._obey)
        controller.on_message = self._post
        controller.on_freeze = self._outputs.replace

    # -- what notebooks show

    def _ipython_display_(self, **_: Any) -> None:
        data, metadata = self._repr_mimebundle_()
        self._outputs.show(data, metadata)
        if self._attendance is not None:
            self._attendance.begin()

    def close(self) -> None:
        """See `ChatHandle`."""
        if self._attendance is not None:
            self._attendance.end()
        if self._plain is not None:
            self._plain.leave()
        super().close()

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The widget beside what is shown where there are no widgets: a line, and the conversation so far."""
        data, metadata = super()._repr_mimebundle_() or ({}, {})
        state = self._controller.state
        data = {**data, "text/plain": saved_line(state)}
        if text := as_markdown(state):
            data["text/markdown"] = text
        return data, metadata

    # -- messages

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """See `ipywidgets.Widget`; the snapshot is made now."""
        state: dict[str, Any] = super().get_state(key=key, drop_defaults=drop_defaults)
        if key is None or key == "snapshot" or (not isinstance(key, str) and "snapshot" in key):
            state["snapshot"] = self._controller.snapshot()
        return state

    def set_state(self, sync_data: Mapping[str, Any]) -> None:
        """See `ipywidgets.Widget`; the front end owns no part of the state but the height."""
        super().set_state({name: value for name, value in sync_data.items() if name == "height"})

    def _stand_in(self) -> None:
        """Let the plain chat take the place of this one, which no front end has drawn."""
        self._plain = BasicChat(self._controller, height=self.height)
        self.stood_in = True
        hear = self._controller.on_message

        def tell(message: Mapping[str, Any]) -> None:
            hear(message)
            self._post(message)

        self._controller.on_message = tell
        self._controller.on_freeze = self._outputs.replace
        self._outputs.change(self._plain._repr_mimebundle_(), {})

    def _attend(self) -> None:
        """A front end has drawn this chat, however late."""
        if self._attendance is not None:
            self._attendance.end()
            self._attendance = None
        if self._plain is not None and self.stood_in:
            self.stood_in = False
            self._plain.rest()
            self._controller.on_message = self._post
            self._outputs.change(*self._repr_mimebundle_())

    def _obey(self, _: Any, content: Any, __: Any) -> None:
        self._attend()
        self._controller.command(content)

    def _post(self, message: Mapping[str, Any]) -> None:
        if self.comm is not None and not post_comm_message(self.comm, message):
            super().send(message)
