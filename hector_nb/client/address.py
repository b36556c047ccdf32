"""Where a server is, and the token that it wants."""

import re
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qs, urlsplit

from hector_nb.errors import InvalidRequest

_PRINTABLE = re.compile(r"[!-~]+")


def is_address(text: object) -> bool:
    """Whether this names a server, and not a file."""
    return isinstance(text, str) and text.lower().startswith(("http://", "https://"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """A server. `base` is its URL without a slash at the end, `host` its name and port; neither has a secret in it."""

    base: str
    host: str
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.token is not None and not _PRINTABLE.fullmatch(self.token):
            raise InvalidRequest("This is not a token.", hint="A token is of printable ASCII characters.")

    @classmethod
    def parse(cls, url: str, token: str | None = None) -> Self:
        """Read a URL, as a server prints it too: with `/agents` at its end, and with `?token=…`.

        Raises:
            InvalidRequest: it is none.
        """
        try:
            parts = urlsplit(url.strip())
            host, _ = parts.hostname, parts.port
        except ValueError:
            host = None
        if not is_address(url.strip()) or not host:
            raise InvalidRequest(
                "This is not the address of a server.", hint="Write it like http://127.0.0.1:8080, or https://…"
            )
        asked = parse_qs(parts.query).get("token", [None])[0]
        path = parts.path.rstrip("/").removesuffix("/agents").rstrip("/")
        place = parts.netloc.rpartition("@")[2]
        return cls(base=f"{parts.scheme.lower()}://{place}{path}", host=place, token=token or asked)
