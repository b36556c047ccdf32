"""Which web pages may call. A pure rule over a request's headers; `handlers.py` applies it.

Browsers add the caller's cookies to what any page asks for, and a server without a token needs no cookie at all. So a request
that showed no token must not come from a foreign page: not as a form or a script, and not as an image or a link either.
"""

from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """What a request tells of where it comes from.

    `token` says that it showed a valid token; `starts_turn` that it is a GET that would start a turn. The headers are `Host`, `Origin`
    and `Sec-Fetch-Site`.
    """

    host: str | None
    origin: str | None = None
    fetch_site: str | None = None
    token: bool = False
    starts_turn: bool = False


def is_own(origin: str, host: str | None) -> bool:
    """Whether an origin is the server's own. The scheme is left aside: behind a proxy the server does not know its own."""
    return host is not None and bool(host) and urlsplit(origin).netloc.lower() == host.lower()


def refusal(caller: Caller, allowed: Collection[str]) -> str | None:
    """Why this caller is refused, or None. `allowed` are the foreign origins that may call; `*` allows every one."""
    if caller.token:
        return None
    if caller.origin is not None and (caller.origin in allowed or "*" in allowed):
        return None
    if caller.origin is not None and not is_own(caller.origin, caller.host):
        return f"Pages of {caller.origin} may not call this server."
    if caller.fetch_site not in {None, "same-origin", "none"}:
        return "Other sites may not call this server."
    if caller.fetch_site == "none" and caller.starts_turn:
        return "A link or the address bar may not start a turn."
    return None
