"""`hector_nb.chat()`: a chat of its own, over the engine that all such chats of a process share."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hector_nb.frontends.connect import open_service
from hector_nb.frontends.notebook_service import NotebookService
from hector_nb.frontends.widget import Frontend, open_chat
from hector_nb.frontends.widget.belonging import cell_chat
from hector_nb.frontends.widget.kernel import in_kernel

if TYPE_CHECKING:
    from hector_nb.frontends.cell_approvals import Allowed
    from hector_nb.frontends.connect import LoopThread
    from hector_nb.frontends.widget.basic import BasicChat
    from hector_nb.frontends.widget.front import Chat
    from hector_nb.service import SessionService

_services: dict[str | None, NotebookService] = {}
_allowed: "Allowed" = set()


def chat(
    agent: str | None = None,
    *,
    session: str | None = None,
    config: str | Path | None = None,
    height: int = 600,
    frontend: Frontend = "auto",
) -> "Chat | BasicChat":
    """See `hector_nb.chat`."""
    key = None if config is None else str(config)
    if key not in _services:
        _services[key] = NotebookService(partial(open_service, config))
    service, loop = _services[key].attach()
    return open_chat(
        service,
        loop,
        agent=agent,
        session_id=session,
        height=height,
        frontend=frontend,
        allowed=_allowed,
        belonging=None if session else cell_chat(),
    )


def show_session(service: "SessionService", loop: "LoopThread", *, agent: str, session_id: str, otherwise: str) -> None:
    """Show a session of the Python API as a chat in the present cell; in a terminal the text `otherwise`."""
    if not in_kernel():
        sys.stdout.write(f"{otherwise}\n")
        return
    open_chat(service, loop, agent=agent, session_id=session_id, allowed=_allowed)._ipython_display_()
