"""The whole API on one screen. Paths are under the server's `base_url`."""

from typing import Any

from hector_nb.transports.approvals import ApprovalsHandler, OneApprovalHandler, OutputHandler
from hector_nb.transports.handlers import UnknownPath
from hector_nb.transports.memory import (
    ContextHandler,
    MemoryHandler,
    MemorySearchHandler,
    OneMemoryHandler,
    RestoreHandler,
    TurnContextHandler,
)
from hector_nb.transports.operations import HealthHandler, LiveHandler, MetricsHandler
from hector_nb.transports.rest import (
    AgentsHandler,
    AllSessionsHandler,
    AnySessionHandler,
    CancelHandler,
    ContractHandler,
    EndHandler,
    ForkHandler,
    MessagesHandler,
    OneOffMessagesHandler,
    RewindHandler,
    SessionHandler,
    SessionsHandler,
    ToolsHandler,
)
from hector_nb.transports.sse import OneOffStreamHandler, SessionStreamHandler
from hector_nb.transports.transfer import ExportHandler, ImportHandler
from hector_nb.transports.websocket import AgentSocket

_AGENT = "/agents/([^/]+)"
_SESSION = f"{_AGENT}/sessions/([^/]+)"

ROUTES: list[tuple[str, type[Any]]] = [
    ("/agents", AgentsHandler),
    (f"{_AGENT}/tools", ToolsHandler),
    (f"{_AGENT}/sessions", SessionsHandler),
    (f"{_AGENT}/sessions/(import)", ImportHandler),
    (_SESSION, SessionHandler),
    (f"{_SESSION}/messages", MessagesHandler),
    (f"{_SESSION}/messages/stream", SessionStreamHandler),
    (f"{_SESSION}/cancel", CancelHandler),
    (f"{_SESSION}/end", EndHandler),
    (f"{_SESSION}/fork", ForkHandler),
    (f"{_SESSION}/rewind", RewindHandler),
    (f"{_SESSION}/export", ExportHandler),
    (f"{_SESSION}/memory", MemoryHandler),
    (f"{_SESSION}/memory/search", MemorySearchHandler),
    (f"{_SESSION}/memory/([^/]+)", OneMemoryHandler),
    (f"{_SESSION}/memory/([^/]+)/restore", RestoreHandler),
    (f"{_SESSION}/turns/([^/]+)/context", ContextHandler),
    (f"{_SESSION}/approvals", ApprovalsHandler),
    (f"{_SESSION}/approvals/([^/]+)", OneApprovalHandler),
    (f"{_SESSION}/outputs/([^/]+)", OutputHandler),
    (f"{_AGENT}/messages", OneOffMessagesHandler),
    (f"{_AGENT}/messages/stream", OneOffStreamHandler),
    (f"{_AGENT}/turns/([^/]+)/context", TurnContextHandler),
    (f"{_AGENT}/stream", AgentSocket),
    ("/hector/sessions", AllSessionsHandler),
    ("/hector/sessions/([^/]+)", AnySessionHandler),
    ("/hector/health", HealthHandler),
    ("/hector/health/live", LiveHandler),
    ("/hector/metrics", MetricsHandler),
    (r"/hector/openapi\.json", ContractHandler),
    ("/agents(?:/.*)?", UnknownPath),
    ("/hector(?:/.*)?", UnknownPath),
]
