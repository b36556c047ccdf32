"""`%hector chat`: the widget, on the notebook's session. Its module is loaded when it is first asked for."""

from importlib import import_module
from typing import Any

from hector_nb.frontends.magics_arguments import CommandArguments
from hector_nb.frontends.notebook_service import NotebookService
from hector_nb.frontends.notebook_sessions import NotebookSessions


def open_chat(arguments: CommandArguments, service: NotebookService, sessions: NotebookSessions) -> Any:
    """The widget of `hector_nb.chat(agent, session_id)`.

    Raises:
        HectorError: there is no such agent or session.
    """
    if arguments.agent:
        service.ask(lambda asked: sessions.use(asked, arguments.agent or "", None))
    info, session_id = service.ask(lambda asked: sessions.open(asked, arguments.session))
    return import_module("hector_nb.frontends.widget").chat(info.name, session_id)
