"""Where `hector serve` listens, and to whom: what was asked for, the environment and the configuration put together."""

import secrets
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import quote

from hector_nb.config.loader import LoadedConfig
from hector_nb.errors import ConfigError
from hector_nb.sessions import LOCAL_USER

_SHOWN_HOSTS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 -- where these are bound, loopback answers


@dataclass(frozen=True, kw_only=True, slots=True)
class GrpcListen:
    """Where to listen for gRPC."""

    host: str
    port: int
    certfile: str | None = None
    keyfile: str | None = None

    def address(self, port: int | None = None) -> str:
        """`host:port`, at the port that was given in the end."""
        host = self.host or "[::]"
        return f"{f'[{host}]' if ':' in host and '[' not in host else host}:{self.port if port is None else port}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Listen:
    """Where to listen, and to whom.

    `users` are the callers by token; empty: everybody is let in. `shown_token` may be printed, for it was made here.
    """

    host: str
    port: int
    base_url: str = "/"
    users: Mapping[str, str] = field(default_factory=dict)
    shown_token: str | None = None
    certfile: str | None = None
    keyfile: str | None = None

    def address(self, port: int) -> str:
        """The URL to call first, at the port that was given in the end."""
        host = _SHOWN_HOSTS.get(self.host, f"[{self.host}]" if ":" in self.host else self.host)
        scheme = "https" if self.certfile else "http"
        query = f"?token={quote(self.shown_token, safe='')}" if self.shown_token else ""
        return f"{scheme}://{host}:{port}{self.base_url}agents{query}"


def where(
    loaded: LoadedConfig,
    environ: Mapping[str, str],
    *,
    host: str | None = None,
    port: int | None = None,
    token: str | None = None,
    no_token: bool = False,
    base_url: str = "/",
) -> Listen:
    """What is asked for goes before the environment (`HECTOR_TOKEN`), and that before the configuration's `server` block.

    Raises:
        ConfigError: it does not fit together.
    """
    server = loaded.config.server
    host = server.host if host is None else host
    if no_token:
        _check_no_token(host, tokens=bool(token or server.tokens))
    configured = server.token.get_secret_value() if server.token else None
    known = None if no_token else token or environ.get("HECTOR_TOKEN") or configured
    made = None if no_token or known or server.tokens else secrets.token_urlsafe(24)
    lone = known or made
    path = base_url.strip("/")
    return Listen(
        host=host,
        port=server.port if port is None else port,
        base_url=f"/{path}/" if path else "/",
        users={**server.tokens, **({lone: LOCAL_USER} if lone else {})},
        shown_token=made,
        certfile=_file(loaded, "certfile", server.certfile),
        keyfile=_file(loaded, "keyfile", server.keyfile),
    )


def where_grpc(loaded: LoadedConfig, *, host: str | None = None, port: int | None = None) -> GrpcListen | None:
    """Where to listen for gRPC: what is asked for goes before the configuration's `server` block; None: nowhere.

    Raises:
        ConfigError: tokens and prompts would cross a network as they are, or a file is not there.
    """
    server = loaded.config.server
    host = server.host if host is None else host
    port = server.grpc_port if port is None else port
    if port is None:
        return None
    if server.certfile is None and not _is_loopback(host):
        raise ConfigError(
            f"gRPC on {host or 'every address'} would send tokens and messages over the network as they are.",
            hint="Set server.certfile and server.keyfile, or listen on 127.0.0.1.",
        )
    return GrpcListen(
        host=host,
        port=port,
        certfile=_file(loaded, "certfile", server.certfile),
        keyfile=_file(loaded, "keyfile", server.keyfile),
    )


def tls(certfile: str, keyfile: str | None) -> ssl.SSLContext:
    """A server's side of TLS.

    Raises:
        ConfigError: certificate or key cannot be used.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certfile, keyfile)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"server.certfile or server.keyfile cannot be used: {error}.") from error
    return context


def _check_no_token(host: str, *, tokens: bool) -> None:
    if tokens:
        raise ConfigError("--no-token contradicts the tokens that are given.", hint="Leave one of them out.")
    if not _is_loopback(host):
        raise ConfigError(
            f"--no-token would let in everybody who reaches {host or 'this machine'}.",
            hint="Leave it out, or listen on 127.0.0.1.",
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _file(loaded: LoadedConfig, key: str, path: str | None) -> str | None:
    if path is None:
        return None
    found = loaded.resolve(path)
    if not found.is_file():
        raise ConfigError(f"server.{key}: there is no file {found}.")
    return str(found)
