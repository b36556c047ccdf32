"""Who makes a gRPC call: the server's own identity provider and authorizer, asked as they are asked over HTTP.

They know HTTP requests, so a call becomes one, with the call's `authorization` metadata as its header. No page's rules apply:
a browser cannot make a gRPC call, since it cannot ask for trailers.
"""

from collections.abc import Callable, Mapping
from typing import Literal

from jupyter_server.base.handlers import APIHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from tornado import web
from tornado.httputil import HTTPConnection, HTTPHeaders, HTTPServerRequest, RequestStartLine

from hector_nb.errors import Forbidden, Unauthenticated, Unavailable
from hector_nb.transports.handlers import HectorMixin, guarded

Action = Literal["read", "write", "execute"]


async def owner_of(application: web.Application, sent: Mapping[str, str], path: str, action: Action) -> str:
    """Whose sessions a call is about.

    Args:
        application: the server's.
        sent: the call's `authorization` (`Bearer TOKEN` or `token TOKEN`), and its `traceparent` and `tracestate`, where it has them.
        path: the full name of the method.
        action: what the authorizer is asked for.

    Raises:
        Unauthenticated: nobody knows the caller.
        Forbidden: the caller may not do this.
        Unavailable: whoever knows the callers cannot be asked.
    """
    headers = HTTPHeaders({"Host": "localhost", **sent})
    request = HTTPServerRequest(
        headers=headers,
        connection=_NoConnection(),
        start_line=RequestStartLine("GET", path, "HTTP/1.1"),
    )
    call = _Call(application, request, name="hector_nb")
    try:
        await call.prepare()
        owner: str = await guarded(action)(_owner)(call)
    except web.HTTPError as error:
        if error.status_code >= 500:
            raise Unavailable("Nobody can tell now who you are.", hint="Try again.") from error
        if call.current_user is None:
            raise Unauthenticated(hint=call.how_to_get_in) from error
        raise Forbidden(f"You may not {action} here.") from error
    call.update_api_activity()
    return owner


class _Call(HectorMixin, ExtensionHandlerMixin, APIHandler):
    """A call as a handler. It never answers."""

    transport = "grpc"
    how_to_get_in = "Send the metadata authorization: Bearer TOKEN."

    @guarded("read")
    def get(self) -> None:
        """The server looks here for whether strangers may call."""


async def _owner(call: _Call) -> str:
    return call.owner


class _NoConnection(HTTPConnection):
    """A request that came another way."""

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """It is not closed."""
