"""Declarative LLM agents that live in Jupyter.

Importing this package costs next to nothing: kernels, servers and terminals each load only the rooms they use.
"""

from typing import TYPE_CHECKING, Any

from hector_nb._version import __version__
from hector_nb.tools.decorator import tool

if TYPE_CHECKING:
    from pathlib import Path

    from hector_nb.frontends.approving import Approver
    from hector_nb.frontends.asynchronous import AsyncHector
    from hector_nb.frontends.plain import Hector
    from hector_nb.frontends.widget import Frontend
    from hector_nb.frontends.widget.basic import BasicChat
    from hector_nb.frontends.widget.front import Chat

__all__ = ["__version__", "aconnect", "chat", "connect", "tool"]


def connect(config: "str | Path | None" = None, user: str | None = None, *, approve: "Approver" = None) -> "Hector":
    """One user's sessions, for plain code: scripts, IPython, notebooks.

        with hector_nb.connect() as hector:
            session = hector.session("assistant")
            print(session.send("Hello"))

    Args:
        config: The configuration file; None: the first that is found.
        user: The owner of the sessions; None: `HECTOR_USER`, `JUPYTERHUB_USER` or `local`.
        approve: Who gives the word on tool calls that need it: a function of the `Approval` that answers True, False or the arguments
            to use instead; `"ask"`: the person at the terminal or in the cell; None: somebody elsewhere, with `decide()` or any other
            way in, and no answer in time means no.

    Raises:
        ConfigError: The configuration cannot be used.
        StoreError: The database cannot be opened.
    """
    from hector_nb.frontends.plain import Hector

    return Hector(config, user=user, approve=approve)


def aconnect(
    config: "str | Path | None" = None, user: str | None = None, *, approve: "Approver" = None
) -> "AsyncHector":
    """The same for code with an event loop, with the same names to `await` and `async for`.

        async with hector_nb.aconnect() as hector:
            session = await hector.session("assistant")
            async for text in await session.stream("Hello"):
                print(text, end="")

    The arguments are those of `connect`; an `approve` function may be `async`.
    """
    from hector_nb.frontends.asynchronous import AsyncHector

    return AsyncHector(config, user=user, approve=approve)


def chat(
    agent: str | None = None,
    *,
    session: str | None = None,
    config: "str | Path | None" = None,
    height: int = 600,
    frontend: "Frontend" = "auto",
) -> "Chat | BasicChat":
    """A chat in the notebook, with a look into its memory.

        hector_nb.chat("assistant")

    Args:
        agent: Who answers; None: the first agent, or that of the session.
        session: The id of a session to go on in; None: a new one, which is stored with its first message.
        config: The configuration file; None: the first that is found.
        height: Pixels from which on the chat scrolls inside.
        frontend: `full`, `basic` (plain widgets) or `auto`: the first of them that works here.

    Raises:
        ConfigError: The configuration cannot be used.
        SessionNotFound: There is no such session.
        AgentNotFound: There is no such agent.
    """
    from hector_nb.frontends.widget.opening import chat as open_chat

    return open_chat(agent, session=session, config=config, height=height, frontend=frontend)


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Where the Jupyter server finds the extension."""
    from hector_nb.extension import HectorExtension

    return [{"module": "hector_nb.extension", "app": HectorExtension}]


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext hector_nb`."""
    from hector_nb.frontends.magics import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext hector_nb`."""
    from hector_nb.frontends.magics import unload

    unload(shell)
