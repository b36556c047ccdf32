"""The extension's handlers on a Jupyter server that has nothing else: no kernels, terminals, files or pages.

Identity, host check and `base_url` are Jupyter's. Callers are known by token alone: there are no cookies, hence no XSRF; without
a token, `origins.py` keeps foreign pages out. It reads no Jupyter configuration and writes no Jupyter files.
"""

import hmac
import logging
import os
from typing import Any, Self

from jupyter_server.auth.identity import IdentityProvider, User
from jupyter_server.serverapp import ServerApp
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import RequestHandler
from traitlets import Dict, Unicode
from traitlets.config import Config

from hector_nb.errors import Unavailable
from hector_nb.sessions import LOCAL_USER
from hector_nb.transports.engine import ENGINE, Engine
from hector_nb.transports.handlers import UnknownPath
from hector_nb.transports.listen import Listen, tls

_BACKLOG = 4096
_MAX_BODY_BYTES = 1024 * 1024 * 1024
"""What is more than a handler takes passes by unkept, so that the client reads why; beyond this the connection is closed."""
_EXTENSION = "hector_nb"
_log = logging.getLogger("hector_nb.transports")


class TokenIdentity(IdentityProvider):
    """Users by token. Without any token everybody is the local user."""

    token = Unicode("")
    users = Dict(config=True)

    async def get_user_token(self, handler: RequestHandler) -> User | None:
        """The user whose token the request shows; comparing takes the same time for every token."""
        shown = (self.get_token(handler) or "").encode()
        found = [name for token, name in self.users.items() if hmac.compare_digest(shown, token.encode())]
        return _user(found[0]) if found else None

    def generate_anonymous_user(self, handler: RequestHandler) -> User:
        """The one who needs no token."""
        return _user(LOCAL_USER)

    def get_user_cookie(self, handler: RequestHandler) -> None:
        """There are no cookies."""

    def set_login_cookie(self, handler: RequestHandler, user: User) -> None:
        """There are no cookies."""

    @property
    def auth_enabled(self) -> bool:
        """Whether callers must show a token."""
        return bool(self.users)

    @property
    def login_available(self) -> bool:
        """There is no login page."""
        return False

    @property
    def logout_available(self) -> bool:
        """There is none."""
        return False

    def validate_security(self, app: Any, ssl_options: dict[str, Any] | None = None) -> None:
        """`where` has seen to it."""


def _user(name: str) -> User:
    return User(name, name, name, name[:1].upper(), None, None)


class HectorServer(ServerApp):
    """A server that mounts the extension and nothing else."""

    name = "hector"
    default_services = ()  # type: ignore[assignment] # its type has as many services as Jupyter has
    listen: Listen
    engine: Engine

    @classmethod
    def start_listening(cls, listen: Listen, engine: Engine) -> Self:
        """A server that accepts connections on the running event loop.

        Raises:
            ConfigError: the certificate cannot be used.
            Unavailable: the port is in use.
        """
        server = cls(config=_traits(listen), log_level=logging.WARNING)
        server.listen = listen
        server.engine = engine
        server.tornado_settings = {ENGINE: engine, "log_function": _log_request}
        server.initialize(argv=[], find_extensions=False)
        catch_all = (f"{listen.base_url}.*", UnknownPath, {"name": _EXTENSION})
        server.web_app.add_handlers(".*$", [catch_all])  # type: ignore[no-untyped-call]
        return server

    async def stop_listening(self) -> None:
        """Accept nothing more, stop the turns, and close the connections."""
        self.http_server.stop()
        await self.cleanup_extensions()
        await self.http_server.close_all_connections()

    def load_config_file(self, *_: Any, **__: Any) -> None:
        """A Jupyter server's configuration is not ours."""

    def migrate_config(self) -> None:
        """There is none."""

    def init_signal(self) -> None:
        """`run` handles the signals."""

    def init_httpserver(self) -> None:
        """Bind to the port that was asked for, and to no other."""
        self._http_server = HTTPServer(
            self.web_app,
            ssl_options=tls(self.listen.certfile, self.listen.keyfile) if self.listen.certfile else None,
            max_body_size=_MAX_BODY_BYTES,
            idle_connection_timeout=3600,
        )
        try:
            sockets = bind_sockets(self.port, self.ip, backlog=_BACKLOG)
        except OSError as error:
            raise Unavailable(
                f"Cannot listen on {self.ip or 'this machine'}, port {self.port}: {error.strerror}.",
                hint="Stop the other program, or choose a port with --port (0: any that is free).",
            ) from error
        self.port = sockets[0].getsockname()[1]
        self._http_server.add_sockets(sockets)


def _traits(listen: Listen) -> Config:
    settings = {
        "ip": listen.host,
        "port": listen.port,
        "base_url": listen.base_url,
        "allow_root": True,
        "allow_unauthenticated_access": False,
        "open_browser": False,
        "disable_check_xsrf": True,
        "cookie_secret": os.urandom(32),
        "identity_provider_class": TokenIdentity,
        "jpserver_extensions": {_EXTENSION: True},
    }
    return Config({"ServerApp": settings, "TokenIdentity": {"users": dict(listen.users)}})


def _log_request(handler: RequestHandler) -> None:
    """What failed because of the server; never a query."""
    if handler.get_status() >= 500:
        _log.warning("%d %s %s", handler.get_status(), handler.request.method, handler.request.path)
