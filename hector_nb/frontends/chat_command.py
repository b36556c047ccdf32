"""`%hector chat`: the widget, on the notebook's session. Its module is loaded when it is first asked for."""

from typing import TYPE_CHECKING

from hector_nb.frontends.cell_approvals import Allowed
from hector_nb.frontends.magics_arguments import CommandArguments
from hector_nb.frontends.notebook_service import NotebookService
from hector_nb.frontends.notebook_sessions import NotebookSessions

if TYPE_CHECKING:
    from hector_nb.frontends.widget.basic import BasicChat
    from hector_nb.frontends.widget.front import Chat


def open_chat(
    arguments: CommandArguments, service: NotebookService, sessions: NotebookSessions, *, allowed: Allowed
) -> "Chat | BasicChat":
    """The widget on the notebook's session, or on the one that is named; `allowed` are the tools that need no more words.

    Raises:
        HectorError: there is no such agent or session.
    """
    if arguments.agent:
        service.ask(lambda asked: sessions.use(asked, arguments.agent or "", None))
    info, session_id = service.ask(lambda asked: sessions.open(asked, arguments.session))
    from hector_nb.frontends.widget import open_chat as open_widget
    from hector_nb.frontends.widget.belonging import NotebookChat

    asked, loop = service.attach()
    belonging = None if arguments.session else NotebookChat(sessions, session_id)
    return open_widget(asked, loop, agent=info.name, session_id=session_id, allowed=allowed, belonging=belonging)
