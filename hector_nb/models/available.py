"""The model of people who have configured none: the first that is there, the embedded one at last."""

import asyncio
import http.client
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from hector_nb.config.schema import LLMConfig, Provider
from hector_nb.models.endpoints import ENDPOINTS, ollama_url
from hector_nb.models.providers import SDKS, speaks_natively

PROBE_TIMEOUT = 0.3
_HOSTED: tuple[Provider, ...] = ("openai", "anthropic", "google")
_NO_CHAT = ("embed", "bge-", "minilm", "rerank")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A model that needs no configuration, or why there is none: `llm` is None where it is not available."""

    provider: Provider
    llm: LLMConfig | None
    reason: str


async def first_available(environ: Mapping[str, str]) -> LLMConfig:
    """A hosted model whose key is set, else one that a reachable Ollama has, else the embedded one. Takes at most a moment."""
    async for choice in choices(environ):
        if choice.llm is not None:
            return choice.llm
    raise AssertionError("The embedded model is always there.")


async def choices(environ: Mapping[str, str]) -> AsyncIterator[Choice]:
    """What may be used without configuration, the first that is available before all others. The last one, embedded, always is."""
    for provider in _HOSTED:
        endpoint = ENDPOINTS[provider]
        key = next((name for name in endpoint.key_variables if environ.get(name)), None)
        llm = LLMConfig(provider=provider, model=endpoint.default_model) if key else None
        reason = f"{key} is set" if key else f"{' or '.join(endpoint.key_variables)} is not set"
        if llm is not None and (how := protocol(llm)):
            reason += f"; {how}"
        yield Choice(provider=provider, llm=llm, reason=reason)
    url = ollama_url(environ)
    model = await asyncio.to_thread(_ollama_model, url)
    llm = LLMConfig(provider="ollama", model=model) if model else None
    reason = f"answers at {url}" if model else f"no model for chat answers at {url}"
    yield Choice(provider="ollama", llm=llm, reason=reason)
    yield Choice(provider="local", llm=LLMConfig(provider="local"), reason="needs neither a key nor a network")


def protocol(llm: LLMConfig) -> str:
    """How a provider with a protocol of its own is spoken to; nothing is said of others."""
    if llm.provider not in SDKS:
        return ""
    if speaks_natively(llm):
        return "in its own protocol"
    return f'through its OpenAI-compatible endpoint (its own protocol: pip install "hector_nb[{llm.provider}]")'


def _ollama_model(url: str) -> str | None:
    """The chat model that Ollama lists first, which is the newest; None where there is no Ollama."""
    parts = urlsplit(url)
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = connect(parts.hostname or "", parts.port, timeout=PROBE_TIMEOUT)
    try:
        connection.request("GET", f"{parts.path}/api/tags")
        listed = json.loads(connection.getresponse().read())
        names = [model["name"] for model in listed["models"]]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()
    return next((name for name in names if not any(word in name.lower() for word in _NO_CHAT)), None)
