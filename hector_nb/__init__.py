"""Declarative LLM agents that live in Jupyter.

Importing this package costs next to nothing: kernels, servers and terminals each load only the rooms they use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hector_nb._version import __version__
from hector_nb.errors import HectorError
from hector_nb.tools.decorator import tool

if TYPE_CHECKING:
    from pathlib import Path

    from hector_nb.approvals import Approval
    from hector_nb.frontends.answer_stream import AsyncStream
    from hector_nb.frontends.answers import Answer
    from hector_nb.frontends.approving import Approver
    from hector_nb.frontends.asynchronous import AsyncHector, AsyncSession
    from hector_nb.frontends.plain import Hector, PlainSession, PlainStream
    from hector_nb.frontends.widget import Frontend
    from hector_nb.frontends.widget.basic import BasicChat
    from hector_nb.frontends.widget.front import Chat

__all__ = [
    "Answer",
    "Approval",
    "AsyncHector",
    "AsyncSession",
    "AsyncStream",
    "Hector",
    "HectorError",
    "PlainSession",
    "PlainStream",
    "__version__",
    "aconnect",
    "chat",
    "connect",
    "tool",
]
_WHERE = {
    "Answer": "frontends.answers",
    "Approval": "approvals",
    "AsyncHector": "frontends.asynchronous",
    "AsyncSession": "frontends.asynchronous",
    "AsyncStream": "frontends.answer_stream",
    "Hector": "frontends.plain",
    "PlainSession": "frontends.plain",
    "PlainStream": "frontends.plain",
}


def __getattr__(name: str) -> Any:
    """The types of the Python API, loaded when they are first named."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return __all__


def connect(
    config: "str | Path | None" = None,
    user: str | None = None,
    *,
    token: str | None = None,
    approve: "Approver" = None,
) -> "Hector":
    """One user's sessions, for plain code: scripts, IPython, notebooks.

        with hector_nb.connect() as hector:
            session = hector.session("assistant")
            print(session.send("Hello"))

    Args:
        config: The configuration file; None: the first that is found. Or the address of a server, such as `http://127.0.0.1:8080`.
        user: The owner of the sessions; None: `HECTOR_USER`, `JUPYTERHUB_USER` or `local`. A server knows whose its token is.
        token: What the server wants to see; None: the `?token=` of its address, else `HECTOR_TOKEN`.
        approve: Who gives the word on tool calls that need it: a function of the `Approval` that answers True, False or the arguments
            to use instead; `"ask"`: the person at the terminal or in the cell; None: somebody elsewhere, with `decide()` or any other
            way in, and no answer in time means no.

    Raises:
        ConfigError: The configuration cannot be used.
        StoreError: The database cannot be opened.
        Unavailable: The server cannot be reached.
        Unauthenticated: The server wants another token.
    """
    from hector_nb.frontends.plain import Hector

    return Hector(config, user=user, token=token, approve=approve)


def aconnect(
    config: "str | Path | None" = None,
    user: str | None = None,
    *,
    token: str | None = None,
    approve: "Approver" = None,
) -> "AsyncHector":
    """The same for code with an event loop, with the same names to `await` and `async for`.

        async with hector_nb.aconnect() as hector:
            session = await hector.session("assistant")
            async for text in session.stream("Hello"):
                print(text, end="")

    The arguments are those of `connect`; an `approve` function may be `async`.
    """
    from hector_nb.frontends.asynchronous import AsyncHector

    return AsyncHector(config, user=user, token=token, approve=approve)


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
        agent: Who answers; None: that of the session, or the first agent.
        session: The id of a session to go on in; None: the one in which this cell's chat was last, also before the kernel was restarted,
            else a new one, which is stored with its first message.
        config: The configuration file; None: the first that is found. Or the address of a server, such as `http://127.0.0.1:8080`.
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
