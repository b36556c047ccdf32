"""What is known of providers: addresses, key variables, models, windows."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from hector_nb.errors import ConfigError

OPENAI_HOST = "api.openai.com"
DEFAULT_WINDOW = 8192
"""Tokens; for models that nothing is known of."""
DEFAULT_RESERVE = 1024
"""Tokens kept free for the answer where `max_tokens` is not set."""

_WINDOWS = {
    "gpt-3.5-turbo": 16_385,
    "gpt-4": 8_192,
    "gpt-4-turbo": 128_000,
    "gpt-4o": 128_000,
    "chatgpt-4o": 128_000,
    "gpt-4.1": 1_047_576,
    "gpt-5": 400_000,
    "o1": 200_000,
    "o3": 200_000,
    "o4": 200_000,
    "claude": 200_000,
    "gemini": 1_048_576,
}


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A provider's endpoint for the OpenAI protocol. `key_variables` are environment variables, the first that is set counts."""

    base_url: str | None
    key_variables: tuple[str, ...] = ()
    default_model: str | None = None
    window: int | None = None


ENDPOINTS: Mapping[str, Endpoint] = {
    "openai": Endpoint(
        base_url=f"https://{OPENAI_HOST}/v1", key_variables=("OPENAI_API_KEY",), default_model="gpt-4.1-mini"
    ),
    "anthropic": Endpoint(
        base_url="https://api.anthropic.com/v1", key_variables=("ANTHROPIC_API_KEY",), default_model="claude-haiku-4-5"
    ),
    "google": Endpoint(
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        key_variables=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        default_model="gemini-flash-latest",
    ),
    "ollama": Endpoint(
        base_url=None, window=4096
    ),  # the window that Ollama gives a model unless its server is told otherwise
    "openai-compatible": Endpoint(base_url=None),
}


def ollama_url(environ: Mapping[str, str]) -> str:
    """Where Ollama answers, from `OLLAMA_HOST` as Ollama itself reads it: with or without scheme and port."""
    raw = environ.get("OLLAMA_HOST", "").strip().rstrip("/") or "127.0.0.1"
    parts = urlsplit(raw if "://" in raw else f"http://{raw}")
    host = parts.hostname or "127.0.0.1"
    host = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - a listening address, turned into one to call
    port = parts.port or {"https": 443}.get(parts.scheme, 11434)
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}{parts.path}"


def base_url_of(provider: str, base_url: str | None, environ: Mapping[str, str]) -> str:
    """The address of a provider, without a slash at its end.

    Raises:
        ConfigError: the address is missing or is none.
    """
    url = base_url or ENDPOINTS[provider].base_url or (f"{ollama_url(environ)}/v1" if provider == "ollama" else None)
    if url is None:
        raise ConfigError(f"The provider {provider} needs `base_url`.", hint="For example http://localhost:8000/v1")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(f"`base_url` must be an http or https address, not {url!r}.")
    return url.rstrip("/")


def native_url_of(provider: str, base_url: str | None) -> str:
    """The address in front of the version, for providers with a protocol of their own; `…/v1` may be written or not.

    Raises:
        ConfigError: the address is none.
    """
    return re.sub(r"/v1(alpha|beta)?$", "", base_url_of(provider, base_url, {}).removesuffix("/openai"))


def known_window(provider: str, model: str) -> int:
    """The context window of a model, in tokens, by the longest known beginning of its name."""
    name = model.rsplit("/", 1)[-1].lower()
    known = max((prefix for prefix in _WINDOWS if name.startswith(prefix)), key=len, default=None)
    return ENDPOINTS[provider].window or (_WINDOWS[known] if known else DEFAULT_WINDOW)


def known_encoding(provider: str, model: str) -> str | None:
    """The tiktoken encoding of one of OpenAI's models, None for others. Reads a table, downloads nothing.

    Elsewhere than at OpenAI only what says whose it is counts as OpenAI's: `openai/gpt-4o`, and the open `gpt-oss`.
    """
    from tiktoken.model import encoding_name_for_model

    vendor, _, name = model.lower().replace("gpt-oss:", "gpt-oss-").rpartition("/")
    if provider != "openai" and vendor != "openai" and not name.startswith("gpt-oss"):
        return None
    try:
        return encoding_name_for_model(name)
    except KeyError:  # newer than the table
        return "o200k_base" if re.match(r"(gpt|chatgpt|o\d+)\b", name) else None
