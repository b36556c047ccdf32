"""The address of a PostgreSQL database: how it is reached, and how it is named without its password."""

from urllib.parse import unquote, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from hector_nb.errors import ConfigError

_DEFAULTS = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
    "application_name": "hector_nb",
}
"""Seconds, and milliseconds for `tcp_user_timeout`: how soon a server that has vanished is noticed. The address may say otherwise."""


class Address:
    """Where a database is.

    Raises:
        ConfigError: the URL cannot be read.
    """

    def __init__(self, url: str) -> None:
        self._secrets = [secret for secret in _passwords(url) if secret]
        try:
            named = conninfo_to_dict(url)
        except psycopg.Error as error:
            raise ConfigError(
                f"storage.url cannot be read: {self.without_secrets(str(error))}",
                hint="Write postgresql://user:password@host:5432/database; `%40` in a password is an @.",
            ) from None
        self._secrets += [str(named[key]) for key in ("password", "sslpassword") if named.get(key)]
        self.conninfo = make_conninfo("", **{**_DEFAULTS, **named})
        host = named.get("host") or named.get("hostaddr") or ""
        port = f":{named['port']}" if named.get("port") else ""
        self.shown = f"postgresql://{host}{port}/{named.get('dbname', '')}"
        """The address without user, password and options."""

    def without_secrets(self, text: str) -> str:
        """A text in which the password is not."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "…")
        return text


def _passwords(url: str) -> list[str]:
    """What may be a password in a URL, even in one that is wrong."""
    rest = url.partition("://")[2].partition("?")[0]
    written = rest.rpartition("@")[0].partition(":")[2]
    try:
        parsed = urlsplit(url).password or ""
    except ValueError:
        parsed = ""
    return list(dict.fromkeys([written, unquote(written), parsed, unquote(parsed)]))
