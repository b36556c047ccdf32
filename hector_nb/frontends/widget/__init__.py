"""The chat and memory inspector of notebooks: `hector_nb.chat()`, `%hector chat`, and what a session of the Python API looks like.

The kernel owns the state (`state.py`), the event-loop thread changes it (`conversation.py` reads turns, `commands.py` does what people
want), and a front end draws it: `front.py` with anywidget, or `basic.py` where that cannot be.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeAlias

from hector_nb.errors import InvalidRequest

if TYPE_CHECKING:
    from hector_nb.frontends.cell_approvals import Allowed
    from hector_nb.frontends.connect import LoopThread
    from hector_nb.frontends.widget.basic import BasicChat
    from hector_nb.frontends.widget.belonging import Belonging
    from hector_nb.frontends.widget.front import Chat
    from hector_nb.service import SessionService

Frontend: TypeAlias = Literal["auto", "full", "basic"]


def open_chat(
    service: "SessionService",
    loop: "LoopThread",
    *,
    agent: str | None = None,
    session_id: str | None = None,
    height: int = 600,
    frontend: Frontend = "auto",
    allowed: "Allowed | None" = None,
    belonging: "Belonging | None" = None,
    on_close: Callable[[], None] = lambda: None,
) -> "Chat | BasicChat":
    """A chat over a service that is open on the event loop of `loop`.

    Args:
        service: The sessions.
        loop: Where the service is open.
        agent: Who answers in an empty chat; None: the first agent.
        session_id: The session to go on in; None: the one that `belonging` knows, else a new one.
        height: Pixels.
        frontend: `full` is the custom front end, `basic` plain ipywidgets, `auto` the first that works here.
        allowed: Tools that need no more words, by session; shared with the cells of this notebook.
        belonging: What knows where this chat was, and is told where it goes on.
        on_close: Called when the chat is closed.

    Raises:
        HectorError: there is no such agent or session.
    """
    if frontend not in ("auto", "full", "basic"):
        raise InvalidRequest(f"There is no front end {frontend!r}.", hint="Choose auto, full or basic.")
    from hector_nb.frontends.widget import bundle
    from hector_nb.frontends.widget.controller import Controller

    full = frontend == "full" or (frontend == "auto" and bundle.works())
    controller = Controller(service, loop, allowed=allowed, belonging=belonging, on_close=on_close)
    try:
        controller.start(agent, session_id)
        if full:
            from hector_nb.frontends.widget.front import Chat

            return Chat(controller, height=height)
        from hector_nb.frontends.widget.basic import BasicChat

        return BasicChat(controller, height=height)
    except BaseException:
        controller.close()
        raise
